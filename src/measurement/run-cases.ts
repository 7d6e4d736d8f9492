/**
 * Runs of several loads: cuts one run into its cases, each of which reads like a run of its own.
 *
 * A case is a range of round numbers (`plan.cases`). Its view has the case's sizes in the plan, its rounds counted from 0,
 * and only the engines that took part: a baseline that was stopped at a smaller load has no rounds in the larger ones, and
 * that is said once, as a finding, instead of making every later case insufficient. The case that the decision is about
 * is the last one that the candidate played.
 */
import { LighthouseError } from '../platform/errors.ts'
import type { RoundInput } from './derive-rounds.ts'
import type { CasePlan, RoundEvidence, RunManifest } from './round-evidence.ts'

/** Below these shares of completed exchanges in a case an engine is warned about, and not put to larger loads. */
export const warnBelowSuccess = 0.95
export const stopBelowSuccess = 0.9

export interface CaseView {
  readonly plan: CasePlan
  /** With the case's sizes, rounds and engines. */
  readonly manifest: RunManifest
  /** Counted from 0 within the case. */
  readonly rounds: readonly RoundInput[]
}

/** Empty for a run of one load. Throws LighthouseError('RUN_DIRECTORY') when the cases of `run.json` overlap, leave gaps or repeat a name. */
export function caseViews(manifest: RunManifest, rounds: readonly RoundInput[]): CaseView[] {
  const { cases } = manifest.plan
  if (cases === undefined) return []
  checkCases(cases, manifest)
  const stopped = new Set<string>()
  return cases.map((plan) => {
    const own = rounds.filter(({ evidence }) => isOf(plan, evidence.round))
    const engines = manifest.engines.filter(
      ({ label, role }) =>
        plan.engines?.includes(label) !== false &&
        (role === 'candidate' || !stopped.has(label) || own.some(({ evidence }) => evidence.engine === label)),
    )
    for (const { label } of manifest.engines) {
      const success = successShare(own.flatMap(({ evidence }) => (evidence.engine === label ? [evidence] : [])))
      if (plan.searchBoundsMs === undefined && success !== null && success < stopBelowSuccess) stopped.add(label)
    }
    return {
      plan,
      manifest: viewOf(manifest, plan, engines),
      rounds: own.map((input) => ({
        ...input,
        evidence: { ...input.evidence, round: input.evidence.round - plan.firstRound },
      })),
    }
  })
}

/** The case that targets are judged in: the last with rounds of the candidate, or the first if there is none. */
export function judgedCase(views: readonly CaseView[]): CaseView | undefined {
  const loads = views.filter(({ plan }) => plan.searchBoundsMs === undefined)
  const played = loads.findLast(({ manifest, rounds }) => {
    // A case may be of other engines alone.
    const candidate = manifest.engines.find(({ role }) => role === 'candidate')?.label
    return rounds.some(({ evidence }) => evidence.engine === candidate)
  })
  return played ?? loads[0]
}

function isOf({ firstRound, rounds }: CasePlan, round: number): boolean {
  return round >= firstRound && round < firstRound + rounds
}

function checkCases(cases: readonly CasePlan[], { plan }: RunManifest): void {
  const names = new Set(cases.map(({ name }) => name))
  let next = 0
  for (const each of cases) {
    if (each.firstRound !== next || each.rounds < 1) break
    next += each.rounds
  }
  if (cases.length > 0 && names.size === cases.length && next === plan.rounds) return
  throw new LighthouseError('RUN_DIRECTORY', 'the cases in run.json do not divide its rounds', {
    suggestions: ['Use run.json as the run wrote it.'],
  })
}

function viewOf(manifest: RunManifest, each: CasePlan, engines: RunManifest['engines']): RunManifest {
  const { cases: _cases, skippedCases: _skipped, ...plan } = manifest.plan
  return {
    ...manifest,
    engines,
    plan: {
      ...plan,
      agents: each.agents,
      ratePerSecond: each.ratePerSecond,
      loadModel: each.loadModel,
      roundDurationMs: each.roundDurationMs,
      rounds: each.rounds,
      minimumRounds: Math.min(plan.minimumRounds, each.rounds),
      order: plan.order.slice(each.firstRound, each.firstRound + each.rounds),
    },
  }
}

/** Completed of scheduled exchanges over rounds whose load may be believed; null without any. */
export function successShare(rounds: readonly RoundEvidence[]): number | null {
  const counted = rounds.filter(({ audit }) => audit.valid)
  const scheduled = counted.reduce((sum, { counts }) => sum + counts.scheduled, 0)
  return scheduled === 0 ? null : counted.reduce((sum, { counts }) => sum + counts.completed, 0) / scheduled
}
