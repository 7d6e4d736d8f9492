/**
 * Judges the targets of a run: finds the rounds a target speaks of, takes the one-sided 95 % bounds of its measure,
 * and asks `statistics/judgement.ts`. What the target names and the run did not have (an engine, agents, a rate, a
 * duration, enough valid rounds) makes it NOT_DEMONSTRATED, never met and never missed.
 */
import { backlogGrows } from '../statistics/backlog.ts'
import {
  judgeBounds,
  judgeThroughput,
  noData,
  notDemonstrated,
  oneSided,
  satisfies,
  type Judgement,
  type ThroughputData,
} from '../statistics/judgement.ts'
import { minimumPairs } from '../statistics/paired-ratio.ts'
import { proportionBounds, trialsToShow, type Cell } from '../statistics/proportion.ts'
import { minimumSamples, targetBounds, type RoundSample } from '../statistics/quantile-interval.ts'
import type { FigureReading } from '../statistics/suite-figures.ts'
import {
  boundOf,
  durationOf,
  parseTarget,
  quantileOf,
  type QuantileName,
  type TargetExpression,
} from '../statistics/target-expression.ts'
import { ratioBounds } from './derive-comparison.ts'
import { highMs, lowMs, msOf, significant, significantHigh, significantLow } from './derive-figures.ts'
import type { ArmRounds } from './derive-rounds.ts'
import type { TargetResult } from './results-document.ts'
import type { RunManifest } from './round-evidence.ts'
import { isMandatory, type Target } from './targets-file.ts'

export interface JudgedRun {
  readonly manifest: RunManifest
  readonly arms: readonly ArmRounds[]
  /** Empty, or why the run is INVALID. */
  readonly invalidReason: string
  /** Of the run's suite, if it has figures of its own; undefined for one that the run does not give. */
  readonly figureOf?: (engine: string, path: string) => FigureReading | undefined
}

export function targetResults(targets: readonly Target[], run: JudgedRun): TargetResult[] {
  return targets.map((target) => {
    const expression = parseTarget(target.expression)
    const judged = withRunConditions(judge(expression, run), expression, run)
    return {
      expression: target.expression,
      title: target.title,
      verdict: judged.verdict,
      mandatory: isMandatory(target, run.manifest.profile),
      value: judged.value,
      low: judged.low,
      high: judged.high,
      n: judged.n,
      required: judged.required,
      unit: unitOf(expression),
      reason: judged.reason,
    }
  })
}

function unitOf({ measure }: TargetExpression): string {
  if (measure.kind === 'latency' || measure.kind === 'overhead') return 'ms'
  if (measure.kind === 'figure') return { time: 'ms', bytes: 'B', ratio: 'x', count: '' }[measure.figure.dimension]
  return { errorRate: '', speedup: 'x', throughputPerSecond: '/s', agents: 'agents' }[measure.kind]
}

/** The engine that a subject means: the candidate, the baseline, or the last engine of that name. */
export function armOf(subject: string, arms: readonly ArmRounds[]): ArmRounds | undefined {
  if (subject === 'candidate') return arms.at(-1)
  if (subject === 'baseline') return arms.length > 1 ? arms[0] : undefined
  return arms.findLast((each) => each.arm.name === subject || each.arm.label === subject)
}

function judge(expression: TargetExpression, run: JudgedRun): Judgement {
  const { measure, comparator } = expression
  const bound = boundOf(expression)
  const arm = armOf(expression.subject, run.arms)
  if (arm === undefined) {
    return notDemonstrated(noData, `an engine "${expression.subject}"`, `the run has no engine "${expression.subject}"`)
  }
  switch (measure.kind) {
    case 'latency':
      return judgeLatency(
        arm.valid.map((round) => round.series[measure.series]),
        measure.quantile,
        expression,
        1,
      )
    case 'overhead': {
      const stage = overheadSamples(arm)
      if (stage === null) {
        const reason = `${arm.arm.label} did not record the stage "total" in every valid round`
        return notDemonstrated(noData, 'the stage "total" of every valid round', reason)
      }
      return judgeLatency(stage, measure.quantile, expression, 1000)
    }
    case 'errorRate': {
      const { n, value, low, high } = proportionBounds(failureCells(arm), oneSided)
      const rounded = { n, value: significant(value), low: significantLow(low), high: significantHigh(high) }
      return judgeBounds(rounded, comparator, bound, trialsToShow(bound, oneSided))
    }
    case 'figure': {
      const reading = run.figureOf?.(arm.arm.label, measure.path)
      if (reading === undefined) {
        return notDemonstrated(noData, `the figure ${measure.path}`, `the run gives no figure ${measure.path}`)
      }
      if (reading.reason !== '')
        return notDemonstrated(reading, `${reading.counted} >= ${reading.requiredN}`, reading.reason)
      return judgeBounds(reading, comparator, bound, reading.requiredN, reading.counted)
    }
    case 'throughputPerSecond':
      return throughput(arm, expression, run)
    case 'agents':
      return agents(arm, expression, run)
    case 'speedup': {
      const baseline = armOf('baseline', run.arms)
      if (baseline === undefined) return notDemonstrated(noData, 'a baseline', 'the run has no baseline')
      if (measure.quantile === 'p999') return notDemonstrated(noData, 'p50, p95 or p99', 'no round holds a p99.9')
      const { ratio, low, high, rounds } = ratioBounds(baseline, arm, 'roundTrip', measure.quantile, oneSided)
      const required = `paired rounds >= ${minimumPairs}`
      if (rounds < minimumPairs) {
        const reason = `${rounds} pairs of valid rounds hold enough samples for a ${measure.quantile}; ${minimumPairs} are needed`
        return notDemonstrated({ n: rounds, value: ratio, low, high }, required, reason)
      }
      return judgeBounds({ n: rounds, value: ratio, low, high }, comparator, bound, minimumPairs, 'paired rounds')
    }
  }
}

/** Nanoseconds per exchange in every valid round; null when one lacks them, since that would leave its exchanges out. */
export function overheadSamples(arm: ArmRounds): RoundSample[] | null {
  const stage = arm.valid.flatMap((round) => round.stages.get('total') ?? [])
  return stage.length < arm.valid.length || stage.length === 0 ? null : stage
}

/** Per valid round: `hits` refused, timed out or lost of `n` scheduled. */
export function failureCells(arm: ArmRounds): Cell[] {
  return arm.valid.map(({ evidence: { counts } }) => ({
    hits: counts.refused + counts.timedOut + counts.lost,
    n: counts.scheduled,
  }))
}

/** What the judgement of throughput looks at. */
export function throughputData(arm: ArmRounds, manifest: RunManifest): ThroughputData {
  return {
    rounds: arm.valid.map(({ evidence: { counts } }) => ({ hits: counts.completed, n: counts.scheduled })),
    seconds: arm.valid.reduce((sum, round) => sum + round.evidence.durationMs, 0) / 1000,
    offeredPerSecond: manifest.plan.ratePerSecond,
    backlogGrows: backlogGrows(
      arm.valid.map((round) => round.series.roundTrip),
      manifest.plan.roundDurationMs * 1000,
    ),
  }
}

/** `perUnit` is how many histogram units make a microsecond. */
function judgeLatency(
  rounds: readonly RoundSample[],
  quantile: QuantileName,
  expression: TargetExpression,
  perUnit: number,
): Judgement {
  const q = quantileOf[quantile]
  const { n, value, low, high } = targetBounds(rounds, q, oneSided)
  const us = (edge: number | null): number | null => (edge === null ? null : edge / perUnit)
  const bounds = { n, value: msOf(us(value)), low: lowMs(us(low)), high: highMs(us(high)) }
  return judgeBounds(bounds, expression.comparator, boundOf(expression), minimumSamples(q, oneSided))
}

function throughput(arm: ArmRounds, expression: TargetExpression, { manifest }: JudgedRun): Judgement {
  const { comparator } = expression
  const bound = boundOf(expression)
  if (manifest.plan.loadModel === 'closed') {
    return notDemonstrated(noData, 'an open loop', 'a closed loop offers only what the engine takes')
  }
  const judged = judgeThroughput(throughputData(arm, manifest), comparator, bound)
  const { value, low, high } = judged
  return { ...judged, value: significant(value), low: significantLow(low), high: significantHigh(high) }
}

/** Agents are connected or they are not: no sampling error, and a target above them is not demonstrated, not missed. */
function agents(arm: ArmRounds, expression: TargetExpression, { manifest }: JudgedRun): Judgement {
  const { comparator } = expression
  const bound = boundOf(expression)
  const required = `agents ${comparator} ${bound}`
  const connected = connectedAgents(arm, manifest)
  if (connected === null) return notDemonstrated(noData, required, 'no agent took part in a valid round')
  const bounds = { n: arm.valid.length, value: connected, low: connected, high: connected }
  if (!satisfies(connected, comparator, bound)) {
    return notDemonstrated(bounds, required, `${connected} agents took part; the target names ${bound}`)
  }
  return { ...bounds, verdict: 'MET', required, reason: '' }
}

/** Planned agents, or fewer where a round counted fewer open WebSockets than that. */
export function connectedAgents({ arm, valid }: ArmRounds, manifest: RunManifest): number | null {
  if (valid.length === 0) return null
  if (arm.transport !== 'websocket') return manifest.plan.agents
  const sockets = valid.map((round) => round.evidence.client['openSockets'] ?? manifest.plan.agents)
  return Math.min(manifest.plan.agents, ...sockets)
}

/** Conditions that hold for every target: a valid run, and the duration that the target names. */
function withRunConditions(judged: Judgement, expression: TargetExpression, run: JudgedRun): Judgement {
  if (run.invalidReason !== '') return notDemonstrated(judged, judged.required, run.invalidReason)
  const neededMs = durationOf(expression)
  const arm = armOf(expression.subject, run.arms)
  if (neededMs === null || arm === undefined || judged.verdict === 'NOT_DEMONSTRATED') return judged
  const { measure } = expression
  const figure = measure.kind === 'figure' ? run.figureOf?.(arm.arm.label, measure.path) : undefined
  const measuredMs = figure?.measuredMs ?? arm.valid.reduce((sum, round) => sum + round.evidence.durationMs, 0)
  const required = `${judged.required}, measured for ${durationWords(neededMs)}`
  if (measuredMs >= neededMs) return { ...judged, required }
  const reason = `measured for ${durationWords(measuredMs)}; the target names ${durationWords(neededMs)}`
  return notDemonstrated(judged, required, reason)
}

/** The largest unit that needs no more than one decimal: 48 h, 1.5 min, 1.5 s. */
export function durationWords(ms: number): string {
  for (const [unit, size] of [
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1000],
  ] as const) {
    if (ms >= size && (ms * 10) % size === 0) return `${ms / size} ${unit}`
  }
  return `${significant(ms)} ms`
}
