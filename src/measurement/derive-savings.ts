/**
 * What an option of the candidate's engine saves: each other arm of the same engine against the candidate, round by
 * round, on service time (latency without the wait for a send) and on the engine's CPU per exchange. An option that
 * saves nothing says so. Method and verdict are those of the paired ratios (`statistics/paired-ratio.ts`).
 */
import { medianBounds, ratioVerdict, ratiosOf, type RatioBounds } from '../statistics/paired-ratio.ts'
import { significant, significantHigh, significantLow } from './derive-figures.ts'
import type { ArmRounds, ValidRound } from './derive-rounds.ts'
import type { SavingResult } from './results-document.ts'

const alpha = 0.025

export function savings(arms: readonly ArmRounds[]): SavingResult[] {
  const candidate = arms.at(-1)
  if (candidate === undefined) return []
  const siblings = arms.slice(0, -1).filter(({ arm }) => arm.name === candidate.arm.name)
  return siblings.flatMap((sibling) => {
    const pairs = pairsOf(sibling, candidate)
    const service = (q: number): number[] =>
      ratiosOf(
        pairs.map(([one, other]) => [one.series.serviceTime.whole, other.series.serviceTime.whole] as const),
        q,
      )
    return [
      saving(sibling, candidate, 'serviceTimeP50', medianBounds(service(0.5), alpha)),
      saving(sibling, candidate, 'serviceTimeP99', medianBounds(service(0.99), alpha)),
      saving(sibling, candidate, 'cpuUsPerExchange', medianBounds(cpuRatios(pairs), alpha)),
    ]
  })
}

type Pair = readonly [sibling: ValidRound, candidate: ValidRound]

function pairsOf(sibling: ArmRounds, candidate: ArmRounds): Pair[] {
  const byRound = new Map(candidate.valid.map((round) => [round.evidence.round, round]))
  return sibling.valid.flatMap((round): Pair[] => {
    const other = byRound.get(round.evidence.round)
    return other === undefined ? [] : [[round, other]]
  })
}

function cpuRatios(pairs: readonly Pair[]): number[] {
  return pairs.flatMap(([sibling, candidate]) => {
    const above = cpuPerExchange(sibling)
    const below = cpuPerExchange(candidate)
    return above === null || below === null || below === 0 ? [] : [above / below]
  })
}

function cpuPerExchange({ evidence }: ValidRound): number | null {
  const { cpuUs } = evidence.resources
  return cpuUs === null || evidence.counts.completed === 0 ? null : cpuUs / evidence.counts.completed
}

function saving(
  sibling: ArmRounds,
  candidate: ArmRounds,
  metric: SavingResult['metric'],
  bounds: RatioBounds,
): SavingResult {
  const verdict = ratioVerdict(bounds)
  return {
    arm: sibling.arm.label,
    against: candidate.arm.label,
    metric,
    ratio: significant(bounds.ratio),
    low: significantLow(bounds.low),
    high: significantHigh(bounds.high),
    rounds: bounds.rounds,
    verdict: verdict === 'faster' ? 'saves' : verdict === 'slower' ? 'costs' : verdict,
  }
}
