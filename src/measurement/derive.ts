/**
 * The one derivation: from what a run left behind (run.json, targets, claims, rounds with their histograms) to
 * `results.json`. The suite calls it to publish, `lighthouse report` to publish again, the certificate verifier to
 * check. Pure and deterministic: no clock, no randomness, no order of input matters; the same evidence gives the same
 * document to the byte. Every figure is recomputed; nothing is copied that could have been computed.
 */
import {
  brokenDelivery,
  decide,
  requiredRounds,
  type DecisionResult,
  type DeliveredRound,
} from '../statistics/decision.ts'
import { LighthouseError } from '../platform/errors.ts'
import { claimsFromJson, claimsSha256, type Claim } from './claims-file.ts'
import { caseSections, suiteResult, type CaseSections, type JudgedLoad } from './derive-cases.ts'
import { claimResults, type ClaimEvidence } from './derive-claims.ts'
import { comparisons } from './derive-comparison.ts'
import { engineResult } from './derive-engine.ts'
import { words } from './derive-figures.ts'
import { generatorOf } from './derive-generator.ts'
import { latenessBoundMs, sortRounds, type ArmRounds, type RoundInput } from './derive-rounds.ts'
import { savings } from './derive-savings.ts'
import { notAssessed, scopeOf } from './derive-scope.ts'
import { targetResults } from './derive-targets.ts'
import type { ResultsDocument } from './results-document.ts'
import type { CasePlan, RoundEvidence, RunManifest } from './round-evidence.ts'
import { caseViews, judgedCase } from './run-cases.ts'
import { targetsFromJson, targetsSha256, type Target } from './targets-file.ts'

export type { RoundInput } from './derive-rounds.ts'

export interface DerivationInput {
  readonly manifest: RunManifest
  /** Parsed `targets.json` and `claims.json`, or the lists that are in them; checked here. */
  readonly targets: unknown
  readonly claims: unknown
  readonly rounds: readonly RoundInput[]
}

/**
 * Throws LighthouseError: RUN_DIRECTORY when the evidence contradicts itself or targets and claims are not those that
 * run.json fixed before the run; USAGE when they are no targets or claims at all.
 */
export function deriveResults(input: DerivationInput): ResultsDocument {
  const { manifest } = input
  const targets = declaredTargets(input)
  const claims = claimsFromJson(Array.isArray(input.claims) ? { claims: input.claims } : input.claims)
  requireDeclared('claims.json', claimsSha256(claims), manifest.claims.sha256)

  const { judged, sections } = judgeAll(input, targets)
  return documentOf(judged, manifest, claims, sections)
}

/** The load that the decision is about, as `deriveResults` judges it, and its case in a run of several loads. Throws as it does. */
export function judgedLoad(input: DerivationInput): { readonly load: JudgedLoad; readonly casePlan: CasePlan | null } {
  const { judged, casePlan } = judgeAll(input, declaredTargets(input))
  return { load: judged, casePlan }
}

interface JudgedAll {
  readonly judged: JudgedLoad
  readonly casePlan: CasePlan | null
  readonly sections: CaseSections
}

/** Figures of a suite come from all its loads; the targets that name them are judged with the load that the decision is about. */
function judgeAll({ manifest, rounds }: DerivationInput, targets: readonly Target[]): JudgedAll {
  const views = caseViews(manifest, rounds)
  const judgedView = judgedCase(views)
  if (judgedView === undefined) return { judged: judge(manifest, rounds, targets), casePlan: null, sections: {} }
  const cases = views.map((view) => ({ view, judged: judge(view.manifest, view.rounds, targets) }))
  const own = cases.find(({ view }) => view === judgedView)
  if (own === undefined) throw new Error('the judged case is one of the cases')
  const suite = suiteResult(manifest, cases)
  const run = { ...own.judged.run, ...(suite.figureOf === undefined ? {} : { figureOf: suite.figureOf }) }
  const judged =
    suite.figureOf === undefined ? own.judged : { ...own.judged, run, targets: targetResults(targets, run) }
  return { judged, casePlan: judgedView.plan, sections: caseSections(manifest, cases, suite) }
}

function declaredTargets(input: DerivationInput): Target[] {
  const targets = targetsFromJson(Array.isArray(input.targets) ? { targets: input.targets } : input.targets)
  requireDeclared('targets.json', targetsSha256(targets), input.manifest.targets.sha256)
  return targets
}

function judge(manifest: RunManifest, rounds: readonly RoundInput[], targets: readonly Target[]): JudgedLoad {
  const sorted = sortRounds(manifest, rounds, latenessBoundMs(targets, manifest.profile))
  const candidate = sorted.arms.at(-1)
  if (candidate === undefined) throw new LighthouseError('RUN_DIRECTORY', 'run.json names no engine')
  const { validRounds, required, invalidReason } = validityOf(manifest, sorted.arms)
  const run = { manifest, arms: sorted.arms, invalidReason }
  return { run, sorted, candidate, targets: targetResults(targets, run), validRounds, required }
}

/** Whether enough rounds of every engine are valid; `invalidReason` is empty when they are. */
export function validityOf(
  { profile, plan }: RunManifest,
  arms: readonly ArmRounds[],
): { readonly validRounds: number; readonly required: number; readonly invalidReason: string } {
  const required = Math.max(requiredRounds(profile, plan.rounds), plan.minimumRounds)
  const validRounds = Math.min(...arms.map((arm) => arm.valid.length))
  const invalidReason =
    validRounds >= required
      ? ''
      : `the run is INVALID: ${validRounds} of ${plan.rounds} planned rounds are valid, a decision needs ${required}`
  return { validRounds, required, invalidReason }
}

/** `manifest` is the whole run's, `judged` of the load that the decision is about. */
function documentOf(
  judged: JudgedLoad,
  manifest: RunManifest,
  claims: readonly Claim[],
  sections: CaseSections,
): ResultsDocument {
  const { run, sorted, candidate, targets } = judged
  const decision = decisionOf(judged, sections.candidateRounds, sections.unknownLedger)
  const unknownLedger = sections.unknownLedger ?? sorted.unknownLedger
  return {
    schemaVersion: 1,
    runId: manifest.runId,
    suite: manifest.suite,
    profile: manifest.profile,
    scope: scopeOf(run.manifest, candidate, judged.validRounds),
    decision: decision.decision,
    exitCode: decision.exitCode,
    decisionReasons: [...decision.reasons, ...findings(manifest, sorted.arms), ...(sections.findings ?? [])],
    conditions: decision.conditions,
    notAssessed: [...notAssessed(run.manifest, candidate, targets, run.invalidReason), ...(sections.notAssessed ?? [])],
    seed: manifest.seed,
    engines: sorted.arms.map((arm) => engineResult(arm, arm === candidate ? 'candidate' : 'baseline')),
    comparisons: comparisons(sorted.arms),
    savings: savings(sorted.arms),
    targets,
    claims: claimResults(claims, run, claimEvidence(sections)),
    generator: generatorOf(sorted, run.invalidReason),
    ledger: { state: unknownLedger.length === 0 ? 'COMPLETE' : 'UNKNOWN', reasons: unknownLedger },
    invalidRounds: sections.invalidRounds ?? sorted.invalid,
    plannedRounds: run.manifest.plan.rounds,
    ...(sections.cases === undefined ? {} : { cases: sections.cases }),
    ...(sections.scaling === undefined ? {} : { scaling: sections.scaling }),
    ...(sections.contention === undefined ? {} : { contention: sections.contention }),
    ...(sections.recovery === undefined ? {} : { recovery: sections.recovery }),
    ...(sections.burst === undefined ? {} : { burst: sections.burst }),
    ...(sections.coordination === undefined ? {} : { coordination: sections.coordination }),
    ...(sections.endurance === undefined ? {} : { endurance: sections.endurance }),
    ...(sections.memory === undefined ? {} : { memory: sections.memory }),
    environment: manifest.environment,
  }
}

function claimEvidence({ scaling, contention, recovery }: CaseSections): ClaimEvidence {
  return {
    ...(scaling === undefined ? {} : { growth: scaling.growth }),
    ...(contention === undefined ? {} : { contention }),
    ...(recovery === undefined ? {} : { recovery }),
  }
}

function requireDeclared(file: string, found: string, declared: string): void {
  if (found === declared) return
  throw new LighthouseError('RUN_DIRECTORY', `${file} has digest ${found}; run.json fixed ${declared} before the run`, {
    suggestions: [`Restore ${file} as the run wrote it: targets and claims cannot change after a run.`],
  })
}

/** Broken delivery counts wherever it happened in the run, so its rounds may be more than those of the judged load. */
function decisionOf(
  { run, sorted, candidate, targets, validRounds, required }: JudgedLoad,
  candidateRounds: readonly RoundEvidence[] = candidate.all,
  unknownLedger: readonly string[] = sorted.unknownLedger,
): DecisionResult {
  return decide({
    candidate: candidate.arm.label,
    candidateRounds: candidateRounds.map(delivered),
    orderDeclared: candidate.arm.semantics.ordering === 'per-pair',
    validRounds,
    requiredRounds: required,
    plannedRounds: run.manifest.plan.rounds,
    unknownLedger,
    targets: targets.map(({ expression, title, verdict, mandatory, reason, value, low, high, unit }) => ({
      expression,
      title,
      verdict,
      mandatory,
      reason,
      measured: measuredWords(value, low, high, unit),
    })),
  })
}

function delivered({ round, attempt, counts, ledger }: RoundEvidence): DeliveredRound {
  return { round, attempt, counts, drained: ledger.state === 'COMPLETE' }
}

function measuredWords(value: number | null, low: number | null, high: number | null, unit: string): string {
  if (value === null) return 'nothing'
  const space = unit === '' || unit.startsWith('/') || unit === 'x' ? '' : ' '
  const end = (bound: number | null): string => (bound === null ? 'unbounded' : `${words(bound)}${space}${unit}`)
  return `${words(value)}${space}${unit} (one-sided 95 % bounds ${end(low)} and ${end(high)})`
}

/** What was found beside the decision: broken delivery of other engines, and a run that was cut short. */
function findings(manifest: RunManifest, arms: readonly ArmRounds[]): string[] {
  const lines: string[] = []
  for (const { arm, all } of arms.slice(0, -1)) {
    const broken = all.flatMap((each) => brokenDelivery(delivered(each), arm.semantics.ordering === 'per-pair'))
    if (broken.length > 0) {
      lines.push(`finding about ${arm.label}, not the candidate: ${broken.slice(0, 8).join(', ')} in its rounds`)
    }
  }
  const times = manifest.resumedAt?.length ?? 0
  if (times > 0) {
    lines.push(
      `finding: the run was cut short and resumed ${times === 1 ? 'once' : `${times} times`}; nothing was measured in between`,
    )
  }
  if (manifest.interrupted === true) lines.push('finding: the run was interrupted before its planned end')
  return lines
}
