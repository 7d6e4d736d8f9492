/**
 * The last rung: a genuine certificate may still be the wrong one. What the verifier expects (commit, component, age,
 * decision within a scope, sign-offs) is compared with what the evidence says. Nothing here is optional once asked
 * for: an unknown commit does not match, an unknown scope does not suffice.
 */
import type { Suite } from '../measurement/vocabulary.ts'
import { LighthouseError } from '../platform/errors.ts'
import type { Status } from './assessment.ts'
import { duration, figure } from './figures.ts'
import type { CertificateKind } from './format.ts'
import { parseIssueTime } from './issue-time.ts'
import type { SignoffJudgement } from './signoffs.ts'
import type { Statement } from './statement.ts'
import { migrationScope } from './migration-facts.ts'
import {
  isCampaign,
  isMigration,
  measuredScope,
  subjectOf,
  subjectStatus,
  type MeasuredScope,
  type Meaning,
  type RunMeaning,
} from './subject.ts'

export const requirable = ['APPROVED', 'CONDITIONALLY_APPROVED', 'RECOMMEND'] as const
export type Requirement = (typeof requirable)[number]

export const scopeProfiles = ['smoke', 'standard', 'full'] as const

export interface Expectation {
  /** Full commit, or at least 12 leading characters of it. */
  readonly commit?: string | undefined
  readonly component?: string | undefined
  readonly maxAgeMs?: number | undefined
  /** CONDITIONALLY_APPROVED is also fulfilled by APPROVED. */
  readonly require?: Requirement | undefined
  /** At least this profile. */
  readonly profile?: (typeof scopeProfiles)[number] | undefined
  readonly minAgents?: number | undefined
  readonly minRate?: number | undefined
  /** Rounds in which every engine was valid, times their length; of a migration, the time observed. */
  readonly minDurationMs?: number | undefined
  /** Which form, so that a canary cannot pass for a migration. */
  readonly kind?: CertificateKind | undefined
  readonly signoffs?: number | undefined
  /** Suites that must have run to their end, in a campaign or as the one run. */
  readonly suites?: readonly Suite[] | undefined
}

/** Clocks of issuer and verifier may differ by this much before a certificate counts as of the future. */
const clockToleranceMs = 300_000

/** Throws USAGE: an approval without a scope would let a small run pass for production. */
export function checkExpectation(expectation: Expectation): void {
  const { commit, require, profile, minAgents, minRate, minDurationMs } = expectation
  const scoped = [profile, minAgents, minRate, minDurationMs].some((value) => value !== undefined)
  if (require !== undefined && !scoped) {
    throw new LighthouseError('USAGE', `--require ${require} needs the scope within which it must hold`, {
      suggestions: ['Add --profile, or --min-agents, --min-rate or --min-duration.'],
    })
  }
  if (commit !== undefined && !/^[0-9a-f]{12,64}$/.test(commit)) {
    throw new LighthouseError('USAGE', '--commit must be 12 to 64 lower-case hexadecimal characters', {
      suggestions: ['Use the full commit: --commit "$(git rev-parse HEAD)".'],
    })
  }
}

interface Facts {
  readonly statement: Statement
  readonly meaning: Meaning
  readonly signoffs: readonly SignoffJudgement[]
  readonly nowMs: number
}

/** What is not as expected; empty when everything is. */
export function unmetExpectations(expectation: Expectation, facts: Facts): readonly string[] {
  return [
    ...timeUnmet(expectation, facts),
    ...identityUnmet(expectation, facts),
    ...kindUnmet(expectation, facts),
    ...decisionUnmet(expectation, facts),
    ...scopeUnmet(expectation, facts),
    ...suitesUnmet(expectation, facts),
    ...signoffsUnmet(expectation, facts),
  ]
}

function timeUnmet({ maxAgeMs }: Expectation, { statement, nowMs }: Facts): string[] {
  const issuedMs = parseIssueTime(statement.issuedAt)
  if (issuedMs === null || issuedMs > nowMs + clockToleranceMs)
    return [`it is dated ${statement.issuedAt}, in the future`]
  if (maxAgeMs === undefined || nowMs - issuedMs <= maxAgeMs) return []
  return [
    `it was issued ${duration(1000 * Math.floor((nowMs - issuedMs) / 1000))} ago; at most ${duration(maxAgeMs)} is accepted`,
  ]
}

function identityUnmet({ commit, component }: Expectation, { statement, meaning }: Facts): string[] {
  const unmet: string[] = []
  const { commit: known, dirty } = subjectOf(meaning)
  if (commit !== undefined && (known.value === null || !known.value.startsWith(commit))) {
    unmet.push(`it is for commit ${known.value ?? '(not known)'}, not for ${commit}`)
  } else if (commit !== undefined && dirty.value !== false) {
    unmet.push(
      `the working tree of the run ${dirty.value === true ? 'differed' : 'is not known to be equal'} to commit ${commit}`,
    )
  }
  if (component !== undefined && statement.component !== component) {
    unmet.push(`it is for the component ${JSON.stringify(statement.component)}, not for ${JSON.stringify(component)}`)
  }
  return unmet
}

function kindUnmet({ kind }: Expectation, { statement }: Facts): string[] {
  return kind === undefined || statement.kind === kind
    ? []
    : [`it is a certificate of ${statement.kind}, not of ${kind}`]
}

function decisionUnmet({ require }: Expectation, { statement, meaning }: Facts): string[] {
  if (require === undefined) return []
  const status: Status = require === 'RECOMMEND' ? subjectStatus(statement.kind, meaning) : subjectOf(meaning).decision
  const enough = status === require || (require === 'CONDITIONALLY_APPROVED' && status === 'APPROVED')
  return enough ? [] : [`it says ${status}, not ${require}`]
}

/** Of a campaign every run has to have the scope: one large run does not stand for the others. */
function scopeUnmet(expectation: Expectation, { meaning }: Facts): string[] {
  if (isMigration(meaning)) {
    const { agents, exchangesPerSecond, observedMs } = migrationScope(meaning.migration)
    const profile = expectation.profile === undefined ? [] : ['a migration has no profile']
    return [
      ...profile,
      ...sizeUnmet(expectation, { agents, ratePerSecond: exchangesPerSecond, measuredMs: observedMs }),
    ]
  }
  return subjectOf(meaning).runs.flatMap((each) => {
    const unmet = runScopeUnmet(expectation, each)
    return isCampaign(meaning) ? unmet.map((what) => `${each.results.suite} (${each.run.runId}): ${what}`) : unmet
  })
}

function runScopeUnmet(expectation: Expectation, meaning: RunMeaning): string[] {
  const scope = measuredScope(meaning)
  const { profile } = expectation
  const size = (name: string): number => scopeProfiles.findIndex((known) => known === name)
  const smaller = profile !== undefined && size(scope.profile) < size(profile)
  const unmet = smaller ? [`its profile is ${scope.profile}, smaller than ${profile}`] : []
  return [...unmet, ...sizeUnmet(expectation, scope)]
}

function sizeUnmet(
  { minAgents, minRate, minDurationMs }: Expectation,
  scope: Pick<MeasuredScope, 'agents' | 'ratePerSecond' | 'measuredMs'>,
): string[] {
  const unmet: string[] = []
  if (minAgents !== undefined && scope.agents < minAgents)
    unmet.push(`it covers ${scope.agents} agents, fewer than ${minAgents}`)
  if (minRate !== undefined && scope.ratePerSecond < minRate) {
    unmet.push(`it covers ${figure(scope.ratePerSecond)} exchanges/s, fewer than ${figure(minRate)}`)
  }
  if (minDurationMs !== undefined && scope.measuredMs < minDurationMs) {
    unmet.push(`it rests on ${duration(scope.measuredMs)} of valid load, less than ${duration(minDurationMs)}`)
  }
  return unmet
}

function suitesOf(meaning: Meaning): readonly Suite[] {
  if (isMigration(meaning)) return []
  return isCampaign(meaning)
    ? meaning.campaign.suites.flatMap(({ suite, outcome }) => (outcome === 'finished' ? [suite] : []))
    : [meaning.run.suite]
}

function suitesUnmet({ suites }: Expectation, { meaning }: Facts): string[] {
  const finished = suitesOf(meaning)
  const missing = (suites ?? []).filter((suite) => !finished.includes(suite))
  return missing.length === 0 ? [] : [`it covers ${finished.join(', ') || 'no suite'}, and not ${missing.join(', ')}`]
}

function signoffsUnmet({ signoffs: needed }: Expectation, { signoffs }: Facts): string[] {
  if (needed === undefined) return []
  const counted = signoffs.filter((signoff) => signoff.counted).length
  if (counted >= needed) return []
  const refused = signoffs
    .filter((signoff) => !signoff.counted)
    .map(({ file, reason }) => `signoffs/${file}: ${reason}`)
  return [`it has ${counted} valid sign-offs of ${needed} required`, ...refused]
}
