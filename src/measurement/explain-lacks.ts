/**
 * What a run did not have that a target names, whether more rounds like its own bring it, and the command that would. The
 * judge gives one reason for NOT_DEMONSTRATED, the first that it meets; here every condition is looked at, so
 * that nobody brings the agents only to learn of the rate.
 */
import { completedShare, oneSided, satisfies } from '../statistics/judgement.ts'
import { minimumPairs } from '../statistics/paired-ratio.ts'
import { trialsToShow } from '../statistics/proportion.ts'
import { minimumSamples } from '../statistics/quantile-interval.ts'
import { boundOf, durationOf, quantileOf, type TargetExpression } from '../statistics/target-expression.ts'
import { words } from './derive-figures.ts'
import type { ArmRounds } from './derive-rounds.ts'
import {
  armOf,
  connectedAgents,
  durationWords,
  overheadSamples,
  throughputData,
  type JudgedRun,
} from './derive-targets.ts'
import type { Lack } from './explanation-document.ts'
import type { TargetResult } from './results-document.ts'

/** Empty unless the verdict is NOT_DEMONSTRATED, and never empty then. */
export function lacksOf(expression: TargetExpression, judged: TargetResult, run: JudgedRun): Lack[] {
  if (judged.verdict !== 'NOT_DEMONSTRATED') return []
  const lacks = [...runLacks(run), ...measureLacks(expression, run), ...durationLacks(expression, run)]
  if (lacks.length > 0) return lacks
  return [{ kind: 'other', what: judged.reason, moreRoundsHelp: false, remedy: 'a run that records it' }]
}

function runLacks({ manifest, arms, invalidReason }: JudgedRun): Lack[] {
  if (invalidReason === '') return []
  const played = Math.min(...arms.map(({ all }) => new Set(all.map(({ round }) => round)).size))
  const without = arms.filter(({ valid }) => valid.length === 0).map(({ arm }) => arm.label)
  const planned = manifest.plan.rounds
  const idle = 'a machine that is otherwise idle, or a smaller load where the generator itself could not keep up'
  const allValid = arms.every(({ valid }) => valid.length === planned)
  const remedy = allValid ? 'more rounds' : played < planned ? 'a run that is not cut short' : idle
  const lack: Lack = { kind: 'validRounds', what: invalidReason, moreRoundsHelp: without.length === 0, remedy }
  return without.length === 0 ? [lack] : [{ ...lack, what: `${invalidReason}, none of ${without.join(' and ')}` }]
}

function measureLacks(expression: TargetExpression, run: JudgedRun): Lack[] {
  const { measure } = expression
  const arm = armOf(expression.subject, run.arms)
  if (measure.kind === 'speedup') return speedupLacks(run, quantileOf[measure.quantile])
  if (arm === undefined) {
    return expression.subject === 'baseline'
      ? [never('baseline', 'the run has no baseline', 'a run of at least two engines')]
      : [never('engine', `the run has no engine "${expression.subject}"`, 'a run of that engine')]
  }
  switch (measure.kind) {
    case 'latency':
      return sampleLacks(
        arm.valid.reduce((sum, { series }) => sum + series[measure.series].whole.n, 0),
        minimumSamples(quantileOf[measure.quantile], oneSided),
      )
    case 'overhead': {
      const stage = overheadSamples(arm)
      if (stage !== null) {
        const needed = minimumSamples(quantileOf[measure.quantile], oneSided)
        return sampleLacks(
          stage.reduce((sum, { whole }) => sum + whole.n, 0),
          needed,
        )
      }
      if (arm.valid.length === 0) return []
      const what = `${arm.arm.label} did not record the stage "total" in every valid round`
      return [never('stage', what, 'an engine that times its own stages')]
    }
    case 'errorRate':
      return sampleLacks(scheduledIn(arm), trialsToShow(boundOf(expression), oneSided))
    case 'throughputPerSecond':
      return throughputLacks(expression, arm, run)
    case 'agents': {
      const connected = connectedAgents(arm, run.manifest)
      if (connected === null || satisfies(connected, expression.comparator, boundOf(expression))) return []
      const needed = `${expression.comparator} ${words(boundOf(expression))}`
      return [never('agents', `${connected} agents took part; the target names ${needed}`, 'a run with as many agents')]
    }
    default:
      return []
  }
}

function speedupLacks({ arms }: JudgedRun, q: number): Lack[] {
  const baseline = armOf('baseline', arms)
  const candidate = armOf('candidate', arms)
  if (baseline === undefined || candidate === undefined) {
    return [never('baseline', 'the run has no baseline', 'a run of at least two engines')]
  }
  const needed = Math.ceil(10 / (1 - q) - 1e-6)
  const large = ({ valid }: ArmRounds): Set<number> =>
    new Set(valid.filter(({ series }) => series.roundTrip.whole.n >= needed).map(({ evidence }) => evidence.round))
  const ofCandidate = large(candidate)
  const both = [...large(baseline)].filter((round) => ofCandidate.has(round)).length
  if (both >= minimumPairs) return []
  if (both === 0 && baseline.valid.length > 0 && candidate.valid.length > 0) {
    const what = `no round holds the ${needed} samples on both engines that its own quantile needs`
    return [never('samplesPerRound', what, 'longer rounds or a higher rate')]
  }
  const what = `${both} rounds are valid on both engines and hold ${needed} samples; ${minimumPairs} are needed`
  return [{ kind: 'samples', what, moreRoundsHelp: both > 0, remedy: 'more rounds' }]
}

function throughputLacks(expression: TargetExpression, arm: ArmRounds, { manifest }: JudgedRun): Lack[] {
  if (manifest.plan.loadModel === 'closed') {
    const what = 'the load was a closed loop, which offers only what the engine takes'
    return [never('openLoop', what, 'a run in an open loop')]
  }
  const bound = boundOf(expression)
  const lacks: Lack[] = []
  const { offeredPerSecond, backlogGrows } = throughputData(arm, manifest)
  if (!satisfies(offeredPerSecond, expression.comparator, bound)) {
    const what = `${words(offeredPerSecond)}/s were offered; the target names ${expression.comparator} ${words(bound)}/s`
    lacks.push(never('rate', what, 'a run at that rate'))
  }
  if (backlogGrows === null && arm.valid.length > 0) {
    const what = 'the rounds are too short to see whether the backlog grows'
    lacks.push(never('roundLength', what, 'rounds of at least 2 s'))
  }
  return [...lacks, ...sampleLacks(scheduledIn(arm), trialsToShow(1 - completedShare, oneSided))]
}

function durationLacks(expression: TargetExpression, { arms }: JudgedRun): Lack[] {
  const neededMs = durationOf(expression)
  const arm = armOf(expression.subject, arms)
  if (neededMs === null || arm === undefined) return []
  const measuredMs = arm.valid.reduce((sum, { evidence }) => sum + evidence.durationMs, 0)
  if (measuredMs >= neededMs) return []
  const what = `${durationWords(measuredMs)} were measured; the target names ${durationWords(neededMs)}`
  return [{ kind: 'duration', what, moreRoundsHelp: true, remedy: 'more or longer rounds' }]
}

function sampleLacks(n: number, needed: number): Lack[] {
  if (n >= needed) return []
  if (!Number.isFinite(needed)) return [never('samples', 'no number of samples can show this bar', 'another bar')]
  const what = `${n} samples were counted; a one-sided 95 % bound needs ${needed}`
  return [{ kind: 'samples', what, moreRoundsHelp: true, remedy: 'more rounds, longer rounds or a higher rate' }]
}

function scheduledIn({ valid }: ArmRounds): number {
  return valid.reduce((sum, { evidence }) => sum + evidence.counts.scheduled, 0)
}

function never(kind: Lack['kind'], what: string, remedy: string): Lack {
  return { kind, what, moreRoundsHelp: false, remedy }
}
