/**
 * The contention suite: what do many writers at once do to the event store, embedded and on a server; is the seed's rate held; what is
 * group commit worth; how large a pool of connections is large enough; and where does it end?
 *
 * Workload design. No engine is between: writers append events to the store and readers read them, each reader the inbox of ten
 * writers, so what is measured is the store's own. Open loop with Poisson arrivals drawn from the seed: ten times the writers are
 * ten times the rate. Levels of 10, 50, 100 and 200 writers of ten events a second each, then 50,000 writes a minute, are played in
 * passes: one round of every level, store after store, before the second round of any, so that drift of the machine and growth of the
 * tables fall on all levels alike and a factor between two levels is one of rounds seconds apart. Pools are loaded by writers that commit by
 * themselves, since a group commit needs one connection whatever the pool. The search for the highest rate comes last in time, since it
 * ends in overload. The last level is the one that the decision is about.
 *
 * Why it answers the question. Latency counts from the schedule to the commit, and from the schedule to the reader, so queues are in it.
 * Every write is accounted for on its way to the reader, so a store that is quick because it loses nothing of value but the
 * events is found out. Commits, syncs and bytes are counted by the kernel and the server, not by the writers.
 *
 * What would fool it, and what is done. A store that stalls the thread that writes, and so slows its own load (commits run on threads or in
 * a server; the writers' own CPU and lateness are audited). Another promise (durability stands beside every figure; a throw-away
 * server runs without syncs where SQLite does). A p99 of a few writes (levels last until they hold 1,000 and more). Checkpoints that fall
 * between two short rounds (they are counted, and commits that made one are told apart). Readers that ask more than they are told (a
 * reader looks at most a hundred times a second).
 */
import { heldCase } from '../measurement/contention-figures.ts'
import { slaP99Ms } from '../measurement/contention-result.ts'
import type { CasePlan } from '../measurement/round-evidence.ts'
import { LighthouseError } from '../platform/errors.ts'
import { drawOrder, estimateDiskBytes, type PlannedArm } from './comparison-plan.ts'

export interface ContentionSizes {
  /** Writers of the levels, ascending. */
  readonly writers: readonly number[]
  readonly ratePerWriterPerSecond: number
  /** Of every level and of the held rate. */
  readonly rounds: number
  /** Of the levels that hold 1,000 writes in it; the others last longer where `fullQuantiles` asks for it. */
  readonly roundDurationMs: number
  /** Whether every round has to hold the writes that a p99 of its own needs. */
  readonly fullQuantiles: boolean
  /** Connections of the pools, ascending; none leaves them out. */
  readonly pools: readonly number[]
  readonly poolWriters: number
  readonly poolRounds: number
  readonly poolRoundDurationMs: number
  /** Of the search for the highest rate, at most; 0 leaves it out. */
  readonly probes: number
  readonly probeDurationMs: number
}

export interface ContentionPlan {
  readonly cases: readonly CasePlan[]
  readonly order: readonly (readonly string[])[]
}

type Store = Pick<PlannedArm, 'label' | 'name' | 'options'>

/** 50,000 a minute and 8 % more: of random arrivals at the rate itself, half the rounds would fall short. */
const heldRatePerSecond = 900
/** Writes of a round that has a p99 of its own, and three standard deviations of their number. */
const writesForP99 = 1100
const mostWriters = 10_000
const mostPool = 200

/** Throws USAGE for lists that are not ascending, or out of bounds. */
export function planContention(sizes: ContentionSizes, stores: readonly Store[], seed: string): ContentionPlan {
  checkAscending(sizes.writers, '--writers', 2, mostWriters)
  if (sizes.pools.length > 0) checkAscending(sizes.pools, '--pools', 1, mostPool)
  const batched = stores.filter(({ options }) => options['batching'] !== 'off')
  const main = labelsOf(batched.length === 0 ? stores : batched)
  const all = labelsOf(stores)
  const pooled = labelsOf(batched.filter(({ name }) => name === 'postgres'))
  const cases: CasePlan[] = []
  const order: string[][] = []
  const add = (plan: Omit<CasePlan, 'firstRound' | 'loadModel' | 'engines'>, engines: readonly string[]): void => {
    const firstRound = order.length
    order.push(...drawOrder(engines, plan.rounds, `${seed}/${plan.name}`))
    const apart = engines.length === all.length ? {} : { engines }
    cases.push({ ...plan, loadModel: 'open', firstRound, ...apart })
  }
  const { rounds, ratePerWriterPerSecond: perWriter } = sizes
  const largest = sizes.writers.at(-1) ?? 0
  for (const poolSize of pooled.length === 0 ? [] : sizes.pools) {
    const { poolWriters: agents, poolRounds, poolRoundDurationMs: roundDurationMs } = sizes
    const ratePerSecond = agents * perWriter
    add({ name: `pool-${poolSize}`, agents, ratePerSecond, roundDurationMs, rounds: poolRounds, poolSize }, pooled)
  }
  if (sizes.probes > 0) {
    const searchBoundsMs = Object.fromEntries(main.map((label) => [label, slaP99Ms]))
    const load = { agents: largest, ratePerSecond: largest * perWriter, roundDurationMs: sizes.probeDurationMs }
    add({ name: 'saturation', ...load, rounds: sizes.probes, searchBoundsMs }, main)
  }
  const level = (name: string, agents: number, ratePerSecond: number, engines: readonly string[]): void =>
    add({ name, agents, ratePerSecond, roundDurationMs: durationFor(ratePerSecond, sizes), rounds }, engines)
  for (const [index, writers] of sizes.writers.slice(0, -1).entries()) {
    level(`writers-${writers}`, writers, writers * perWriter, index === 0 ? all : main)
  }
  level(heldCase, largest, heldRatePerSecond, all)
  level(`writers-${largest}`, largest, largest * perWriter, all)
  return { cases, order }
}

function labelsOf(stores: readonly Store[]): string[] {
  return stores.map(({ label }) => label)
}

function durationFor(ratePerSecond: number, { roundDurationMs, fullQuantiles }: ContentionSizes): number {
  const neededMs = fullQuantiles ? Math.ceil(writesForP99 / ratePerSecond) * 1000 : 0
  return Math.max(roundDurationMs, neededMs)
}

function checkAscending(list: readonly number[], flag: string, least: number, most: number): void {
  const fits = list.every(
    (each, index) => Number.isInteger(each) && each >= least && each <= most && each > (list[index - 1] ?? 0),
  )
  if (list.length > 0 && list.length <= 50 && fits) return
  throw new LighthouseError('USAGE', `${flag} ${list.join(',') || '(none)'} is not a list of ascending numbers`, {
    suggestions: [`Give 1 to 50 whole numbers from ${least} to ${most} in ascending order, such as ${flag} 10,50,100.`],
  })
}

/** Around a round: its drain, and what a server needs to make and end the connections of a pool. */
const aroundRoundMs = { sqlite: 200, postgres: 700 } as const
const startUpMs = { sqlite: 600, postgres: 4000 } as const

/** Milliseconds the plan takes when no round is repeated, and the bytes it leaves. */
export function estimateContention(
  { cases }: ContentionPlan,
  stores: readonly Store[],
  warmupMs: number,
): { readonly durationMs: number; readonly diskBytes: number } {
  const kindOf = ({ name }: Store): 'sqlite' | 'postgres' => (name === 'postgres' ? 'postgres' : 'sqlite')
  const part = ({ engines }: CasePlan): readonly Store[] =>
    stores.filter(({ label }) => engines?.includes(label) !== false)
  const once = stores.reduce((sum, store) => sum + startUpMs[kindOf(store)] + warmupMs, 0)
  return {
    durationMs: cases.reduce(
      (sum, each) =>
        sum +
        part(each).reduce((own, store) => own + each.rounds * (each.roundDurationMs + aroundRoundMs[kindOf(store)]), 0),
      once,
    ),
    diskBytes: cases.reduce(
      (sum, each) => sum + 2 * estimateDiskBytes(part(each).length, each.rounds, each.roundDurationMs),
      0,
    ),
  }
}
