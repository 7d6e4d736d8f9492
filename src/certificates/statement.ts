/**
 * The in-toto Statement v1 of a certificate: what is signed outside the file. Subjects are the finished Markdown,
 * the evidence manifest and the commit under test; the predicate carries the fixed inputs of the renderer and, for
 * machines, decision, scope and targets in the field names of the eval-result proposal (metric, comparator,
 * threshold, passed, sampleSize). The verifier builds the predicate anew from the evidence and compares.
 */
import { canonicalJson, sha256Hex } from '../measurement/canonical-json.ts'
import type { ResultsDocument } from '../measurement/results-document.ts'
import {
  campaignKind,
  certificateKinds,
  decisionRulesVersion,
  idPattern,
  isMigrationKind,
  limits,
  migrationKinds,
  packageNames,
  predicateTypes,
  rendererVersion,
  statementType,
  type CertificateKind,
} from './format.ts'
import { parseIssueTime } from './issue-time.ts'
import { jsonArray, jsonInteger, jsonObject, jsonString, onlyKeys, parseStrictJson, type Json } from './strict-json.ts'
import { migrationPredicate } from './migration-predicate.ts'
import { isCampaign, isMigration, measuredScope, subjectOf, subjectStatus, type Meaning } from './subject.ts'
import { malformed } from './text-rules.ts'

/** The inputs that the evidence does not hold. */
export interface FixedInputs {
  readonly kind: CertificateKind
  /** That a canary approval is of; null for every other kind. */
  readonly phase: string | null
  readonly component: string
  readonly agent: string
  /** As `formatIssueTime` writes it. */
  readonly issuedAt: string
}

export interface Statement extends FixedInputs {
  readonly id: string
  readonly markdownSha256: string
  readonly manifestSha256: string
  readonly gitCommit: string | null
  readonly predicate: Json
}

/** `LH-<date>-<16 base32 characters>`, recomputed by every verifier. */
export function certificateId(fixed: FixedInputs, manifestSha256: string, meaning: Meaning): string {
  const { commit, engines } = subjectOf(meaning)
  const named = {
    manifest: manifestSha256,
    commit: commit.value,
    engines,
    decision: subjectStatus(fixed.kind, meaning),
    issuedAt: fixed.issuedAt,
    // One journal may have certificates of several forms in the same second.
    ...(isMigrationKind(fixed.kind) ? { kind: fixed.kind, phase: fixed.phase } : {}),
  }
  const digest = sha256Hex(`lighthouse-id/v1\0${canonicalJson(named)}`)
  return `LH-${fixed.issuedAt.slice(0, 10).replaceAll('-', '')}-${base32(Buffer.from(digest, 'hex').subarray(0, 10))}`
}

/** RFC 4648 §6, for whole groups of five bytes. */
function base32(bytes: Uint8Array): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return (bits.match(/.{5}/g) ?? []).map((group) => alphabet[Number.parseInt(group, 2)]).join('')
}

export function buildPredicate(id: string, fixed: FixedInputs, manifestSha256: string, meaning: Meaning): Json {
  const { decision, commit, dirty, engines } = subjectOf(meaning)
  const certificate = { id, ...fixedFields(fixed), rendererVersion, decisionRulesVersion }
  const head = { schemaVersion: 1, certificate, decision, status: subjectStatus(fixed.kind, meaning) }
  if (isMigration(meaning)) return { ...head, ...migrationPredicate(meaning, manifestSha256) }
  if (!isCampaign(meaning)) {
    const { run, results } = meaning
    return {
      ...head,
      scope: { ...measuredScope(meaning) },
      run: { id: results.runId, commit: commit.value, dirty: dirty.value },
      engines,
      evidence: { manifestSha256, targetsSha256: run.targets.sha256 },
      targets: results.targets.map(targetFields),
    }
  }
  const { campaign, members } = meaning
  return {
    ...head,
    scope: { text: campaign.scope, profile: campaign.profile },
    campaign: { id: campaign.campaignId, commit: commit.value, dirty: dirty.value },
    engines,
    evidence: { manifestSha256, targetsSha256: campaign.targets?.sha256 ?? null },
    suites: campaign.suites.map(({ suite, outcome, decision: own, runId, manifestSha256: evidence }) => {
      const member = members.find(({ results }) => results.runId === runId)
      return {
        suite,
        outcome,
        decision: own,
        run: runId,
        evidenceManifestSha256: evidence,
        scope: member === undefined ? null : { ...measuredScope(member) },
        targetsSha256: member?.run.targets.sha256 ?? null,
        targets: (member?.results.targets ?? []).map(targetFields),
      }
    }),
  }
}

function fixedFields({ kind, phase, component, agent, issuedAt }: FixedInputs): { readonly [key: string]: Json } {
  return { kind, ...(phase === null ? {} : { phase }), component, agent, issuedAt }
}

function targetFields(target: ResultsDocument['targets'][number]): Json {
  const match = /^(\S+)\s*(<=|>=|<|>)\s*(.+)$/.exec(target.expression)
  return {
    metric: match?.[1] ?? target.expression,
    comparator: match?.[2] ?? '',
    threshold: match?.[3] ?? '',
    passed: target.verdict === 'MET',
    sampleSize: target.n,
    measured: target.value,
    low: target.low,
    high: target.high,
    unit: target.unit,
    verdict: target.verdict,
    mandatory: target.mandatory,
  }
}

/** The payload's bytes. */
export function writeStatement(
  id: string,
  kind: CertificateKind,
  markdown: Uint8Array,
  manifestSha256: string,
  gitCommit: string | null,
  predicate: Json,
): Uint8Array {
  const names = packageNames(id)
  const statement = {
    _type: statementType,
    subject: [
      { name: names.markdown, digest: { sha256: sha256Hex(markdown) } },
      { name: names.manifest, digest: { sha256: manifestSha256 } },
      ...(gitCommit === null ? [] : [{ name: 'code-under-test', digest: { gitCommit } }]),
    ],
    predicateType: predicateTypes[kind],
    predicate,
  }
  return Buffer.from(JSON.stringify(statement), 'utf8')
}

/** A commit that may stand in a digest: SHA-1 or SHA-256 in lower-case hexadecimal, and observed, not declared. */
export function commitDigest(meaning: Meaning): string | null {
  if (isMigration(meaning)) return null
  const commit = subjectOf(meaning).commit.value
  return commit !== null && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(commit) ? commit : null
}

/** To be called on a payload whose signature has been verified, with those same bytes. */
export function parseStatement(payload: Uint8Array): Statement {
  const what = 'the signed statement'
  const statement = jsonObject(parseStrictJson(payload, what), what)
  onlyKeys(statement, ['_type', 'subject', 'predicateType', 'predicate'], what)
  if (statement['_type'] !== statementType) throw malformed(`${what}: _type is not ${statementType}`)
  const predicate = jsonObject(statement['predicate'], `${what}: predicate`)
  if (jsonInteger(predicate['schemaVersion'], `${what}: schemaVersion`) !== 1)
    throw malformed(`${what}: schemaVersion is not known`)
  const certificate = jsonObject(predicate['certificate'], `${what}: certificate`)
  const kind = ([...certificateKinds, campaignKind, ...migrationKinds] as const).find(
    (known) => known === certificate['kind'],
  )
  if (kind === undefined || statement['predicateType'] !== predicateTypes[kind]) {
    throw malformed(`${what}: predicateType and kind are not of a certificate`)
  }
  checkVersions(certificate, what)
  const id = jsonString(certificate['id'], `${what}: id`)
  if (!idPattern.test(id)) throw malformed(`${what}: id is not a certificate ID`)
  const issuedAt = jsonString(certificate['issuedAt'], `${what}: issuedAt`)
  if (parseIssueTime(issuedAt) === null) throw malformed(`${what}: issuedAt is not a UTC time`)
  const names = packageNames(id)
  const subjects = readSubjects(jsonArray(statement['subject'], `${what}: subject`), what)
  return {
    id,
    kind,
    phase: kind === 'canary' ? phaseOf(certificate['phase'], what) : null,
    component: jsonString(certificate['component'], `${what}: component`),
    agent: jsonString(certificate['agent'], `${what}: agent`),
    issuedAt,
    markdownSha256: sha256Of(subjects.get(names.markdown), `${what}: ${names.markdown}`),
    manifestSha256: sha256Of(subjects.get(names.manifest), `${what}: ${names.manifest}`),
    gitCommit: subjects.get('code-under-test')?.get('gitCommit') ?? null,
    predicate,
  }
}

/** As a plan may name one. */
function phaseOf(value: Json | undefined, what: string): string {
  const phase = jsonString(value, `${what}: phase`)
  if (!/^[a-z][a-z0-9-]{0,39}$/.test(phase)) throw malformed(`${what}: phase is not the name of one`)
  return phase
}

function checkVersions(certificate: Readonly<Record<string, Json>>, what: string): void {
  if (
    certificate['rendererVersion'] !== rendererVersion ||
    certificate['decisionRulesVersion'] !== decisionRulesVersion
  ) {
    throw malformed(
      `${what}: it was rendered by a version that this program does not know; use the version of Lighthouse that issued it, or a newer one`,
    )
  }
}

function readSubjects(list: readonly Json[], what: string): ReadonlyMap<string, ReadonlyMap<string, string>> {
  if (list.length > limits.subjects) throw malformed(`${what} has more than ${limits.subjects} subjects`)
  const subjects = new Map<string, ReadonlyMap<string, string>>()
  for (const item of list) {
    const subject = jsonObject(item, `${what}: subject`)
    onlyKeys(subject, ['name', 'digest'], `${what}: subject`)
    const name = jsonString(subject['name'], `${what}: subject name`)
    if (subjects.has(name)) throw malformed(`${what} names the subject "${name.slice(0, 60)}" twice`)
    const digest = Object.entries(jsonObject(subject['digest'], `${what}: digest`))
    subjects.set(name, new Map(digest.map(([algorithm, value]) => [algorithm, jsonString(value, `${what}: digest`)])))
  }
  return subjects
}

/** SHA-256 or nothing: a weaker digest beside it is not looked at, instead of it is rejected. */
function sha256Of(digest: ReadonlyMap<string, string> | undefined, what: string): string {
  const value = digest?.get('sha256')
  if (value === undefined || !/^[0-9a-f]{64}$/.test(value))
    throw malformed(`${what} has no SHA-256 digest in the statement`)
  return value
}
