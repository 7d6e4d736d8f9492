/**
 * How many rounds like those of the run would decide a target. There is no second formula: the run's own valid rounds are
 * repeated in order, and the very judge that gave the verdict judges the longer run. The smallest number is looked for by
 * doubling and bisection; it counts only if the verdict then holds through one more repetition of all rounds, so
 * that no lucky place in the order decides. Bounded at 64 times the rounds and at what a run can plan.
 *
 * It is a forecast under the assumption that further rounds are like these, not a promise: repeated rounds show no
 * disturbance that the run did not meet, and φ and Student's t take their spread for the truth.
 */
import { requiredRounds } from '../statistics/decision.ts'
import { parseTarget, type TargetExpression } from '../statistics/target-expression.ts'
import type { TargetVerdict } from '../statistics/verdict.ts'
import { validityOf } from './derive.ts'
import type { ArmRounds, ValidRound } from './derive-rounds.ts'
import { armOf, targetResults, type JudgedRun } from './derive-targets.ts'
import { lacksOf } from './explain-lacks.ts'
import type { Forecast } from './explanation-document.ts'
import type { TargetResult } from './results-document.ts'
import type { RoundEvidence } from './round-evidence.ts'
import type { Target } from './targets-file.ts'

const mostTimesTheRounds = 64
/** What `--rounds` takes. */
const mostRounds = 1000
/** A verdict must hold through one repetition of the rounds, but no more than this many counts are tried for it. */
const longestRepetition = 64
const mostRepetitions = 8
/** Runs of more rounds are not asked with how many of them the verdict already stood. */
const mostRoundsShortened = 200
/** Measures that come from the rounds of one load. */
const repeatable: ReadonlySet<string> = new Set([
  'latency',
  'overhead',
  'speedup',
  'errorRate',
  'throughputPerSecond',
  'agents',
])

/** `run` with `count` rounds like its own: those of the engines that `expression` speaks of, repeated in order. */
function runOf(count: number, run: JudgedRun, expression: TargetExpression): JudgedRun {
  const involved = involvedArms(expression, run)
  const shared = sharedRounds(involved)
  const arms = run.arms.map((arm) => ({
    ...arm,
    valid: repeated(
      involved.includes(arm) ? arm.valid.filter((round) => shared.has(numberOf(round))) : arm.valid,
      count,
    ),
  }))
  const minimumRounds = requiredRounds(run.manifest.profile, count)
  const manifest = { ...run.manifest, plan: { ...run.manifest.plan, rounds: count, minimumRounds } }
  return { ...run, manifest, arms, invalidReason: validityOf(manifest, arms).invalidReason }
}

/** Renumbered, so that each repetition pairs with that of the other engine. */
function repeated(rounds: readonly ValidRound[], count: number): ValidRound[] {
  if (rounds.length === 0) return []
  return Array.from({ length: count }, (_, index) => {
    const round = rounds[index % rounds.length] as ValidRound
    return { ...round, evidence: { ...round.evidence, round: index, attempt: 0 } }
  })
}

function numberOf({ evidence }: ValidRound): number {
  return evidence.round
}

/** A speed-up needs rounds that are valid on both engines; any other target those of its own engine. */
export function involvedArms(expression: TargetExpression, { arms }: JudgedRun): ArmRounds[] {
  const subjects = expression.measure.kind === 'speedup' ? ['baseline', 'candidate'] : [expression.subject]
  return subjects.flatMap((subject) => armOf(subject, arms) ?? [])
}

function sharedRounds(arms: readonly ArmRounds[]): Set<number> {
  const [first, ...others] = arms.map((arm) => new Set(arm.valid.map(numberOf)))
  return new Set([...(first ?? [])].filter((number) => others.every((numbers) => numbers.has(number))))
}

/** Throws as `targetResults` does. */
export function forecastOf(target: Target, judged: TargetResult, run: JudgedRun): Forecast {
  const expression = parseTarget(target.expression)
  const involved = involvedArms(expression, run)
  const own = sharedRounds(involved).size
  const verdictOf = (count: number): TargetVerdict => judgedAs(target, runOf(count, run, expression)).verdict
  const none: Forecast = {
    state: 'NO_HELP',
    verdict: null,
    fromRounds: own,
    rounds: null,
    exchanges: null,
    durationMs: null,
    heldFromRounds: null,
    searchedRounds: null,
    reason: '',
  }
  if (isDecided(judged.verdict)) {
    const sampled =
      repeatable.has(expression.measure.kind) && expression.measure.kind !== 'agents' && own <= mostRoundsShortened
    const heldFromRounds = sampled ? heldFrom(judged.verdict, own, verdictOf) : null
    return { ...none, state: 'DECIDED', verdict: judged.verdict, heldFromRounds }
  }
  if (!repeatable.has(expression.measure.kind)) {
    return { ...none, reason: 'the figure is of the whole suite, which more rounds of one load do not repeat' }
  }
  const blocking = lacksOf(expression, judged, run).filter((lack) => !lack.moreRoundsHelp)
  if (blocking.length > 0) return { ...none, reason: blocking.map(({ what }) => what).join('; ') }
  if (own === 0) return { ...none, reason: 'no round is valid, so there is nothing that further rounds could be like' }

  const limit = Math.max(own, Math.min(own * mostTimesTheRounds, mostRounds))
  const found = smallestDeciding(own, limit, verdictOf)
  if (found === null) return undecided({ ...none, searchedRounds: limit }, target, runOf(limit, run, expression))
  const engine = involved.at(-1)
  return {
    ...none,
    state: 'WOULD_DECIDE',
    verdict: found.verdict,
    rounds: found.rounds,
    exchanges: engine === undefined ? null : exchangesIn(runOf(found.rounds, run, expression), engine.arm.label),
    durationMs: found.rounds * roundMs(run),
    searchedRounds: limit,
  }
}

function undecided(forecast: Forecast, target: Target, longest: JudgedRun): Forecast {
  const judged = judgedAs(target, longest)
  if (judged.verdict !== 'NOT_DEMONSTRATED') {
    return { ...forecast, state: 'BEYOND_LIMIT', reason: 'the figure lies too near the bar' }
  }
  const helps = lacksOf(parseTarget(target.expression), judged, longest).every((lack) => lack.moreRoundsHelp)
  return { ...forecast, state: helps ? 'BEYOND_LIMIT' : 'NO_HELP', reason: judged.reason }
}

function judgedAs(target: Target, run: JudgedRun): TargetResult {
  const [judged] = targetResults([target], run)
  return judged as TargetResult
}

function isDecided(verdict: TargetVerdict): boolean {
  return verdict === 'MET' || verdict === 'NOT_MET'
}

/**
 * By doubling and bisection the first count that decides, then on to the first from which the verdict holds through one
 * repetition; the count before it does not give that verdict. Null when there is none up to `limit`.
 */
function smallestDeciding(
  own: number,
  limit: number,
  verdictOf: (count: number) => TargetVerdict,
): { readonly rounds: number; readonly verdict: TargetVerdict } | null {
  let open = own - 1
  let deciding = own
  while (!isDecided(verdictOf(deciding))) {
    if (deciding === limit) return null
    open = deciding
    deciding = Math.min(limit, deciding * 2)
  }
  while (deciding - open > 1) {
    const middle = Math.floor((open + deciding) / 2)
    if (isDecided(verdictOf(middle))) deciding = middle
    else open = middle
  }
  const needed = Math.min(own, longestRepetition)
  let since = deciding
  let verdict = verdictOf(since)
  for (let count = since + 1; count <= deciding + mostRepetitions * needed && since <= limit; count++) {
    if (isDecided(verdict) && count - since >= needed) return { rounds: since, verdict }
    const next = verdictOf(count)
    if (next !== verdict) since = count
    verdict = next
  }
  return null
}

function heldFrom(verdict: TargetVerdict, own: number, verdictOf: (count: number) => TargetVerdict): number | null {
  if (own === 0 || verdictOf(own) !== verdict) return null
  let held = own
  while (held > 1 && verdictOf(held - 1) === verdict) held--
  return held
}

function exchangesIn({ arms }: JudgedRun, label: string): number {
  const rounds = arms.find(({ arm }) => arm.label === label)?.valid ?? []
  return rounds.reduce((sum, { evidence }) => sum + evidence.counts.scheduled, 0)
}

/** Schedule and drain of one round on every engine, the mean over all that were played. */
function roundMs({ arms }: JudgedRun): number {
  const mean = (rounds: readonly RoundEvidence[]): number =>
    rounds.length === 0
      ? 0
      : rounds.reduce((sum, { durationMs, drainMs }) => sum + durationMs + drainMs, 0) / rounds.length
  return Math.round(arms.reduce((sum, { all }) => sum + mean(all), 0))
}
