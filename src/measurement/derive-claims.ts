/**
 * Says of each claim whether this run SHOWED it, REFUTED it, or did NOT show it, by the rules printed in
 * `docs/methodology.md`. A claim is shown or refuted only by a two-sided 95 % interval that lies wholly inside or
 * wholly outside what it asserts. A run that is INVALID, or lacks the engine, says nothing.
 */
import { minimumPairs } from '../statistics/paired-ratio.ts'
import { proportionBounds } from '../statistics/proportion.ts'
import { quantileInterval } from '../statistics/quantile-interval.ts'
import { quantileOf } from '../statistics/target-expression.ts'
import type { Claim, ClaimTest } from './claims-file.ts'
import { batchingClaim } from './contention-claims.ts'
import type { ContentionResult } from './contention-result.ts'
import { ratioBounds } from './derive-comparison.ts'
import { pollingIntervalMs, sumOf } from './derive-engine.ts'
import { highMs, lowMs, msOf, significant, words } from './derive-figures.ts'
import type { ArmRounds } from './derive-rounds.ts'
import { connectedAgents, type JudgedRun } from './derive-targets.ts'
import { retryClaim } from './recovery-claims.ts'
import type { RecoveryResult } from './recovery-result.ts'
import type { ClaimResult, ClaimVerdict, GrowthResult } from './results-document.ts'

interface Finding {
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
  readonly verdict: ClaimVerdict
  readonly reason: string
}

/** What a suite's own section adds to what claims may be tested on. */
export interface ClaimEvidence {
  /** Of a scaling run, over all its loads. */
  readonly growth?: readonly GrowthResult[]
  readonly contention?: ContentionResult
  readonly recovery?: RecoveryResult
}

export function claimResults(claims: readonly Claim[], run: JudgedRun, evidence: ClaimEvidence = {}): ClaimResult[] {
  return claims.map((claim) => {
    const { id, statement } = claim
    return { id, source: `${claim.document}: "${claim.words}"`, statement, ...find(claim, run, evidence) }
  })
}

function find(claim: Claim, run: JudgedRun, { growth, contention, recovery }: ClaimEvidence): Finding {
  const { test } = claim
  const ofOtherSuite = (): Finding =>
    notShown(`The ${claim.suite} suite would test it; a run of the ${run.manifest.suite} suite does not.`)
  if (test === undefined || (test.kind === 'linearGrowth' && growth === undefined)) return ofOtherSuite()
  if (test.kind === 'batching' && contention === undefined) return ofOtherSuite()
  if (test.kind === 'retryLatency' && recovery === undefined) return ofOtherSuite()
  if (run.invalidReason !== '') return notShown(`${sentence(run.invalidReason)} A valid run would test it.`)
  switch (test.kind) {
    case 'quantile':
      return withArm(test.engine, run, (arm) => quantileClaim(test, arm))
    case 'speedup':
      return withArm('polling', run, (polling) =>
        withArm('elicitation', run, (elicitation) => speedupClaim(test, polling, elicitation)),
      )
    case 'agentLimit':
    case 'agentCapability':
      return withArm(test.engine, run, (arm) => agentClaim(test, arm, run))
    case 'queriesPerPoll':
      return withArm(test.engine, run, queriesClaim)
    case 'batching':
      return contention === undefined ? ofOtherSuite() : batchingClaim(run, contention)
    case 'retryLatency':
      return recovery === undefined
        ? ofOtherSuite()
        : withArm(test.engine, run, ({ arm }) => retryClaim(arm.label, recovery))
    case 'linearGrowth':
      return withArm(test.engine, run, (arm) => growthClaim(test, arm, growth ?? []))
  }
}

/** A bend is ruled out when its whole interval is smaller than this, in percent of the range; as large a one refutes a line. */
const bendGatePercent = 10

function growthClaim(
  test: Extract<ClaimTest, { kind: 'linearGrowth' }>,
  { arm }: ArmRounds,
  growth: readonly GrowthResult[],
): Finding {
  const found = test.metrics.map((metric) => growth.find((each) => each.engine === arm.label && each.metric === metric))
  const [first] = found
  const figures = { value: first?.perAgent ?? null, low: first?.low ?? null, high: first?.high ?? null }
  const reason = `Per agent: ${found.map((each, index) => growthWords(test.metrics[index] ?? '', each)).join('; ')}.`
  const bent = found.some((each) => each?.shape === 'curved' || (each?.high ?? Infinity) <= 0)
  if (bent) return { ...figures, verdict: 'REFUTED', reason }
  const straight = found.every(
    (each) =>
      each?.shape === 'linear' &&
      (each.low ?? 0) > 0 &&
      (each.bendLow ?? -Infinity) > -bendGatePercent &&
      (each.bendHigh ?? Infinity) < bendGatePercent,
  )
  return straight ? { ...figures, verdict: 'SHOWN', reason } : notShown(reason, figures)
}

function growthWords(metric: string, growth: GrowthResult | undefined): string {
  if (growth === undefined || growth.perAgent === null) return `${metric} was not observed`
  const shape =
    growth.shape === 'NOT_DEMONSTRATED' ? growth.reason : `${growth.shape}, bend ${words(growth.bendPercent)} %`
  return `${metric} ${words(growth.perAgent)} (${intervalWords(growth, '')}; ${shape})`
}

function notShown(reason: string, figures: Partial<Finding> = {}): Finding {
  return { value: null, low: null, high: null, ...figures, verdict: 'NOT_SHOWN', reason }
}

/** `polling` is the 1 s loop of the documents; the last `elicitation` is the one that is proposed. */
function withArm(name: 'polling' | 'elicitation', run: JudgedRun, then: (arm: ArmRounds) => Finding): Finding {
  const arm =
    name === 'polling'
      ? run.arms.find((each) => each.arm.name === name && pollingIntervalMs(each.arm) === 1000)
      : run.arms.findLast((each) => each.arm.name === name)
  if (arm === undefined) {
    const what = name === 'polling' ? 'polling engine with an interval of 1 s' : 'elicitation engine'
    return notShown(`The run has no ${what}; a comparison of polling and elicitation would test it.`)
  }
  return arm.valid.length === 0 ? notShown(`${arm.arm.label} has no valid round.`) : then(arm)
}

function quantileClaim(test: Extract<ClaimTest, { kind: 'quantile' }>, arm: ArmRounds): Finding {
  const lowest = test.atLeastMs ?? 0
  const highest = test.atMostMs ?? Infinity
  const range = rangeWords(test)
  const rounds = arm.valid.map((round) => round.series[test.series])
  let first: Finding | undefined
  let allInside = true
  for (const name of test.quantiles) {
    const bounds = quantileInterval(rounds, quantileOf[name])
    const figures = { value: msOf(bounds.value), low: lowMs(bounds.low), high: highMs(bounds.high) }
    const said = `${name} of ${test.series} is ${words(figures.value)} ms (${intervalWords(figures, ' ms')})`
    if ((figures.low !== null && figures.low > highest) || (figures.high !== null && figures.high < lowest)) {
      return { ...figures, verdict: 'REFUTED', reason: `${said}, outside ${range}.` }
    }
    const inside = figures.low !== null && figures.high !== null && figures.low >= lowest && figures.high <= highest
    allInside &&= inside
    const below = test.statedFromMs !== undefined && figures.high !== null && figures.high < test.statedFromMs
    const note = below ? `, faster than the stated ${test.statedFromMs} ms` : ''
    first ??= { ...figures, verdict: 'SHOWN', reason: `${said}, within ${range}${note}.` }
    if (!inside) first = { ...first, reason: `${said}; that neither lies within ${range} nor outside it.` }
  }
  if (first === undefined) return notShown('The claim names no quantile.')
  if (!allInside) return { ...first, verdict: 'NOT_SHOWN' }
  if (test.necessaryOnly !== true) return first
  return {
    ...first,
    verdict: 'NOT_SHOWN',
    reason: `${first.reason} That is necessary for the claim, but does not prove it.`,
  }
}

function rangeWords({ atLeastMs, atMostMs }: Extract<ClaimTest, { kind: 'quantile' }>): string {
  if (atLeastMs === undefined) return `the claim of at most ${atMostMs} ms`
  return atMostMs === undefined
    ? `the claim of at least ${atLeastMs} ms`
    : `the claim of ${atLeastMs} to ${atMostMs} ms`
}

function speedupClaim(
  test: Extract<ClaimTest, { kind: 'speedup' }>,
  polling: ArmRounds,
  elicitation: ArmRounds,
): Finding {
  const { ratio, low, high, rounds } = ratioBounds(polling, elicitation, test.series, test.quantile, 0.025)
  if (ratio === null || low === null || high === null) {
    return notShown(`${rounds} pairs of valid rounds gave a ratio; an interval needs ${minimumPairs}.`)
  }
  const said = `polling takes ${words(ratio)} times as long as elicitation (${test.series} ${test.quantile}, 95 % interval ${words(low)} to ${words(high)})`
  const figures = { value: ratio, low, high }
  if (high < test.atLeast) return { ...figures, verdict: 'REFUTED', reason: `${said}, below ${test.atLeast}.` }
  if (low < test.atLeast)
    return { ...figures, verdict: 'NOT_SHOWN', reason: `${said}, which straddles ${test.atLeast}.` }
  const place =
    high <= test.statedUpTo
      ? `within the claimed ${test.atLeast} to ${test.statedUpTo}`
      : low > test.statedUpTo
        ? `above the claimed ${test.atLeast} to ${test.statedUpTo}`
        : `at least the claimed ${test.atLeast}`
  return { ...figures, verdict: 'SHOWN', reason: `${said}, ${place}.` }
}

/** An error rate below this share counts as served. */
const servedErrorRate = 0.01
/** "About 50 agents" is refuted by serving twice as many, not by serving 51. */
const clearOfLimit = 2

function agentClaim(
  test: Extract<ClaimTest, { kind: 'agentLimit' | 'agentCapability' }>,
  arm: ArmRounds,
  run: JudgedRun,
): Finding {
  const agents = connectedAgents(arm, run.manifest)
  const cells = arm.valid.map(({ evidence: { counts } }) => ({
    hits: counts.refused + counts.timedOut + counts.lost,
    n: counts.scheduled,
  }))
  const errors = proportionBounds(cells, 0.025)
  const served = errors.high !== null && errors.high < servedErrorRate
  const failed = errors.low !== null && errors.low > servedErrorRate
  const figures = { value: agents, low: null, high: null }
  const rate = `${arm.arm.label} with ${agents} agents: error rate ${percent(errors.value)}, 95 % interval ${percent(errors.low)} to ${percent(errors.high)}`
  if (test.kind === 'agentLimit') {
    if (agents !== null && agents >= clearOfLimit * test.agents && served) {
      return {
        ...figures,
        verdict: 'REFUTED',
        reason: `${rate}; that is ${words(agents / test.agents)} times the claimed limit.`,
      }
    }
    return notShown(`${rate}. The scaling suite would find the limit.`, figures)
  }
  if (agents !== null && agents >= test.agents) {
    if (served) return { ...figures, verdict: 'SHOWN', reason: `${rate}.` }
    if (failed) return { ...figures, verdict: 'REFUTED', reason: `${rate}.` }
  }
  return notShown(`${rate}. A run with --agents ${test.agents} or more, or the scaling suite, would test it.`, figures)
}

function queriesClaim(arm: ArmRounds): Finding {
  const ratios: number[] = []
  let queries = 0
  let polls = 0
  for (const { evidence } of arm.valid) {
    const asked = sumOf([evidence.engineStats['databaseQueries']])
    const polled = sumOf([evidence.client['polls']])
    if (asked === null || polled === null || polled === 0) {
      return notShown('Polls and database queries were not both observed in every valid round.')
    }
    ratios.push(asked / polled)
    queries += asked
    polls += polled
  }
  const low = significant(Math.min(...ratios))
  const high = significant(Math.max(...ratios))
  const value = significant(queries / polls)
  const reason = `${queries} database queries for ${polls} polls, ${words(value)} a poll (lowest and highest round ${words(low)} and ${words(high)}).`
  const verdict = ratios.every((ratio) => ratio >= 1)
    ? 'SHOWN'
    : ratios.every((ratio) => ratio < 1)
      ? 'REFUTED'
      : 'NOT_SHOWN'
  return { value, low, high, verdict, reason }
}

function percent(share: number | null): string {
  return share === null ? 'unknown' : `${words(share * 100)} %`
}

function intervalWords({ low, high }: { low: number | null; high: number | null }, unit: string): string {
  return low === null || high === null
    ? '95 % interval open: too few independent samples'
    : `95 % interval ${words(low)} to ${words(high)}${unit}`
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
