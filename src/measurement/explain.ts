/**
 * Explains a run: from the same evidence, with the same judge as `derive.ts`, why each verdict fell as it did and what
 * would decide it. Pure; nothing is measured and no verdict is changed. A target that the run did not declare is judged all
 * the same, with the rounds that count by the declared ones, and marked so.
 */
import type { Decision } from '../statistics/verdict.ts'
import { boundOf, durationOf, parseTarget, type TargetExpression } from '../statistics/target-expression.ts'
import { deriveResults, judgedLoad, type DerivationInput } from './derive.ts'
import type { JudgedLoad } from './derive-cases.ts'
import type { ArmRounds } from './derive-rounds.ts'
import { armOf, targetResults, type JudgedRun } from './derive-targets.ts'
import { comparisonOf, driversOf } from './explain-bounds.ts'
import { chooseTarget, type ChosenTarget } from './explain-choice.ts'
import { commandFor } from './explain-command.ts'
import { forecastOf, involvedArms } from './explain-forecast.ts'
import { lacksOf } from './explain-lacks.ts'
import { contributionsOf } from './explain-rounds.ts'
import type { DecisionExplanation, Explanation, TargetExplanation } from './explanation-document.ts'
import type { ResultsDocument, TargetResult } from './results-document.ts'
import { targetsFromJson } from './targets-file.ts'

/** Explains every target and the decision. */
export const everything = 'all'

/**
 * `wanted` is a target of the run by expression, title or part of them, a new target expression, or `all`. Throws
 * LighthouseError: USAGE when it is none of these or several, RUN_DIRECTORY as `deriveResults`.
 */
export function explainRun(input: DerivationInput, wanted: string): Explanation {
  const { load, casePlan } = judgedLoad(input)
  const targets = targetsFromJson(Array.isArray(input.targets) ? { targets: input.targets } : input.targets)
  const whole = wanted.trim() === everything
  const chosen = whole ? targets.map((target) => ({ target, declared: true })) : [chooseTarget(wanted, targets)]
  const results = deriveResults(input)
  const { manifest } = input
  return {
    schemaVersion: 1,
    runId: manifest.runId,
    suite: manifest.suite,
    profile: manifest.profile,
    scope: results.scope,
    ...(casePlan === null ? {} : { case: casePlan.name }),
    finished: manifest.finishedAt !== undefined && manifest.interrupted !== true,
    targets: chosen.map((each) => explainTarget(each, load)),
    ...(whole ? { decision: explainDecision(results) } : {}),
  }
}

function explainTarget({ target, declared }: ChosenTarget, load: JudgedLoad): TargetExplanation {
  const { run, sorted } = load
  const expression = parseTarget(target.expression)
  const [judged] = targetResults([target], run) as [TargetResult]
  const arm = armOf(expression.subject, run.arms)
  const lacks = lacksOf(expression, judged, run)
  const forecast = forecastOf(target, judged, run)
  const labels = new Set(
    (run.invalidReason === '' ? involvedArms(expression, run) : run.arms).map((each) => each.arm.label),
  )
  return {
    expression: target.expression,
    title: target.title,
    declared,
    mandatory: declared && judged.mandatory,
    engine: arm?.arm.label ?? null,
    verdict: judged.verdict,
    value: judged.value,
    low: judged.low,
    high: judged.high,
    n: judged.n,
    counted: countedBy(expression, arm, run),
    unit: judged.unit,
    required: judged.required,
    reason: judged.reason,
    bar: { comparator: expression.comparator, amount: boundOf(expression), overMs: durationOf(expression) },
    comparison: comparisonOf(expression, judged, arm, run),
    drivers: driversOf(expression, judged, arm),
    contributions: contributionsOf(expression, arm, run),
    lacks,
    invalidRounds: sorted.invalid.filter(({ engine }) => labels.has(engine)),
    forecast,
    command: commandFor(expression, forecast, lacks, run.manifest),
  }
}

function countedBy({ measure }: TargetExpression, arm: ArmRounds | undefined, run: JudgedRun): string {
  const { kind } = measure
  if (kind === 'figure') return run.figureOf?.(arm?.arm.label ?? '', measure.path)?.counted ?? 'samples'
  if (kind === 'speedup') return 'pairs of rounds'
  if (kind === 'agents') return 'rounds'
  return kind === 'errorRate' || kind === 'throughputPerSecond' ? 'exchanges' : 'samples'
}

/** As `statistics/decision.ts` asks them. */
const rules: readonly { readonly decision: Decision; readonly asks: string }[] = [
  { decision: 'EMERGENCY_STOP', asks: 'did any round of the candidate break the delivery that it declares?' },
  {
    decision: 'NEEDS_FURTHER_REVIEW',
    asks: 'are there too few valid rounds, an UNKNOWN ledger, or a mandatory target NOT_DEMONSTRATED?',
  },
  { decision: 'REQUIRES_REMEDIATION', asks: 'is a mandatory target NOT_MET?' },
  { decision: 'CONDITIONALLY_APPROVED', asks: 'is a mandatory target MARGINAL, or an optional one NOT_MET?' },
  { decision: 'APPROVED', asks: 'does none of these apply?' },
]

function explainDecision({ decision, decisionReasons, conditions }: ResultsDocument): DecisionExplanation {
  const isFinding = (line: string): boolean => /^finding\b/.test(line)
  const fell = rules.findIndex((rule) => rule.decision === decision)
  return {
    decision,
    rules: rules.map((rule, index) => ({
      rule: index + 1,
      ...rule,
      state: index < fell ? 'DID_NOT_APPLY' : index === fell ? 'DECIDED' : 'NOT_REACHED',
      reasons: index === fell ? decisionReasons.filter((line) => !isFinding(line)) : [],
    })),
    conditions,
    findings: decisionReasons.filter(isFinding),
  }
}
