/**
 * What faults did to the engines of a recovery run, from the timeline, the marks and the histograms of its rounds.
 *
 * Times follow the definitions of docs/methodology.md, "Recovery": detection counts from the injection, everything else from the
 * healing. An engine is back at full throughput with the first of several consecutive seconds as good as those before the fault
 * (as-good-as-before.ts). What retries make of chains of questions is told of the chains that began while the fault lasted, beside those
 * whose callers were done before it.
 */
import { mergeDistributions, quantile } from '../statistics/distribution.ts'
import type { FigureReading } from '../statistics/suite-figures.ts'
import { firstRun, isAsGood, referenceOf, windowsFor } from './as-good-as-before.ts'
import { chainResult } from './derive-chains.ts'
import type { JudgedCase, SuiteResult } from './derive-cases.ts'
import { significant } from './derive-figures.ts'
import type { ArmRounds, ValidRound } from './derive-rounds.ts'
import type { FaultResult } from './results-document.ts'
import type { FaultPlan, FaultRecord, RoundEvidence, RoundTimeline } from './round-evidence.ts'

const errorBudget = 0.001
/** Less watching than this cannot show that an engine stays down. */
const metastableAfterMs = 60_000
const metastableFactor = 5

export function recoverySuite(cases: readonly JudgedCase[]): SuiteResult {
  const faults = cases.flatMap((each) =>
    each.judged.sorted.arms.flatMap((arm) => arm.all.flatMap((evidence) => faultsOf(each, arm, evidence))),
  )
  return {
    sections: { recovery: { faults } },
    findings: faults.flatMap(finding),
    figureOf: (engine, path) =>
      figureOf(
        faults.filter((each) => each.engine === engine),
        path,
      ),
    ledgerOf: 'candidate',
  }
}

function faultsOf({ view }: JudgedCase, arm: ArmRounds, evidence: RoundEvidence): FaultResult[] {
  const counted = arm.valid.find((each) => each.evidence.round === evidence.round && each.evidence === evidence)
  return (evidence.faults ?? []).map((fault, index) => {
    const plan = view.plan.faults?.[index]
    const base = baseResult(view.plan.name, arm, evidence, fault, plan)
    if (!fault.bit) return { ...base, state: 'did not bite' as const }
    if (counted === undefined || evidence.timeline === undefined || fault.healedAtMs === null) return base
    const window = { fromMs: fault.injectedAtMs, untilMs: fault.healedAtMs }
    const chains = chainResult(evidence.coordination?.chain, view.plan.coordination, window)
    return { ...timed(base, fault, index, counted, evidence.timeline), chains }
  })
}

function baseResult(
  name: string,
  { arm }: ArmRounds,
  evidence: RoundEvidence,
  fault: FaultRecord,
  plan: FaultPlan | undefined,
): FaultResult {
  const { counts, client } = evidence
  const failed = counts.refused + counts.timedOut + counts.lost
  const watchedMs = Math.max(0, fault.untilMs - (fault.healedAtMs ?? fault.untilMs))
  const planned = plan === undefined ? watchedMs : plan.untilMs - plan.atMs - plan.forMs
  return {
    case: name,
    kind: fault.kind,
    engine: arm.label,
    round: evidence.round,
    state: 'invalid',
    timeToDetectMs: null,
    timeToFirstSuccessMs: null,
    timeToFullMs: null,
    backlogDrainedMs: null,
    windows: windowsFor(planned),
    watchedMs: tenth(watchedMs),
    backlogMax: null,
    budgetBurnt: counts.scheduled === 0 ? null : significant(failed / (errorBudget * counts.scheduled)),
    amplification:
      counts.scheduled === 0 ? null : significant((counts.scheduled + (client['retries'] ?? 0)) / counts.scheduled),
    rssOvershoot: overshoot(evidence, fault),
    p99Ratio: null,
    chains: null,
    failed,
    lost: counts.lost,
    duplicated: counts.duplicated,
    wireDuplicates: counts.wireDuplicates,
    shownBy: fault.shownBy,
    figures: fault.figures,
  }
}

function overshoot({ resources }: RoundEvidence, { figures }: FaultRecord): number | null {
  const before = figures['rssBeforeBytes']
  if (before === undefined || before <= 0 || resources.rssMaxBytes === null || figures['restartMs'] !== undefined)
    return null
  return significant(resources.rssMaxBytes / before)
}

function timed(
  base: FaultResult,
  fault: FaultRecord,
  index: number,
  round: ValidRound,
  timeline: RoundTimeline,
): FaultResult {
  const { evidence, series } = round
  const healedAtMs = fault.healedAtMs ?? fault.untilMs
  const markOf = (name: string) => evidence.marks?.find((each) => each.name === `${name}-${index}`)
  const detectedMs = markOf('injected')?.firstFailureMs ?? null
  const successMs = markOf('healed')?.firstSuccessMs ?? null
  const firstFaultMs = Math.min(...(evidence.faults ?? []).map((each) => each.injectedAtMs))
  const before = referenceOf(timeline, series.roundTrip.blocks, Math.floor(firstFaultMs / 1000))
  const good = (second: number): boolean => isAsGood(second, timeline, series.roundTrip.blocks, before)
  const firstSecond = Math.ceil(healedAtMs / 1000)
  const lastSecond = Math.min(timeline.scheduled.length, Math.floor(fault.untilMs / 1000))
  const full = firstRun(firstSecond, lastSecond, base.windows, good)
  const drained = timeline.backlog.findIndex((waiting, second) => second >= firstSecond && waiting <= before.backlog)
  const sinceHealed = (atMs: number): number => tenth(Math.max(0, atMs - healedAtMs))
  const { blocks } = series.roundTrip
  const calm = pooledP99(blocks.slice(0, Math.floor(firstFaultMs / 1000)))
  const disturbed = pooledP99(blocks.slice(Math.floor(fault.injectedAtMs / 1000), Math.floor(healedAtMs / 1000) + 2))
  const secondsBefore = Array.from({ length: Math.floor(firstFaultMs / 1000) }, (_, second) => second)
  // What was no better before the fault did not fail to recover from it.
  const steady = 2 * secondsBefore.filter(good).length >= secondsBefore.length
  const stays = base.watchedMs >= Math.max(metastableAfterMs, metastableFactor * (healedAtMs - fault.injectedAtMs))
  return {
    ...base,
    state: full !== null ? 'recovered' : !steady ? 'not steady before' : stays ? 'metastable' : 'not recovered',
    // What failed after the next fault, or long after this one, was not this one's doing.
    timeToDetectMs: detectedMs === null || detectedMs > fault.untilMs ? null : tenth(detectedMs - fault.injectedAtMs),
    timeToFirstSuccessMs: successMs === null ? null : sinceHealed(successMs),
    timeToFullMs: full === null ? null : sinceHealed(full * 1000),
    backlogDrainedMs: drained === -1 ? null : sinceHealed((drained + 1) * 1000),
    p99Ratio: calm === null || disturbed === null || calm === 0 ? null : significant(disturbed / calm),
    backlogMax: Math.max(0, ...timeline.backlog.slice(Math.floor(fault.injectedAtMs / 1000), lastSecond + 1)),
  }
}

function pooledP99(blocks: ValidRound['series']['roundTrip']['blocks']): number | null {
  return quantile(mergeDistributions(blocks), 0.99)
}

function finding(fault: FaultResult): string[] {
  const where = `${fault.engine} under ${fault.kind} (${fault.case}, round ${fault.round + 1})`
  if (fault.state === 'metastable') {
    return [`finding: ${where} did not recover within ${fault.watchedMs / 1000} s of full load after the healing`]
  }
  if (fault.state === 'not recovered') {
    return [
      `finding: ${where} was not back at full throughput within the ${Math.round(fault.watchedMs / 100) / 10} s it was watched`,
    ]
  }
  if (fault.state === 'not steady before') {
    return [`finding: ${where} was as bad before the fault, so nothing is said of its recovery`]
  }
  return fault.state === 'did not bite' ? [`finding: the fault did not bite: ${where}: ${fault.shownBy}`] : []
}

/** `recovery.timeToFull` over all faults, `recovery.crash.timeToFull` over those of one kind: the worst of them. */
function figureOf(faults: readonly FaultResult[], path: string): FigureReading | undefined {
  const [, second = '', third] = path.split('.')
  const [kind, name] = third === undefined ? [null, second] : [second, third]
  const own = faults.filter((each) => kind === null || each.kind === kind)
  const counted = own.filter(
    ({ state }) => state === 'recovered' || state === 'not recovered' || state === 'metastable',
  )
  const reading = { n: counted.length, requiredN: 1, counted: 'faults' }
  const nothing = (reason: string): FigureReading => ({ ...reading, value: null, low: null, high: null, reason })
  if (own.length === 0)
    return kind === null ? nothing('no fault was injected') : nothing(`no fault ${kind} was injected`)
  if (counted.length < own.length) {
    const lacking = own.find(({ state }) => !counted.some((each) => each.state === state))
    return nothing(
      `${own.length - counted.length} of ${own.length} faults do not count: ${lacking?.case} ${lacking?.state}`,
    )
  }
  if (name === 'metastable') {
    const count = counted.filter(({ state }) => state === 'metastable').length
    return { ...reading, value: count, low: count, high: count, reason: '' }
  }
  if (name === 'questionRatio') {
    const ratios = counted.flatMap(({ chains }) => chains?.questionRatio ?? [])
    if (ratios.length === 0) return nothing('no fault was a timeout cascade')
    return worst({ ...reading, n: ratios.length }, ratios, true)
  }
  if (name === 'timeToDetect') {
    const times = counted.flatMap(({ timeToDetectMs }) => (timeToDetectMs === null ? [] : [timeToDetectMs]))
    if (times.length === 0) return nothing('no client saw a failure')
    return worst({ ...reading, n: times.length }, times, true)
  }
  const timeOf = (each: FaultResult): number | null =>
    name === 'timeToFull' ? each.timeToFullMs : each.timeToFirstSuccessMs
  const all = counted.every((each) => timeOf(each) !== null)
  // What did not come took longer than it was waited for: a lower bound, and no upper one.
  return worst(
    reading,
    counted.map((each) => timeOf(each) ?? each.watchedMs),
    all,
  )
}

function worst(
  reading: Pick<FigureReading, 'n' | 'requiredN' | 'counted'>,
  times: readonly number[],
  all: boolean,
): FigureReading {
  const value = Math.max(...times)
  return { ...reading, value, low: value, high: all ? value : null, reason: '' }
}

/** Whole tenths of a millisecond. */
function tenth(ms: number): number {
  return Math.round(ms * 10) / 10
}
