/**
 * What many writers did to each store: whether each load was held, what it cost in commits, syncs and bytes, what writes and readers
 * waited for, and by what factor p99 of a write grew with the writers. Definitions: docs/methodology.md, "Contention".
 */
import { mergeDistributions, maximum, quantile, type Distribution } from '../statistics/distribution.ts'
import { oneSided } from '../statistics/judgement.ts'
import { medianBounds, ratiosOf, ratioVerdict, type RatioBounds } from '../statistics/paired-ratio.ts'
import type { FigureReading } from '../statistics/suite-figures.ts'
import { slaCompletedShare, slaP99Ms } from './contention-result.ts'
import type {
  BatchingResult,
  ContentionFactor,
  ContentionResult,
  PoolResult,
  StoreLoadResult,
  WaitResult,
} from './contention-result.ts'
import { contentionFigure } from './contention-figures.ts'
import type { JudgedCase, SuiteResult } from './derive-cases.ts'
import { sumOf } from './derive-engine.ts'
import { msOf, significant, significantHigh, significantLow } from './derive-figures.ts'
import { kneeResult } from './derive-knees.ts'
import type { ArmRounds, ValidRound } from './derive-rounds.ts'
import type { EngineArm, RunManifest } from './round-evidence.ts'

const alpha = 0.025
const levelName = /^writers-\d+$/

export function contentionSuite(manifest: RunManifest, cases: readonly JudgedCase[]): SuiteResult {
  const loads = cases.filter(({ view }) => view.plan.searchBoundsMs === undefined)
  const searches = cases.filter(({ view }) => view.plan.searchBoundsMs !== undefined)
  const contention: ContentionResult = {
    slaMs: slaP99Ms,
    loads: loads.flatMap((each) => each.judged.sorted.arms.map((arm) => loadOf(each, arm))),
    factors: manifest.engines.flatMap(({ label }) => factorsOf(loads, label, alpha)),
    batching: batchingPairs(manifest.engines).flatMap(([off, on]) =>
      loads.flatMap((each) => batchingOf(each, off, on)),
    ),
    pools: loads.flatMap((each) => each.judged.sorted.arms.flatMap((arm) => poolOf(each, arm))),
    saturation: searches.flatMap((each) => manifest.engines.flatMap(({ label }) => kneeResult(each, label))),
  }
  return {
    sections: { contention },
    findings: findings(contention),
    figureOf: (store, path): FigureReading | undefined =>
      contentionFigure(contention, store, path, {
        factors: (name) => factorsOf(loads, store, oneSided, name),
        roundsNeeded: (name) => neededRounds(loads.find(({ view }) => view.plan.name === name)),
      }),
    ledgerOf: 'candidate',
  }
}

/** Valid rounds without which a load says nothing: what a decision needs, where as many were planned. */
function neededRounds(load: JudgedCase | undefined): number {
  return load === undefined ? 1 : Math.min(load.judged.required, load.view.plan.rounds)
}

function roundsOf({ judged }: JudgedCase, label: string): ArmRounds | undefined {
  return judged.sorted.arms.find(({ arm }) => arm.label === label)
}

function heldRound({ evidence: { counts }, series }: ValidRound): boolean {
  const p99Us = quantile(series.roundTrip.whole, 0.99)
  return counts.completed >= slaCompletedShare * counts.scheduled && p99Us !== null && p99Us / 1000 < slaP99Ms
}

function stateOf({ valid, all }: ArmRounds): StoreLoadResult['state'] {
  if (all.length === 0) return 'not played'
  if (valid.length === 0) return 'invalid'
  return valid.every(heldRound) ? 'held' : 'not held'
}

/** Per minute; a write that took longer than the bound was not held, however many there were. */
function writesWithinSla({ series, evidence }: ValidRound): number {
  const { values, counts } = series.roundTrip.whole
  const within = counts.reduce(
    (sum, count, index) => sum + ((values[index] ?? Infinity) <= slaP99Ms * 1000 ? count : 0),
    0,
  )
  return (within * 60_000) / evidence.durationMs
}

function loadOf({ view: { plan } }: JudgedCase, arm: ArmRounds): StoreLoadResult {
  const { valid } = arm
  const evidence = valid.map((round) => round.evidence)
  const total = (name: string): number | null => sumOf(evidence.map(({ engineStats }) => engineStats[name]))
  const seconds = evidence.reduce((sum, each) => sum + each.durationMs + each.drainMs, 0) / 1000
  const perSecond = (value: number | null): number | null =>
    value === null || seconds === 0 ? null : significant(value / seconds)
  const over = (value: number | null, by: number | null): number | null =>
    value === null || by === null || by === 0 ? null : significant(value / by)
  const [commits, rows, checkpoints] = [total('commits'), total('committedRows'), total('checkpoints')]
  return {
    case: plan.name,
    store: arm.arm.label,
    writers: plan.agents,
    rounds: valid.length,
    state: stateOf(arm),
    writesPerMinute: valid.length === 0 ? null : significant(Math.min(...valid.map(writesWithinSla))),
    commitsPerSecond: perSecond(commits),
    rowsPerCommit: over(rows, commits),
    walBytesPerSecond: perSecond(total('walBytesWritten')),
    walBytesMax: largest(evidence.map(({ resources }) => resources.walBytesMax)),
    bytesPerWrite: over(total('writtenBytes'), rows),
    fsyncsPerSecond: perSecond(total('fsyncs')),
    fsyncsBasis: arm.arm.name === 'postgres' ? 'counted' : 'inferred',
    requiredIops: commits === null || checkpoints === null ? null : perSecond(commits + checkpoints),
    checkpoints,
    checkpointStallMs: significant(total('checkpointStallMs')),
    checkpointStallMaxMs: significant(
      largest(evidence.map(({ engineStats }) => engineStats['checkpointStallMaxMs'] ?? null)),
    ),
    lockWait: waitOf(valid, 'lockWait'),
    poolWait: waitOf(valid, 'poolWait'),
    commit: waitOf(valid, 'commit'),
    read: waitOf(valid, 'read'),
  }
}

/** Null without rounds, and where one lacks the figure. */
function largest(figures: readonly (number | null)[]): number | null {
  const known = figures.filter((figure) => figure !== null)
  return known.length === 0 || known.length < figures.length ? null : Math.max(...known)
}

/** Null where a valid round lacks the series. */
function waitOf(valid: readonly ValidRound[], name: string): WaitResult | null {
  const parts = valid.flatMap((round) => round.store.get(name)?.whole ?? [])
  return valid.length === 0 || parts.length < valid.length ? null : waitResult(mergeDistributions(parts))
}

function waitResult(whole: Distribution): WaitResult {
  return {
    n: whole.n,
    p50Ms: msOf(quantile(whole, 0.5)),
    p99Ms: msOf(quantile(whole, 0.99)),
    maxMs: msOf(maximum(whole)),
  }
}

/** Of the levels with more writers than the fewest; `name` asks for one of them. Rounds pair by their place in their level. */
function factorsOf(
  loads: readonly JudgedCase[],
  store: string,
  alphaPerSide: number,
  name: string | null = null,
): ContentionFactor[] {
  const levels = loads
    .filter(({ view }) => levelName.test(view.plan.name))
    .toSorted((a, b) => a.view.plan.agents - b.view.plan.agents)
  const own = levels.filter((each) => roundsOf(each, store) !== undefined)
  const base = own[0]
  if (base === undefined) return []
  return own.slice(1).flatMap((each) => {
    const { plan } = each.view
    if (name !== null && plan.name !== name) return []
    const bounds = pairedBounds(roundsOf(each, store), roundsOf(base, store), alphaPerSide)
    const verdict = ratioVerdict(bounds)
    return [
      {
        store,
        case: plan.name,
        writers: plan.agents,
        baseWriters: base.view.plan.agents,
        ...rounded(bounds),
        verdict: verdict === 'faster' ? 'contended' : verdict === 'slower' ? 'eased' : verdict,
      },
    ]
  })
}

function pairedBounds(above: ArmRounds | undefined, below: ArmRounds | undefined, alphaPerSide: number): RatioBounds {
  const byRound = new Map(below?.valid.map((round) => [round.evidence.round, round.series.roundTrip.whole]))
  const pairs = (above?.valid ?? []).flatMap((round): [Distribution, Distribution][] => {
    const other = byRound.get(round.evidence.round)
    return other === undefined ? [] : [[round.series.roundTrip.whole, other]]
  })
  return medianBounds(ratiosOf(pairs, 0.99), alphaPerSide)
}

function rounded({ ratio, low, high, rounds }: RatioBounds): RatioBounds {
  return { ratio: significant(ratio), low: significantLow(low), high: significantHigh(high), rounds }
}

/** Arms with `batching=off` and the arm that differs from them in nothing else. */
function batchingPairs(engines: readonly EngineArm[]): (readonly [off: EngineArm, on: EngineArm])[] {
  const rest = ({ name, options }: EngineArm): string =>
    JSON.stringify([
      name,
      Object.entries(options)
        .filter(([key]) => key !== 'batching')
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    ])
  return engines.flatMap((off) => {
    if (off.options['batching'] !== 'off') return []
    const on = engines.find((each) => each.options['batching'] !== 'off' && rest(each) === rest(off))
    return on === undefined ? [] : [[off, on] as const]
  })
}

function batchingOf(each: JudgedCase, off: EngineArm, on: EngineArm): BatchingResult[] {
  const [without, withIt] = [roundsOf(each, off.label), roundsOf(each, on.label)]
  if (without === undefined || withIt === undefined || each.view.plan.poolSize !== undefined) return []
  const bounds = pairedBounds(without, withIt, alpha)
  const verdict = ratioVerdict(bounds)
  const commitsPerWrite = ({ valid }: ArmRounds): number | null => {
    const [commits, rows] = ['commits', 'committedRows'].map((name) =>
      sumOf(valid.map(({ evidence }) => evidence.engineStats[name])),
    )
    return commits === null || commits === undefined || !rows ? null : significant(commits / rows)
  }
  return [
    {
      case: each.view.plan.name,
      off: off.label,
      on: on.label,
      ...rounded(bounds),
      verdict: verdict === 'faster' ? 'saves' : verdict === 'slower' ? 'costs' : verdict,
      commitsPerWriteOff: commitsPerWrite(without),
      commitsPerWriteOn: commitsPerWrite(withIt),
    },
  ]
}

function poolOf({ view: { plan } }: JudgedCase, arm: ArmRounds): PoolResult[] {
  const { poolSize } = plan
  if (poolSize === undefined) return []
  const { valid } = arm
  const whole = mergeDistributions(valid.map(({ series }) => series.roundTrip.whole))
  const seconds = Math.max(0, ...valid.map((round) => round.store.get('poolWait')?.blocks.length ?? 0))
  return [
    {
      store: arm.arm.label,
      case: plan.name,
      poolSize,
      writers: plan.agents,
      ratePerSecond: plan.ratePerSecond,
      rounds: valid.length,
      state: stateOf(arm),
      writeP99Ms: msOf(quantile(whole, 0.99)),
      wait: waitOf(valid, 'poolWait'),
      waitP99MsBySecond: Array.from({ length: seconds }, (_, second) => {
        const blocks = valid.flatMap((round) => round.store.get('poolWait')?.blocks[second] ?? [])
        return msOf(quantile(mergeDistributions(blocks), 0.99))
      }),
    },
  ]
}

function findings({ loads, pools }: ContentionResult): string[] {
  const notHeld = loads
    .filter(({ state, case: name }) => state === 'not held' && pools.every((pool) => pool.case !== name))
    .map(
      ({ store, case: name }) =>
        `finding: ${store} did not hold ${name}: fewer than 99.9 % done, or p99 of a write at ${slaP99Ms} ms or more`,
    )
  const stores = [...new Set(pools.map(({ store }) => store))]
  const tooSmall = stores.filter((store) => {
    const own = pools.filter((pool) => pool.store === store)
    return own.every(({ state }) => state === 'not held')
  })
  return [...notHeld, ...tooSmall.map((store) => `finding: no pool of ${store} held its load`)]
}
