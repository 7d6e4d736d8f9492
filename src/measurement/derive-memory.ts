/**
 * What a memory run found: slopes per agent and exchange from the readings of its rounds, residues, leaks, and what each engine did when
 * there was too little. The definitions stand in docs/methodology.md, "Memory". Only rounds that count give readings.
 */
import { judgeLeaks } from '../statistics/leak-verdict.ts'
import { fitLine, testLinearity, type Observation } from '../statistics/linear-fit.ts'
import type { FigureReading } from '../statistics/suite-figures.ts'
import type { JudgedCase, SuiteResult } from './derive-cases.ts'
import { significant, significantHigh, significantLow } from './derive-figures.ts'
import {
  cappedKinds,
  deathFindings,
  descriptorsResult,
  floodResult,
  pressureFindings,
  pressureResult,
  slowReaderResult,
} from './derive-pressure.ts'
import { liveBytes, median, readingsOf, type CaseRounds } from './memory-readings.ts'
import { leakSeries } from './memory-result.ts'
import type {
  AgentMemoryResult,
  InFlightResult,
  LeakResult,
  MemoryResult,
  PayloadCopiesResult,
  SlopeResult,
} from './memory-result.ts'
import type { MemoryCasePlan, MemoryReading, RunManifest } from './round-evidence.ts'

/** The longest that an engine keeps what is over, for retries and resumes. */
const retentionMs = 120_000

export function memorySuite({ engines }: RunManifest, cases: readonly JudgedCase[]): SuiteResult {
  const perEngine = engines.map(({ label: engine }) => ({ engine, rounds: roundsOf(cases, engine) }))
  const control = cases.at(-1)?.judged.sorted.arms
  const controlOf = (engine: string) => control?.find(({ arm }) => arm.label === engine)
  const memory: MemoryResult = {
    agents: perEngine.flatMap(({ engine, rounds }) => agentMemory(engine, ofKind(rounds, 'idle'))),
    inFlight: perEngine.flatMap(({ engine, rounds }) => inFlight(engine, rounds)),
    copies: perEngine.flatMap(({ engine, rounds }) => payloadCopies(engine, inFlight(engine, rounds))),
    pressure: perEngine.flatMap(({ rounds }) =>
      cappedKinds.flatMap((kind) => ofKind(rounds, kind).flatMap(pressureResult)),
    ),
    descriptors: perEngine.flatMap(({ rounds }) => ofKind(rounds, 'descriptors').flatMap(descriptorsResult)),
    slowReaders: perEngine.flatMap(({ engine, rounds }) =>
      ofKind(rounds, 'slowReader').flatMap((each) => slowReaderResult(each, controlOf(engine))),
    ),
    flood: perEngine.flatMap(({ engine, rounds }) =>
      ofKind(rounds, 'flood').flatMap((each) => floodResult(each, controlOf(engine))),
    ),
    leaks: perEngine.flatMap(({ engine, rounds }) =>
      ofKind(rounds, 'sustained').flatMap((each) => leaksOf(engine, each)),
    ),
  }
  return {
    sections: { memory },
    findings: [
      ...perEngine.flatMap(({ rounds }) => deathFindings(rounds)),
      ...pressureFindings(memory),
      ...leakFindings(memory.leaks),
    ],
    figureOf: (engine, path) => figureOf(memory, roundsOf(cases, engine), engine, path),
    ledgerOf: 'candidate',
  }
}

function roundsOf(cases: readonly JudgedCase[], engine: string): CaseRounds[] {
  return cases.flatMap(({ view, judged }) => {
    const { name, agents, ratePerSecond, memory } = view.plan
    const arm = judged.sorted.arms.find((each) => each.arm.label === engine)
    return memory === undefined || arm === undefined ? [] : [{ name, agents, ratePerSecond, memory, arm }]
  })
}

function ofKind(rounds: readonly CaseRounds[], kind: MemoryCasePlan['kind']): CaseRounds[] {
  return rounds.filter(({ memory }) => memory.kind === kind)
}

const residentBytes = ({ rssBytes }: MemoryReading): number => rssBytes

/** Against the reading of the same process before the agents came, so that what differs between processes counts to nobody. */
function agentMemory(engine: string, cases: readonly CaseRounds[]): AgentMemoryResult[] {
  if (cases.length === 0) return []
  const increase = (moment: 'idle' | 'after', bytes: (reading: MemoryReading) => number): Observation[] =>
    cases.flatMap(({ agents, arm }) =>
      arm.valid.flatMap((round) => {
        const before = readingsOf(round, 'before')[0]
        const then = median(readingsOf(round, moment).map(bytes))
        return before === undefined || then === null ? [] : [{ x: agents, y: then - bytes(before) }]
      }),
    )
  const before = cases.flatMap(({ arm }) => arm.valid.flatMap((round) => readingsOf(round, 'before')))
  return [
    {
      engine,
      baseLiveBytes: median(before.map(liveBytes)),
      baseRssBytes: median(before.map(residentBytes)),
      idleLiveBytes: slopeOf(increase('idle', liveBytes)),
      idleRssBytes: slopeOf(increase('idle', residentBytes)),
      residueLiveBytes: slopeOf(increase('after', liveBytes)),
    },
  ]
}

/** The load that measures the need of the heap holds exchanges in the same way. */
function inFlight(engine: string, rounds: readonly CaseRounds[]): InFlightResult[] {
  const held = rounds.filter(({ memory }) => memory.kind === 'inFlight' || memory.kind === 'heapNeed')
  const byPayload = Map.groupBy(held, ({ memory }) => memory.payloadBytes)
  return [...byPayload].map(([payloadBytes, cases]) => {
    const points = cases.flatMap(({ arm }) =>
      arm.valid.flatMap((round) =>
        readingsOf(round, 'during').map((reading) => ({ x: reading.openExchanges, y: liveBytes(reading) })),
      ),
    )
    return { engine, payloadBytes, liveBytes: slopeOf(points), mostOpen: Math.max(0, ...points.map(({ x }) => x)) }
  })
}

function payloadCopies(engine: string, costs: readonly InFlightResult[]): PayloadCopiesResult[] {
  const points = costs.flatMap(({ payloadBytes, liveBytes: { value } }) =>
    value === null ? [] : [{ x: payloadBytes, y: value }],
  )
  const fit = fitLine(points)
  if (fit.status !== 'FITTED') return []
  const { slope, intercept } = fit
  return [
    {
      engine,
      overheadBytes: significant(intercept.value),
      copies: significant(slope.value),
      payloads: points.length,
    },
  ]
}

function slopeOf(points: readonly Observation[]): SlopeResult {
  const fit = fitLine(points)
  const shape = testLinearity(points)
  const slope = fit.status === 'FITTED' ? fit.slope : null
  return {
    value: significant(slope?.value ?? null),
    low: significantLow(slope?.low ?? null),
    high: significantHigh(slope?.high ?? null),
    n: points.length,
    shape: shape.verdict,
    bendPercent: shape.verdict === 'NOT_DEMONSTRATED' ? null : significant(shape.bendPercent.value),
    reason: fit.status === 'FITTED' ? (shape.verdict === 'NOT_DEMONSTRATED' ? shape.reason : '') : fit.reason,
  }
}

/** Of one round alone: two processes have two histories. */
function leaksOf(engine: string, { arm, ratePerSecond }: CaseRounds): LeakResult[] {
  const readings = arm.valid[0] === undefined ? [] : readingsOf(arm.valid[0], 'during')
  const series = leakSeries.map((name) => ({
    name,
    samples: readings.map((reading) => ({ timeMs: reading.atMs, bytes: reading[name] })),
  }))
  const judged = judgeLeaks(series, {
    longestTtlMs: retentionMs,
    loadStartMs: 0,
    operationsPerHour: ratePerSecond * 3600,
  })
  return judged.map((each, index) => ({
    engine,
    series: leakSeries[index] ?? 'rssBytes',
    verdict: each.verdict,
    reason: each.reason,
    readings: readings.length,
    bytesPerHour: significant(each.slopeBytesPerHour),
    lowBytesPerHour: significantLow(finite(each.lowBytesPerHour)),
    highBytesPerHour: significantHigh(finite(each.highBytesPerHour)),
    minimumDetectableBytesPerHour: significant(each.minimumDetectableBytesPerHour),
  }))
}

function finite(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null
}

function leakFindings(leaks: readonly LeakResult[]): string[] {
  return leaks.flatMap(({ engine, series, verdict, reason }) =>
    verdict === 'NOT_MET' ? [`finding: ${engine} under sustained load, ${series}: ${reason}`] : [],
  )
}

/** `memory.idleBytes` and the like; see suite-figures.ts. */
function figureOf(
  memory: MemoryResult,
  rounds: readonly CaseRounds[],
  engine: string,
  path: string,
): FigureReading | undefined {
  const name = path.split('.').slice(1).join('.')
  const agents = memory.agents.find((each) => each.engine === engine)
  switch (name) {
    case 'idleBytes':
      return slopeReading(agents?.idleLiveBytes)
    case 'idleRssBytes':
      return slopeReading(agents?.idleRssBytes)
    case 'residueBytes':
      return slopeReading(agents?.residueLiveBytes)
    case 'lostUnderPressure':
    case 'diedWithoutShedding':
      return pressureReading(memory, rounds, engine, name)
    default:
      return undefined
  }
}

/** Three points are the fewest that leave a degree of freedom for an interval. */
const fewestPoints = 3

/** Memory below none is noise: what an agent takes is not less than 0. */
function slopeReading(slope: SlopeResult | undefined): FigureReading {
  const atLeastNone = (value: number | null): number | null => (value === null ? null : Math.max(0, value))
  return {
    n: slope?.n ?? 0,
    requiredN: fewestPoints,
    counted: 'readings',
    value: atLeastNone(slope?.value ?? null),
    low: atLeastNone(slope?.low ?? null),
    high: atLeastNone(slope?.high ?? null),
    reason: slope === undefined || slope.value === null ? (slope?.reason ?? 'no agents were left idle') : '',
  }
}

const underPressure: readonly MemoryCasePlan['kind'][] = [
  'heapNeed',
  ...cappedKinds,
  'descriptors',
  'slowReader',
  'flood',
]

function pressureReading(
  memory: MemoryResult,
  rounds: readonly CaseRounds[],
  engine: string,
  name: 'lostUnderPressure' | 'diedWithoutShedding',
): FigureReading {
  const lost = name === 'lostUnderPressure'
  const own = rounds.filter((each) =>
    lost ? underPressure.includes(each.memory.kind) : cappedKinds.includes(each.memory.kind),
  )
  const valid = own.flatMap(({ arm }) => arm.valid)
  const died = memory.pressure.filter(
    (each) => each.engine === engine && (each.state === 'died' || each.state === 'died at start'),
  )
  const value = lost ? valid.reduce((sum, { evidence }) => sum + evidence.counts.lost, 0) : died.length
  const reading = { n: valid.length, requiredN: Math.max(1, own.length), counted: 'rounds under pressure' }
  if (valid.length < reading.requiredN) {
    const reason =
      own.length === 0
        ? 'no engine was put under pressure'
        : `${valid.length} of ${own.length} rounds under pressure count`
    return { ...reading, value: null, low: null, high: null, reason }
  }
  return { ...reading, value, low: value, high: value, reason: '' }
}
