/** What many writers did to each store: loads held, what they cost, what was waited for, factors, batching, pools and highest rates. */
import type {
  BatchingResult,
  ContentionFactor,
  ContentionResult,
  PoolResult,
  StoreLoadResult,
  WaitResult,
} from '../measurement/contention-result.ts'
import type { CaseResult, ResultsDocument } from '../measurement/results-document.ts'
import { amount, bytes, count, duration, factor, factorInterval, perSecond, unknown } from './numbers.ts'
import type { Cell, Line, Section, Tone } from './report-model.ts'

const stateTones: Readonly<Record<StoreLoadResult['state'], Tone>> = {
  held: 'good',
  'not held': 'bad',
  invalid: 'doubt',
  'not played': 'plain',
}

const verdictTones: Readonly<Record<ContentionFactor['verdict'] | BatchingResult['verdict'], Tone>> = {
  contended: 'bad',
  eased: 'good',
  saves: 'good',
  costs: 'bad',
  '~': 'plain',
  NOT_DEMONSTRATED: 'doubt',
}

export function contentionSections({ contention, cases }: ResultsDocument): Section[] {
  if (contention === undefined) return []
  const loads = contention.loads.filter(({ case: name }) => contention.pools.every((pool) => pool.case !== name))
  return [
    loadSection(loads, cases ?? [], contention.slaMs),
    costSection(loads),
    waitSection(loads),
    factorSection(contention),
    poolSection(contention.pools),
    saturationSection(contention),
  ].filter((section) => section.table !== undefined && section.table.rows.length > 0)
}

function loadSection(loads: readonly StoreLoadResult[], cases: readonly CaseResult[], slaMs: number): Section {
  const rows = loads.map((load): Cell[] => {
    const played = cases.find(({ name }) => name === load.case)
    const store = played?.engines.find(({ label }) => label === load.store)
    return [
      { text: load.case, detail: `${count(load.writers)} writers, ${perSecond(played?.ratePerSecond)}` },
      { text: load.store },
      { text: duration(store?.roundTrip.p50Ms) },
      { text: duration(store?.roundTrip.p99Ms) },
      { text: duration(store?.delivery.p50Ms) },
      { text: duration(store?.delivery.p99Ms) },
      { text: count(load.writesPerMinute) },
      { text: load.state, tone: stateTones[load.state] },
    ]
  })
  return {
    title: 'Writers',
    table: {
      head: ['load', 'store', 'write p50', 'p99', 'until read p50', 'p99', 'writes a minute', ''],
      rows,
    },
    lines: [
      {
        text: `A write counts from its schedule to its commit, and to its reader. Held means that in every valid round 99.9 % were committed and read and p99 of a write stayed below ${duration(slaMs)}; writes a minute are those committed within that time, in the round that had the fewest.`,
      },
      {
        text: 'Below, an engine is a store: its round trip is schedule to commit, its service time hand-over to commit, its delivery schedule to reader.',
      },
    ],
  }
}

function costSection(loads: readonly StoreLoadResult[]): Section {
  return {
    title: 'What writes cost',
    table: {
      head: [
        'load',
        'store',
        'commits',
        'rows each',
        'syncs',
        'IOPS under fsync',
        'log',
        'bytes per write',
        'checkpoints',
      ],
      rows: loads.map((load): Cell[] => [
        { text: load.case },
        { text: load.store },
        { text: perSecond(load.commitsPerSecond) },
        { text: amount(load.rowsPerCommit) },
        {
          text: perSecond(load.fsyncsPerSecond),
          ...(load.fsyncsPerSecond !== null && load.fsyncsBasis === 'inferred' ? { detail: 'inferred' } : {}),
        },
        { text: perSecond(load.requiredIops) },
        {
          text: load.walBytesPerSecond === null ? unknown : `${bytes(load.walBytesPerSecond)}/s`,
          ...(load.walBytesMax === null ? {} : { detail: `file up to ${bytes(load.walBytesMax)}` }),
        },
        { text: bytes(load.bytesPerWrite) },
        { text: count(load.checkpoints) },
      ]),
    },
    lines: [
      {
        text: 'Syncs of a server are its own count; those of SQLite are inferred: one per commit under durability fsync, and three per checkpoint. IOPS under fsync are commits and checkpoints.',
      },
    ],
  }
}

function waitSection(loads: readonly StoreLoadResult[]): Section {
  return {
    title: 'What is waited for',
    table: {
      head: [
        'load',
        'store',
        'write lock p99',
        'connection p99',
        'commit p99',
        'read p99',
        'checkpoint stall, longest',
      ],
      rows: loads.map((load): Cell[] => [
        { text: load.case },
        { text: load.store },
        waitCell(load.lockWait),
        waitCell(load.poolWait),
        waitCell(load.commit),
        waitCell(load.read),
        stallCell(load),
      ]),
    },
    lines: [
      { text: 'A checkpoint stall is a commit that had to make a checkpoint; a server makes them beside its commits.' },
    ],
  }
}

function waitCell(wait: WaitResult | null): Cell {
  return wait === null ? { text: unknown } : { text: duration(wait.p99Ms), detail: `most ${duration(wait.maxMs)}` }
}

function stallCell({ checkpoints, checkpointStallMaxMs, checkpointStallMs }: StoreLoadResult): Cell {
  if (checkpointStallMaxMs === null) return { text: unknown }
  if (checkpoints === 0) return { text: 'none' }
  return { text: duration(checkpointStallMaxMs), detail: `${duration(checkpointStallMs)} in all` }
}

function factorSection({ factors, batching }: ContentionResult): Section {
  return {
    title: 'Contention',
    table: {
      head: ['what', 'store', 'p99 of a write', 'rounds', ''],
      rows: [
        ...factors.map((each): Cell[] => [
          { text: `${count(each.writers)} writers against ${count(each.baseWriters)}` },
          { text: each.store },
          ...ratioCells(each),
        ]),
        ...batching.map((each): Cell[] => [
          {
            text: `without batching against with it, ${each.case}`,
            detail: `${amount(each.commitsPerWriteOff)} against ${amount(each.commitsPerWriteOn)} commits per write`,
          },
          { text: each.on },
          ...ratioCells(each),
        ]),
      ],
    },
    lines: [
      {
        text: 'The median of the ratios per pair of rounds with its 95 % interval; a round needs 1,000 writes for a p99 of its own.',
      },
    ],
  }
}

function ratioCells(each: ContentionFactor | BatchingResult): Cell[] {
  const interval = [each.low, each.high] as const
  const detail = factorInterval(each.ratio, interval)
  return [
    { text: factor(each.ratio, interval), ...(detail === '' ? {} : { detail }) },
    { text: count(each.rounds) },
    {
      text: each.verdict === 'NOT_DEMONSTRATED' ? 'not demonstrated' : each.verdict,
      tone: verdictTones[each.verdict],
    },
  ]
}

function poolSection(pools: readonly PoolResult[]): Section {
  return {
    title: 'Connection pools',
    table: {
      head: [
        'connections',
        'store',
        'load',
        'write p99',
        'wait for a connection p50',
        'p99',
        'p99 second by second',
        '',
      ],
      rows: pools.map((pool): Cell[] => [
        { text: count(pool.poolSize) },
        { text: pool.store },
        { text: `${count(pool.writers)} writers, ${perSecond(pool.ratePerSecond)}` },
        { text: duration(pool.writeP99Ms) },
        { text: duration(pool.wait?.p50Ms) },
        { text: duration(pool.wait?.p99Ms) },
        {
          text: pool.waitP99MsBySecond
            .slice(0, 10)
            .map((each) => duration(each))
            .join(', '),
        },
        { text: pool.state, tone: stateTones[pool.state] },
      ]),
    },
    lines: smallestLines(pools),
  }
}

function smallestLines(pools: readonly PoolResult[]): Line[] {
  const stores = [...new Set(pools.map(({ store }) => store))]
  return [
    { text: 'Every writer commits by itself, and readers take connections from the same pool.' },
    ...stores.map((store): Line => {
      const own = pools.filter((pool) => pool.store === store)
      const first = own.find(({ state }) => state !== 'not held')
      if (first?.state === 'held')
        return { text: `The smallest pool of ${store} that held its load has ${count(first.poolSize)} connections.` }
      const why = first === undefined ? 'no pool held its load' : `${first.case} has no round that counts`
      return { text: `The smallest pool of ${store} that holds its load is not known: ${why}.`, tone: 'doubt' }
    }),
  ]
}

function saturationSection({ saturation }: ContentionResult): Section {
  return {
    title: 'Highest rates',
    table: {
      head: ['store', 'writers', 'highest rate held', 'ended by', 'probes'],
      rows: saturation.map((knee): Cell[] => [
        { text: knee.engine },
        { text: count(knee.agents) },
        knee.ratePerSecond === null
          ? { text: 'no rate held', tone: 'bad' }
          : { text: perSecond(knee.ratePerSecond), detail: `p99 < ${duration(knee.boundMs)}` },
        {
          text: knee.limit === 'not reached' ? 'nothing: no probe failed' : `its ${knee.limit}`,
          tone: knee.limit === 'generator' ? 'doubt' : 'plain',
        },
        { text: count(knee.probes) },
      ]),
    },
    lines: [
      { text: 'Ended by its generator means that the writers or the shared machine gave out before the store did.' },
    ],
  }
}
