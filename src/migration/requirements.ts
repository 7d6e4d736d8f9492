/**
 * Looks for what a phase requires: certificates, verified on all rungs of the ladder, and runs, judged again from their raw data.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { idPattern } from '../certificates/format.ts'
import { parseIssueTime } from '../certificates/issue-time.ts'
import type { TrustStore } from '../certificates/trust-store.ts'
import { verifyCertificate } from '../certificates/verify.ts'
import { deriveResults } from '../measurement/derive.ts'
import { durationWords } from '../measurement/derive-targets.ts'
import { openRunDirectory } from '../measurement/run-directory.ts'
import { LighthouseError } from '../platform/errors.ts'
import { listRuns } from '../runs/inventory.ts'
import type { Requirement } from './plan.ts'
import type { Finding } from './state-machine.ts'

export interface RequirementPlaces {
  /** Folders with run directories, with their certificates inside, and with packages of certificates. */
  readonly folders: readonly string[]
  readonly trust: TrustStore
  /** Of the code that is migrated; null when nobody said. */
  readonly commit: string | null
  readonly wallMs: () => number
  /** What the groups of the phase are shown to be; left out where nobody watches them. */
  readonly compare?: (requirement: Extract<Requirement, { kind: 'comparison' }>) => Finding
}

/** The newest ones are looked at; more would make every look long. */
const mostCandidates = 20

export async function lookFor(requirements: readonly Requirement[], places: RequirementPlaces): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const requirement of requirements) {
    findings.push(await find(requirement, places))
  }
  return findings
}

async function find(requirement: Requirement, places: RequirementPlaces): Promise<Finding> {
  switch (requirement.kind) {
    case 'run':
      return findRun(requirement, places)
    case 'certificate':
      return findCertificate(requirement, certificatesIn(places.folders), places)
    case 'comparison': {
      const { title } = requirement
      return places.compare?.(requirement) ?? { title, found: false, reason: 'nobody compares the groups here' }
    }
  }
}

function certificatesIn(folders: readonly string[]): string[] {
  return folders.flatMap((folder) => {
    const inRuns = listRuns(folder).runs.flatMap(({ path, certificates }) =>
      certificates.map((id) => join(path, 'certificate', id)),
    )
    const alone = namesIn(folder).filter((name) => idPattern.test(name))
    return [...alone.map((name) => join(folder, name)), ...inRuns]
  })
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort().toReversed()
  } catch {
    return []
  }
}

async function findCertificate(
  requirement: Extract<Requirement, { kind: 'certificate' }>,
  candidates: readonly string[],
  { trust, commit, wallMs }: RequirementPlaces,
): Promise<Finding> {
  const { title, suite, decision, minAgents, minRate, maxAgeMs, sameCommit } = requirement
  if (sameCommit && commit === null)
    return { title, found: false, reason: 'nobody said which commit is migrated: give --commit' }
  const expectation = {
    require: decision,
    // A scope has to be named; the smallest is no further condition.
    profile: 'smoke' as const,
    ...(minAgents === null ? {} : { minAgents }),
    ...(minRate === null ? {} : { minRate }),
    ...(maxAgeMs === null ? {} : { maxAgeMs }),
    ...(suite === null ? {} : { suites: [suite] }),
    ...(sameCommit && commit !== null ? { commit } : {}),
  }
  let why = 'there is no certificate'
  for (const path of candidates.slice(0, mostCandidates)) {
    const report = await verifyCertificate({ path, trust, nowMs: wallMs(), expectation, textOnly: false })
    if (report.verified) return { title, found: true, reason: `certificate ${report.id ?? ''}`.trim() }
    why = `${report.id ?? path}: ${report.failure?.message ?? 'not verified'}`
  }
  const others = candidates.length > 1 ? ` (and ${candidates.length - 1} others)` : ''
  return { title, found: false, reason: `${why}${others}`.slice(0, 2000) }
}

function findRun(requirement: Extract<Requirement, { kind: 'run' }>, places: RequirementPlaces): Finding {
  const { title, suite, decision, maxAgeMs } = requirement
  const entries = places.folders.flatMap((folder) => listRuns(folder, { suite, limit: mostCandidates }).runs)
  let why = `there is no run of ${suite}`
  for (const { id, path, state, startedAt } of entries) {
    // Of whole seconds: what is judged are days.
    const startedMs = parseIssueTime(`${(startedAt ?? '').slice(0, 19)}Z`)
    if (state !== 'decided' || startedMs === null) {
      why = `${id} was not run to its end`
      continue
    }
    const ageMs = places.wallMs() - startedMs
    if (maxAgeMs !== null && ageMs > maxAgeMs) {
      why = `${id} is older than ${durationWords(maxAgeMs)}`
      continue
    }
    const judged = decisionOf(path)
    if (suffices(judged, decision)) return { title, found: true, reason: `${id}: ${judged}` }
    why = `${id} says ${judged}`
  }
  return { title, found: false, reason: why }
}

function decisionOf(path: string): string {
  try {
    return deriveResults(openRunDirectory(path)).decision
  } catch (error) {
    if (error instanceof LighthouseError) return `nothing, since ${error.message}`
    throw error
  }
}

function suffices(judged: string, wanted: 'valid' | 'APPROVED' | 'CONDITIONALLY_APPROVED'): boolean {
  const approved = judged === 'APPROVED'
  if (wanted === 'APPROVED') return approved
  if (wanted === 'CONDITIONALLY_APPROVED') return approved || judged === wanted
  return approved || ['CONDITIONALLY_APPROVED', 'REQUIRES_REMEDIATION'].includes(judged)
}
