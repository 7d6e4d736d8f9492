/**
 * What a run of several loads publishes beside the load that the decision is about: every load with its engines, what of it
 * was not valid, and findings that speak of the run as a whole.
 */
import { burstSuite } from './derive-burst.ts'
import { enduranceSuite } from './derive-endurance.ts'
import { engineResult } from './derive-engine.ts'
import { significant } from './derive-figures.ts'
import { memorySuite } from './derive-memory.ts'
import { generatorOf } from './derive-generator.ts'
import type { ArmRounds, SortedRounds } from './derive-rounds.ts'
import { contentionSuite } from './derive-contention.ts'
import { coordinationSuite } from './derive-coordination.ts'
import { recoverySuite } from './derive-recovery.ts'
import { scalingResult } from './derive-scaling.ts'
import { commandOf } from './derive-scope.ts'
import type { JudgedRun } from './derive-targets.ts'
import type { CaseResult, InvalidRound, ResultsDocument, ScalingResult, TargetResult } from './results-document.ts'
import type { RoundEvidence, RunManifest } from './round-evidence.ts'
import { stopBelowSuccess, warnBelowSuccess, type CaseView } from './run-cases.ts'

/** One load: its rounds sorted, its targets judged. */
export interface JudgedLoad {
  readonly run: JudgedRun
  readonly sorted: SortedRounds
  readonly candidate: ArmRounds
  readonly targets: readonly TargetResult[]
  readonly validRounds: number
  readonly required: number
}

export interface JudgedCase {
  readonly view: CaseView
  readonly judged: JudgedLoad
}

/** The part of the document that belongs to one suite. */
export type SuiteSections = Pick<
  ResultsDocument,
  'scaling' | 'recovery' | 'burst' | 'contention' | 'memory' | 'coordination' | 'endurance'
>

/** What a suite makes of its cases. */
export interface SuiteResult {
  readonly sections: SuiteSections
  readonly findings: readonly string[]
  /** For targets that name figures of the suite. */
  readonly figureOf?: NonNullable<JudgedRun['figureOf']>
  /** Which rounds' unknown ledgers leave the decision open; every engine's by default. */
  readonly ledgerOf?: 'candidate'
}

/** What the cases of a run add to its document; everything is absent in a run of one load. */
export interface CaseSections extends SuiteSections {
  readonly cases?: readonly CaseResult[]
  /** Of all loads. */
  readonly candidateRounds?: readonly RoundEvidence[]
  readonly unknownLedger?: readonly string[]
  readonly invalidRounds?: readonly InvalidRound[]
  readonly findings?: readonly string[]
  readonly notAssessed?: ResultsDocument['notAssessed']
}

export function suiteResult(manifest: RunManifest, cases: readonly JudgedCase[]): SuiteResult {
  if (manifest.suite === 'failure-recovery') return recoverySuite(cases)
  if (manifest.suite === 'burst') return burstSuite(cases)
  if (manifest.suite === 'memory-pressure') return memorySuite(manifest, cases)
  if (manifest.suite === 'contention') return contentionSuite(manifest, cases)
  if (manifest.suite === 'coordination') return coordinationSuite(cases)
  if (manifest.suite === 'endurance') return enduranceSuite(cases)
  if (manifest.suite !== 'scaling') return { sections: {}, findings: [] }
  const searches = cases.filter(({ view }) => view.plan.searchBoundsMs !== undefined)
  const scaling = scalingResult(manifest, loadsOf(cases), searches)
  return { sections: { scaling }, findings: scalingFindings(scaling) }
}

/** A store that was left out needs a server; a load that was left out, a machine that can hold it. */
function skippedCommand(manifest: RunManifest): string {
  return manifest.suite === 'contention' ? `${commandOf(manifest)} --start-postgres` : 'lighthouse doctor'
}

function loadsOf(cases: readonly JudgedCase[]): JudgedCase[] {
  return cases.filter(({ view }) => view.plan.searchBoundsMs === undefined)
}

export function caseSections(manifest: RunManifest, cases: readonly JudgedCase[], suite: SuiteResult): CaseSections {
  const loads = loadsOf(cases)
  const candidate = manifest.engines.at(-1)?.label ?? ''
  const counts = (why: string): boolean => suite.ledgerOf === undefined || why.startsWith(`${candidate}, round `)
  // A search goes on until something gives way; what it finds is a knee, not a fault of the run.
  const unknown = loads.flatMap(({ view, judged }) =>
    judged.sorted.unknownLedger.map((why) => ({ counts: counts(why), text: `${view.plan.name}: ${why}` })),
  )
  return {
    ...suite.sections,
    cases: loads.map(caseResult),
    // A case may be of other engines alone.
    candidateRounds: cases.flatMap(({ judged }) =>
      judged.candidate.arm.label === candidate ? judged.candidate.all : [],
    ),
    unknownLedger: unknown.filter((each) => each.counts).map(({ text }) => text),
    invalidRounds: loads.flatMap(({ view, judged }) =>
      judged.sorted.invalid.map((round) => ({ ...round, case: view.plan.name })),
    ),
    findings: [
      ...suite.findings,
      ...unknown.filter((each) => !each.counts).map(({ text }) => `finding: the ledger is UNKNOWN: ${text}`),
    ],
    notAssessed: (manifest.plan.skippedCases ?? []).map(({ name, reason }) => ({
      what: `${name}, SKIPPED: ${reason}`,
      command: skippedCommand(manifest),
    })),
  }
}

function caseResult({ view, judged }: JudgedCase): CaseResult {
  const { name, agents, ratePerSecond, loadModel, rounds } = view.plan
  const { cpuPercent, latenessP99Ms } = generatorOf(judged.sorted, '')
  return {
    name,
    agents,
    ratePerSecond,
    loadModel,
    plannedRounds: rounds,
    engines: judged.sorted.arms.map((arm) => engineResult(arm, arm.arm.role)),
    generator: { cpuPercent, latenessP99Ms },
  }
}

function scalingFindings({ levels }: ScalingResult): string[] {
  return levels.flatMap(({ case: name, engine, state, successShare }) => {
    const share = successShare === null ? '' : `${significant(successShare * 100)} %`
    if (state === 'stopped')
      return [
        `finding: ${engine} completed ${share} at ${name}, below ${stopBelowSuccess * 100} %, and was not put to larger loads`,
      ]
    if (state === 'warning')
      return [`finding: ${engine} completed ${share} at ${name}, below ${warnBelowSuccess * 100} %`]
    return []
  })
}
