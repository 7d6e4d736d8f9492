/** What is published of the load generator: the worst reading of any valid round, so that a good round hides no bad one. */
import { quantile } from '../statistics/distribution.ts'
import { significant } from './derive-figures.ts'
import type { SortedRounds } from './derive-rounds.ts'
import type { GeneratorResult } from './results-document.ts'

export function generatorOf(sorted: SortedRounds, invalidReason: string): GeneratorResult {
  const valid = sorted.arms.flatMap((arm) => arm.valid)
  const audits = valid.map((round) => round.evidence.audit)
  const most = (figures: readonly number[]): number | null =>
    figures.length === 0 ? null : significant(Math.max(...figures))
  const lateness = valid.flatMap((round) => {
    const us = quantile(round.lateness, 0.99)
    return us === null ? [] : [us / 1000]
  })
  const repeated = sorted.invalid.length
  return {
    valid: invalidReason === '',
    reasons: [
      ...(invalidReason === '' ? [] : [invalidReason]),
      ...(repeated === 0
        ? []
        : [`${repeated} round${repeated === 1 ? '' : 's'} did not count; each is listed with its reason`]),
    ],
    achievedRatio:
      audits.length === 0 ? null : significant(Math.min(...audits.map((each) => each.sent / each.scheduled))),
    latenessP99Ms: most(lateness.length === 0 ? audits.map((each) => each.latenessP99Ms) : lateness),
    eventLoopP99Ms: most(audits.map((each) => each.eventLoopP99Ms)),
    cpuPercent: most(audits.map((each) => each.cpuPercent)),
  }
}
