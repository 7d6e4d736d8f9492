/**
 * One contention run from settings to a finished run directory: starts the stores and, where asked for, a throw-away server; plays pools,
 * then pass after pass over the levels, then the search for the highest rate. Every round is on disk before the next begins.
 */
import type { PlayedRound } from './arm.ts'
import { CasePlanner } from './case-plan.ts'
import type { PlannedArm } from './comparison-plan.ts'
import { playComparison, type ComparisonHooks, type ComparisonOutcome, type ComparisonPlan } from './comparison.ts'
import { estimateContention, planContention, type ContentionPlan, type ContentionSizes } from './contention.ts'
import type { RunEvents } from './run-events.ts'
import type { FinishedRun, SuiteRequest } from './run-frame.ts'
import { beginRun, type BegunRun } from './run-record.ts'
import { StoreArm, type StoreServer } from './store-arm.ts'
import { storeSettings } from './store-options.ts'
import { postgresBinaries, startPostgres, type PostgresServer } from '../engines/event-store/postgres-server.ts'
import { countedRoundTrip, nextProbeRate, probeOutcome, type Probe } from '../measurement/knee.ts'
import type { CasePlan } from '../measurement/round-evidence.ts'
import type { Durability } from '../measurement/vocabulary.ts'
import { LighthouseError } from '../platform/errors.ts'

export interface ContentionRequest extends SuiteRequest {
  readonly durability: Exclude<Durability, 'memory'>
  readonly sizes: ContentionSizes
  readonly minimumRounds: number
  /** With the password; null without a server of the user's own. */
  readonly storeUrl: string | null
  readonly startPostgres: boolean
}

export interface ContentionOutline extends ContentionPlan {
  /** The stores that can be played; the last is judged. */
  readonly arms: readonly PlannedArm[]
  readonly host: 'process'
  readonly skippedCases: readonly { readonly name: string; readonly reason: string }[]
  readonly durationMs: number
  readonly diskBytes: number
}

/** Throws USAGE for options that a store does not have, and where no store is left. */
export function outlineContention(request: ContentionRequest): ContentionOutline {
  for (const arm of request.arms) storeSettings(arm)
  const reason = whyNoPostgres(request)
  const skipped = reason === null ? [] : request.arms.filter(({ name }) => name === 'postgres')
  const left = request.arms.filter((arm) => !skipped.includes(arm))
  if (left.length === 0) {
    throw new LighthouseError('USAGE', `no store is left to be measured: ${reason ?? 'none is named'}`, {
      suggestions: ['Name a server (--store postgres://user@host/database), or --start-postgres, or the store sqlite.'],
    })
  }
  const arms = left.map((arm, index): PlannedArm => {
    return { ...arm, role: index === left.length - 1 ? 'candidate' : 'baseline' }
  })
  const plan = planContention(request.sizes, arms, request.seed)
  return {
    ...plan,
    arms,
    host: 'process',
    skippedCases: skipped.map(({ label }) => ({ name: label, reason: reason ?? '' })),
    ...estimateContention(plan, arms, request.warmupMs),
  }
}

/** Null where the store on PostgreSQL can be played. */
function whyNoPostgres({ storeUrl, startPostgres: start }: ContentionRequest): string | null {
  if (storeUrl !== null) return null
  if (!start)
    return 'no server is named (--store postgres://user@host/database) and none is to be started (--start-postgres)'
  if (postgresBinaries() !== null) return null
  return 'PostgreSQL is not installed here: initdb and postgres are neither on PATH nor in /usr/lib/postgresql/*/bin'
}

export async function runContention(
  request: ContentionRequest,
  outline: ContentionOutline,
  events: RunEvents,
  signal: AbortSignal,
): Promise<FinishedRun> {
  for (const { name, reason } of outline.skippedCases) events.note(`${name} SKIPPED: ${reason}`)
  const run = await beginRun(request, events)
  const arms: StoreArm[] = []
  let server: PostgresServer | null = null
  try {
    const needed = request.storeUrl === null && outline.arms.some(({ name }) => name === 'postgres')
    if (needed) {
      events.stage('starting a PostgreSQL server')
      server = await startPostgres(serverSettings(request.durability))
    }
    const address = server === null ? userServer(request) : { url: server.url, pid: server.pid }
    for (const [index, arm] of outline.arms.entries()) {
      if (signal.aborted) throw new LighthouseError('ENVIRONMENT', 'interrupted before the stores were up')
      events.stage(`starting ${arm.label}`)
      arms.push(
        await StoreArm.open({
          arm,
          durability: request.durability,
          server: arm.name === 'postgres' ? address : null,
          namespace: `lighthouse_${run.runId.replaceAll(/[^a-z0-9]/g, '_').slice(-24)}_${index}`,
          clockOrigin: run.origin,
          onProgress: (progress) => events.progress(arm.label, progress),
        }),
      )
    }
    declare(run, arms, request, outline)
    const player = new PassPlayer({ request, outline, run, arms, events, signal })
    return run.finish(await player.playAll())
  } finally {
    await closeStores(arms, server, events)
  }
}

function userServer({ storeUrl }: ContentionRequest): StoreServer | null {
  return storeUrl === null ? null : { url: storeUrl, pid: null }
}

/** Under durability os neither store waits for the disk: what a killed process cannot lose is all that is promised. */
function serverSettings(durability: ContentionRequest['durability']): Readonly<Record<string, string>> {
  return {
    max_connections: '230',
    shared_buffers: '128MB',
    fsync: durability === 'fsync' ? 'on' : 'off',
  }
}

async function closeStores(arms: readonly StoreArm[], server: PostgresServer | null, events: RunEvents): Promise<void> {
  const outcomes = await Promise.allSettled(arms.map((arm) => arm.close()))
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status === 'rejected')
      events.note(`${arms[index]?.label ?? 'a store'} did not stop cleanly: ${String(outcome.reason)}`)
  }
  await server?.stop().catch((error: unknown) => events.note(`PostgreSQL did not stop cleanly: ${String(error)}`))
}

function declare(
  run: BegunRun,
  arms: readonly StoreArm[],
  request: ContentionRequest,
  outline: ContentionOutline,
): void {
  const { cases, order, skippedCases } = outline
  const last = cases.at(-1)
  if (last === undefined) throw new LighthouseError('INTERNAL', 'a contention plan without cases')
  const { agents, ratePerSecond, roundDurationMs } = last
  const { minimumRounds } = request
  run.declare(
    arms.map((arm) => arm.describe()),
    {
      suite: 'contention',
      sizes: {
        agents,
        ratePerSecond,
        rounds: order.length,
        minimumRounds,
        roundDurationMs,
        order,
        cases,
        ...(skippedCases.length === 0 ? {} : { skippedCases }),
      },
    },
  )
}

interface Playing {
  readonly request: ContentionRequest
  readonly outline: ContentionOutline
  readonly run: BegunRun
  readonly arms: readonly StoreArm[]
  readonly events: RunEvents
  readonly signal: AbortSignal
}

class PassPlayer {
  private readonly playing: Playing
  private readonly planner: CasePlanner

  constructor(playing: Playing) {
    this.playing = playing
    this.planner = new CasePlanner(playing.request, playing.outline.durationMs, playing.run)
  }

  async playAll(): Promise<ComparisonOutcome['ended']> {
    const { outline } = this.playing
    const searches = outline.cases.filter(({ searchBoundsMs }) => searchBoundsMs !== undefined)
    const pools = outline.cases.filter(({ poolSize }) => poolSize !== undefined)
    const levels = outline.cases.filter((each) => !searches.includes(each) && !pools.includes(each))
    const steps = [
      () => this.warmUp(),
      () => this.passes(pools),
      () => this.passes(levels),
      ...searches.map((each) => () => this.search(each)),
    ]
    for (const step of steps) {
      const ended = await step()
      if (ended !== 'complete') return ended
    }
    return 'complete'
  }

  private async warmUp(): Promise<ComparisonOutcome['ended']> {
    const { outline, request, arms } = this.playing
    const last = outline.cases.at(-1)
    if (request.warmupMs === 0 || last === undefined) return 'complete'
    return this.play(this.planner.toPlay(last, { warmupMs: request.warmupMs, rounds: 0, order: [] }), last, arms)
  }

  /** One round of every case, then the next of every case. */
  private async passes(cases: readonly CasePlan[]): Promise<ComparisonOutcome['ended']> {
    const { outline, arms } = this.playing
    const most = Math.max(0, ...cases.map(({ rounds }) => rounds))
    for (let pass = 0; pass < most; pass++) {
      for (const each of cases) {
        if (pass >= each.rounds) continue
        const firstRound = each.firstRound + pass
        const order = outline.order.slice(firstRound, firstRound + 1)
        // The time that repeats may take is dealt out over the passes, or the first would use it up.
        const plan = this.planner.toPlay(each, { share: (pass + 1) / most, firstRound, rounds: 1, order })
        const ended = await this.play(plan, each, arms)
        if (ended !== 'complete') return ended
      }
    }
    return 'complete'
  }

  /** Probes rate after rate; see knee.ts for what follows what. */
  private async search(each: CasePlan): Promise<ComparisonOutcome['ended']> {
    const { arms, events } = this.playing
    for (const arm of arms) {
      const boundMs = each.searchBoundsMs?.[arm.label]
      if (boundMs === undefined) continue
      const probes: Probe[] = []
      for (;;) {
        const rate = nextProbeRate(probes, each.ratePerSecond, each.rounds)
        if (rate === null) break
        events.stage(`${arm.label}: probing ${rate.toFixed(0)} writes/s with ${each.agents} writers`)
        const plan: ComparisonPlan = {
          ...this.planner.toPlay({ ...each, ratePerSecond: rate }, { order: [] }),
          rounds: 1,
          firstRound: each.firstRound + probes.length,
          order: [[arm.label]],
          // A probe is never repeated: what does not hold is an answer.
          repeatUntilMs: 0,
        }
        const ended = await this.play(plan, each, [arm], (played) => {
          const outcome = probeOutcome(played.evidence, countedRoundTrip(played), boundMs)
          probes.push({ ratePerSecond: rate, outcome })
        })
        if (ended !== 'complete') return ended
      }
    }
    return 'complete'
  }

  private async play(
    plan: ComparisonPlan,
    each: CasePlan,
    arms: readonly StoreArm[],
    onPlayed: (played: PlayedRound) => void = () => undefined,
  ): Promise<ComparisonOutcome['ended']> {
    const { run, events, signal } = this.playing
    for (const arm of arms) arm.usePool(each.poolSize ?? null)
    const hooks: ComparisonHooks = {
      onWarmup: (store) => {
        if (plan.warmupMs > 0) events.stage(`warming ${store} up`)
      },
      onRoundStart: (store, round, attempt) => events.roundStart(`${store}, ${each.name}`, round, attempt),
      onRound: (played) => {
        onPlayed(played)
        run.keep(played)
      },
    }
    return (await playComparison(plan, arms, hooks, run.clock, signal)).ended
  }

  /** `share` of the planned time may be used for repeats until this part is over. */
}
