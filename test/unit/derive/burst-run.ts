/** A run of bursts made second by second from what a test plants; everything that is not planted is calm. */
import type { RoundInput } from '../../../src/measurement/derive.ts'
import type { CasePlan, LoadPhase, RoundEvidence } from '../../../src/measurement/round-evidence.ts'
import { distributionOf } from '../../../src/statistics/distribution.ts'
import { syntheticRun, type RunOptions } from './synthetic-run.ts'

export const calmPerSecond = 400
const controlRounds = 6

export interface Planted {
  /** What the round trips of a second are multiplied with; 1 for any that is not named. */
  readonly times?: (second: number, round: number) => number
  /** Exchanges of a second that fail. */
  readonly failing?: (second: number, round: number) => number
  /** Waiting at the end of a second. */
  readonly backlog?: (second: number, round: number) => number
  readonly change?: (evidence: RoundEvidence) => RoundEvidence
  /** Planted in this engine's rounds; the candidate's by default. */
  readonly engine?: string
  readonly rounds?: number
  readonly perSecond?: number
  readonly profile?: RunOptions['profile']
  /** Rates of the steps as multiples of the calm one; of several bursts, one list each. */
  readonly bursts?: readonly (readonly number[])[]
  readonly targets?: string
}

/** 3 s before, 2 s for each step, 7 s after. */
export function phasesOf(steps: readonly number[], perSecond = calmPerSecond): LoadPhase[] {
  const phase = (durationMs: number, times: number): LoadPhase => ({
    durationMs,
    agents: 200,
    ratePerSecond: perSecond * times,
  })
  return [phase(3000, 1), ...steps.map((times) => phase(2000, times)), phase(7000, 1)]
}

/** Of 100 exchanges, 98 take 2 ms and two take 4 ms: p50 is 2 ms and p99 is 4 ms, exactly. */
function samplesUs(n: number, times: number): number[] {
  return Array.from({ length: n }, (_, index) => (index % 100 < 98 ? 2000 : 4000) * times)
}

function burstRound(base: RoundInput, phases: readonly LoadPhase[], planted: Planted): RoundInput {
  const { evidence } = base
  const { engine = 'elicitation', times, failing, backlog, change } = planted
  const own = evidence.engine === engine
  const due = phases.flatMap(({ durationMs, ratePerSecond }) =>
    Array.from({ length: durationMs / 1000 }, () => ratePerSecond),
  )
  const failed = due.map((_, second) => (own ? (failing?.(second, evidence.round) ?? 0) : 0))
  const completed = due.map((scheduled, second) => scheduled - (failed[second] ?? 0))
  const blocks = completed.map((n, second) =>
    distributionOf(samplesUs(n, own ? (times?.(second, evidence.round) ?? 1) : 1)),
  )
  const sum = (list: readonly number[]): number => list.reduce((all, each) => all + each, 0)
  const scheduled = sum(due)
  const changed: RoundEvidence = {
    ...evidence,
    durationMs: due.length * 1000,
    counts: { ...evidence.counts, scheduled, completed: sum(completed), refused: sum(failed) },
    audit: { ...evidence.audit, scheduled, sent: scheduled },
    timeline: {
      scheduled: due,
      completed,
      results: completed,
      backlog: due.map((_, second) => (own ? (backlog?.(second, evidence.round) ?? 1) : 1)),
    },
  }
  const histograms = new Map(base.histograms)
  for (const tag of ['delivery', 'roundTrip', 'serviceTime']) histograms.set(tag, blocks)
  return { evidence: own && change !== undefined ? change(changed) : changed, histograms }
}

/** One case per burst, then the control. */
export function burstRun(planted: Planted = {}) {
  const { rounds = 6, bursts = [[10]], perSecond, profile = 'standard', targets } = planted
  const total = bursts.length * rounds + controlRounds
  const given = targets === undefined ? {} : { targets }
  const base = syntheticRun({ rounds: total, perRound: 600, agents: 200, profile, ...given })
  const cases = bursts.map((steps, index): CasePlan => {
    const phases = phasesOf(steps, perSecond)
    return {
      name: `rate-1-${steps.join('-')}-1`,
      agents: 200,
      ratePerSecond: Math.max(...phases.map(({ ratePerSecond }) => ratePerSecond)),
      loadModel: 'open',
      roundDurationMs: phases.reduce((sum, { durationMs }) => sum + durationMs, 0),
      firstRound: index * rounds,
      rounds,
      phases,
    }
  })
  const { ratePerSecond, roundDurationMs } = base.manifest.plan
  const control: CasePlan = {
    ...{ name: 'control', agents: 200, ratePerSecond, loadModel: 'open', roundDurationMs },
    ...{ firstRound: bursts.length * rounds, rounds: controlRounds },
  }
  const plan = { ...base.manifest.plan, minimumRounds: profile === 'smoke' ? 3 : 6, cases: [...cases, control] }
  return {
    ...base,
    manifest: { ...base.manifest, suite: 'burst' as const, plan },
    rounds: base.rounds.map((each) => {
      const phases = cases[Math.floor(each.evidence.round / rounds)]?.phases
      return phases === undefined ? each : burstRound(each, phases, planted)
    }),
  }
}
