/**
 * Decides which rounds of a run count. A round counts when its own audit says so *and* its evidence bears that out:
 * counts that are whole numbers and sum up, as many round trips as completed exchanges, the audit's figures within
 * the limits. What does not count is listed with its reasons; contradictions within a run directory (unknown engine,
 * two records of one attempt) are errors, because no figure could be derived from them.
 */
import { LighthouseError } from '../platform/errors.ts'
import { coordinationContradictions } from './coordination-checks.ts'
import { emptyDistribution, mergeDistributions, quantile, type Distribution } from '../statistics/distribution.ts'
import type { RoundSample } from '../statistics/quantile-interval.ts'
import { boundOf, latencySeries, parseTarget, type LatencySeries } from '../statistics/target-expression.ts'
import { stagePrefix, storePrefix } from './histogram-log.ts'
import type { ExchangeCounts, InvalidRound } from './results-document.ts'
import type { EngineArm, RoundEvidence, RunManifest } from './round-evidence.ts'
import { isMandatory, type Profile, type Target } from './targets-file.ts'

export interface RoundInput {
  readonly evidence: RoundEvidence
  /** Blocks by tag of `histograms.hlog`; a missing tag is an empty series. */
  readonly histograms: ReadonlyMap<string, readonly Distribution[]>
}

export interface ValidRound {
  readonly evidence: RoundEvidence
  /** Microseconds. */
  readonly series: Readonly<Record<LatencySeries, RoundSample>>
  /** Nanoseconds, by stage name. */
  readonly stages: ReadonlyMap<string, RoundSample>
  /** What a store waits for, in microseconds, by name. */
  readonly store: ReadonlyMap<string, RoundSample>
  /** Whole instances of a coordination pattern, in microseconds; empty where none was played. */
  readonly pattern: RoundSample
  /** Microseconds; empty when it was not recorded. */
  readonly lateness: Distribution
}

export interface ArmRounds {
  readonly arm: EngineArm
  /** One per round number at most, ascending. */
  readonly valid: readonly ValidRound[]
  /** Every record of the arm, valid or not. */
  readonly all: readonly RoundEvidence[]
}

export interface SortedRounds {
  /** In the order of the manifest: the baseline first, the candidate last. */
  readonly arms: readonly ArmRounds[]
  readonly invalid: readonly InvalidRound[]
  /** Why the ledger is UNKNOWN; empty when it is complete. */
  readonly unknownLedger: readonly string[]
}

/** Limits that the generator's audit applies; stated again because the evidence is checked, not believed. */
const leastAchievedRatio = 0.99
const mostGeneratorCpuPercent = 90

/** Bound of send lateness p99: 2 ms, or 10 % of the smallest mandatory latency bound, whichever is more. */
export function latenessBoundMs(targets: readonly Target[], profile: Profile): number {
  const bounds = targets
    .filter((target) => isMandatory(target, profile))
    .map((target) => parseTarget(target.expression))
    .filter((expression) => expression.measure.kind === 'latency')
    .map(boundOf)
  return Math.max(2, bounds.length === 0 ? 0 : Math.min(...bounds) / 10)
}

/** Throws LighthouseError('RUN_DIRECTORY') on records that contradict the manifest or each other. */
export function sortRounds(manifest: RunManifest, rounds: readonly RoundInput[], latenessMs: number): SortedRounds {
  const ordered = inOrder(manifest, rounds)
  const invalid: InvalidRound[] = []
  const unknownLedger: string[] = []
  const arms = manifest.engines.map((arm) => {
    const valid: ValidRound[] = []
    const own = ordered.filter((each) => each.evidence.engine === arm.label)
    for (const input of own) {
      const { evidence } = input
      const reasons = reasonsAgainst(input, manifest, latenessMs)
      if (reasons.length === 0 && valid.some((each) => each.evidence.round === evidence.round)) {
        reasons.push('An earlier attempt at this round is valid, so this one does not count.')
      }
      if (reasons.length > 0) invalid.push({ round: evidence.round, engine: arm.label, reasons })
      else valid.push(validRound(input))
      // A round that the generator or the machine spoiled says nothing of the engine; its ledger is not held against it.
      if (evidence.audit.valid && evidence.ledger.state !== 'COMPLETE') {
        const why = evidence.ledger.reasons.length === 0 ? 'no reason was recorded' : evidence.ledger.reasons.join('; ')
        unknownLedger.push(`${arm.label}, round ${evidence.round + 1}: ${why}`)
      }
    }
    return { arm, valid, all: own.map((each) => each.evidence) }
  })
  return { arms, invalid, unknownLedger }
}

function inOrder(manifest: RunManifest, rounds: readonly RoundInput[]): RoundInput[] {
  const labels = manifest.engines.map((arm) => arm.label)
  if (labels.length === 0 || new Set(labels).size !== labels.length) {
    throw contradiction('run.json names no engine, or two engines by one label')
  }
  const seen = new Set<string>()
  for (const { evidence } of rounds) {
    const { engine, round, attempt } = evidence
    const name = `round ${round}, attempt ${attempt} of ${engine}`
    if (!labels.includes(engine)) throw contradiction(`${name}: run.json names no such engine`)
    if (!isCount(round) || !isCount(attempt) || round >= manifest.plan.rounds) {
      throw contradiction(`${name}: run.json plans ${manifest.plan.rounds} rounds, counted from 0`)
    }
    if (seen.has(name)) throw contradiction(`${name} is recorded twice`)
    seen.add(name)
  }
  const place = ({ evidence }: RoundInput): number => labels.indexOf(evidence.engine)
  return rounds.toSorted(
    (a, b) => place(a) - place(b) || a.evidence.round - b.evidence.round || a.evidence.attempt - b.evidence.attempt,
  )
}

function contradiction(what: string): LighthouseError {
  return new LighthouseError('RUN_DIRECTORY', `the run contradicts itself: ${what}`, {
    suggestions: ['Derive results from the directory as the run left it; do not mix rounds of several runs.'],
  })
}

/** Every reason why a round does not count, each a sentence; empty for a valid round. */
function reasonsAgainst(input: RoundInput, manifest: RunManifest, latenessMs: number): string[] {
  const { evidence } = input
  const { audit } = evidence
  const reasons = [...audit.reasons]
  if (!audit.valid && reasons.length === 0) reasons.push('The audit of the load generator failed without a reason.')
  if (audit.valid && reasons.length > 0) reasons.push('The audit calls the round valid although it holds reasons.')
  if (!audit.valid) return reasons
  return [
    ...reasons,
    ...auditContradictions(input, manifest, latenessMs),
    ...countContradictions(evidence),
    ...sampleContradictions(input),
  ]
}

function auditContradictions(
  { evidence, histograms }: RoundInput,
  manifest: RunManifest,
  latenessMs: number,
): string[] {
  const { audit, counts } = evidence
  const reasons: string[] = []
  if (audit.scheduled !== counts.scheduled) {
    reasons.push(`The audit counts ${audit.scheduled} scheduled exchanges, the ledger ${counts.scheduled}.`)
  }
  if (!(counts.scheduled > 0)) reasons.push('No exchange was scheduled.')
  if (!(evidence.durationMs > 0)) reasons.push(`The round lasted ${evidence.durationMs} ms.`)
  if (!(audit.cpuPercent <= mostGeneratorCpuPercent) && manifest.plan.pacing === 'timer') {
    reasons.push(
      `The generator used ${audit.cpuPercent} % of its core; at most ${mostGeneratorCpuPercent} % may be trusted.`,
    )
  }
  if (manifest.plan.loadModel === 'closed') return reasons
  const achieved = audit.sent / audit.scheduled
  if (!(achieved >= leastAchievedRatio && audit.sent <= audit.scheduled)) {
    reasons.push(`${audit.sent} of ${audit.scheduled} exchanges were sent in time, less than 99 %.`)
  }
  const lateness = quantile(wholeOf(histograms.get('lateness')), 0.99)
  if (lateness !== null && lateness / 1000 > latenessMs * (1 + 1 / 1024)) {
    reasons.push(`Sends were late by ${lateness / 1000} ms at p99; the bound is ${latenessMs} ms.`)
  }
  return reasons
}

function countContradictions({ counts, audit }: RoundEvidence): string[] {
  const figures = Object.entries<number>({ ...counts, sent: audit.sent })
  const broken = figures.filter(([, count]) => !isCount(count)).map(([key, count]) => `${key} is ${count}`)
  if (broken.length > 0) return [`Counts are not whole numbers from 0: ${broken.join(', ')}.`]
  const ended = endedOf(counts)
  return ended === counts.scheduled
    ? []
    : [
        `Counts do not add up: ${counts.completed} completed + ${counts.refused} refused + ${counts.timedOut} timed out + ` +
          `${counts.lost} lost are ${ended}, scheduled were ${counts.scheduled}.`,
      ]
}

function sampleContradictions({ evidence, histograms }: RoundInput): string[] {
  const { counts, samples } = evidence
  const timed = wholeOf(histograms.get('pattern')).n
  const reasons = coordinationContradictions(evidence.coordination, timed, counts.scheduled)
  if (samples.negative !== 0) reasons.push(`${samples.negative} durations were negative: two clocks disagree.`)
  if (samples.outOfRange !== 0) reasons.push(`${samples.outOfRange} durations were longer than the histograms hold.`)
  for (const name of ['roundTrip', 'serviceTime'] as const) {
    const { n } = wholeOf(histograms.get(name))
    if (n !== counts.completed) {
      reasons.push(`The histogram ${name} holds ${n} samples for ${counts.completed} completed exchanges.`)
    }
  }
  const delivered = wholeOf(histograms.get('delivery')).n
  // A question may reach its recipient although its requester withdrew it.
  const withdrawn = evidence.coordination?.withdrawals.withdrawn ?? 0
  if (delivered > counts.scheduled + withdrawn || delivered < counts.completed) {
    reasons.push(`The histogram delivery holds ${delivered} samples for ${counts.completed} completed exchanges.`)
  }
  return reasons
}

function validRound({ evidence, histograms }: RoundInput): ValidRound {
  const sample = (tag: string): RoundSample => {
    const blocks = histograms.get(tag) ?? []
    return { whole: wholeOf(blocks), blocks }
  }
  const [roundTrip, delivery, serviceTime] = latencySeries.map(sample)
  const none: RoundSample = { whole: emptyDistribution, blocks: [] }
  const named = (prefix: string): Map<string, RoundSample> =>
    new Map(
      [...histograms.keys()].flatMap((tag) =>
        tag.startsWith(prefix) ? [[tag.slice(prefix.length), sample(tag)] as const] : [],
      ),
    )
  return {
    evidence,
    series: { roundTrip: roundTrip ?? none, delivery: delivery ?? none, serviceTime: serviceTime ?? none },
    stages: named(stagePrefix),
    store: named(storePrefix),
    pattern: sample('pattern'),
    lateness: wholeOf(histograms.get('lateness')),
  }
}

function wholeOf(blocks: readonly Distribution[] | undefined): Distribution {
  return mergeDistributions(blocks ?? [])
}

export function endedOf(counts: ExchangeCounts): number {
  return counts.completed + counts.refused + counts.timedOut + counts.lost
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
