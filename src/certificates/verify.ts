/**
 * The verification ladder. Each rung is reached only when the one below holds, so that nothing is parsed before its
 * bytes are authenticated and the exit code is that of the lowest failure: (1) syntax and limits, (2) signature by a
 * key of local trust, (3) binding of every file, (4) meaning, (5) expectation. All rungs are reported, also those
 * not reached. Dropping a file never turns a refusal into a success: without evidence nothing is verified.
 */
import { sha256Hex } from '../measurement/canonical-json.ts'
import type { Decision } from '../statistics/verdict.ts'
import { exitCodes, LighthouseError, type ErrorCode } from '../platform/errors.ts'
import type { Status } from './assessment.ts'
import { checkMeaningOf, mayFollow } from './certified-subject.ts'
import { parseCertificateText, type CertificateText } from './certificate-text.ts'
import { parseBundle, verifyEnvelope, type Envelope } from './envelope.ts'
import { manifestDifferences, parseManifest, type ManifestEntry } from './evidence-manifest.ts'
import { checkExpectation, unmetExpectations, type Expectation } from './expectation.ts'
import { certificateNamespace, evidenceFolder, packageNames, previousEvidence, type CertificateKind } from './format.ts'
import { checkIssuedAfterRun, meaningDiffers } from './meaning.ts'
import type { MigrationMeaning } from './migration-facts.ts'
import { readPackage, type PackageSource } from './package-files.ts'
import { companionDifferences, evidenceAltered, layoutOf, type PackageLayout } from './package-layout.ts'
import { parsePrevious } from './previous.ts'
import { checkRendering, checkStatement } from './rendering-check.ts'
import { judgeSignoffs, parseSignoff, type SignoffJudgement } from './signoffs.ts'
import { fingerprintOf } from './ssh-wire.ts'
import { verifySsh } from './sshsig.ts'
import { parseStatement, type Statement } from './statement.ts'
import { isCampaign, isMigration, subjectOf, subjectStatus, type Meaning } from './subject.ts'
import { malformed } from './text-rules.ts'
import { judgeSigner, type TrustStore } from './trust-store.ts'

export interface VerifyRequest {
  /** A package folder, its .md, or an archive. */
  readonly path: string
  /** The same package when it was read already, so that what is verified is what the caller holds. */
  readonly source?: PackageSource
  readonly trust: TrustStore
  /** Wall-clock milliseconds since the epoch. */
  readonly nowMs: number
  readonly expectation: Expectation
  /** Accept a .md without its package after rung 2; the report says that evidence was not checked. */
  readonly textOnly: boolean
}

export const rungNames = ['syntax', 'signature', 'binding', 'meaning', 'expectation'] as const
export type RungName = (typeof rungNames)[number]

export interface Rung {
  readonly number: number
  readonly name: RungName
  readonly state: 'passed' | 'failed' | 'not-reached'
  readonly details: readonly string[]
}

export interface VerificationReport {
  readonly verified: boolean
  readonly exitCode: number
  /** What failed, or null. */
  readonly failure: {
    readonly code: ErrorCode
    readonly message: string
    readonly suggestions: readonly string[]
  } | null
  readonly rungs: readonly Rung[]
  readonly id: string | null
  readonly signer: { readonly fingerprint: string; readonly principals: readonly string[] } | null
  readonly signoffs: readonly SignoffJudgement[]
  /** Known only when the meaning was checked. */
  readonly certificate: {
    readonly kind: CertificateKind
    readonly component: string
    readonly agent: string
    readonly issuedAt: string
    readonly decision: Decision
    readonly status: Status
    readonly scope: string
    readonly commit: string | null
  } | null
  readonly textOnly: boolean
}

/** What the rungs have established so far. */
interface Ascent {
  readonly request: VerifyRequest
  layout?: PackageLayout
  text?: CertificateText
  envelope?: Envelope
  manifest?: readonly ManifestEntry[]
  principals?: readonly string[]
  statement?: Statement
  meaning?: Meaning
  signoffs: readonly SignoffJudgement[]
}

/** Throws USAGE and CONFIGURATION only; everything about the certificate is in the report. */
export async function verifyCertificate(request: VerifyRequest): Promise<VerificationReport> {
  checkExpectation(request.expectation)
  if (request.textOnly && Object.values(request.expectation).some((value) => value !== undefined)) {
    throw new LighthouseError('USAGE', '--text-only checks no evidence, so nothing further can be required of it', {
      suggestions: ['Leave --text-only out and verify the whole package.'],
    })
  }
  const ascent: Ascent = { request, signoffs: [] }
  const steps: Readonly<Record<RungName, () => readonly string[] | Promise<readonly string[]>>> = {
    syntax: async () => checkSyntax(ascent, request.source ?? (await readPackage(request.path))),
    signature: () => checkSignature(ascent),
    binding: () => checkBinding(ascent),
    meaning: () => checkAllMeaning(ascent),
    expectation: () => checkExpected(ascent),
  }
  const rungs: Rung[] = []
  let failure: LighthouseError | null = null
  for (const [index, name] of rungNames.entries()) {
    const rung = { number: index + 1, name }
    const skipped = request.textOnly && index >= 2 && ascent.layout?.alone === true
    if (failure !== null || skipped) {
      rungs.push({ ...rung, state: 'not-reached', details: skipped ? ['text only, evidence not checked'] : [] })
      continue
    }
    try {
      rungs.push({ ...rung, state: 'passed', details: await steps[name]() })
    } catch (error) {
      failure = asRefusal(error, name)
      rungs.push({ ...rung, state: 'failed', details: [failure.message] })
    }
  }
  return report(ascent, rungs, failure)
}

const codeOfRung: Readonly<Record<RungName, ErrorCode>> = {
  syntax: 'MALFORMED_CERTIFICATE',
  signature: 'SIGNATURE_ALTERED',
  binding: 'EVIDENCE_ALTERED',
  meaning: 'MEANING_DIFFERS',
  expectation: 'EXPECTATION_UNMET',
}
const refusals: readonly ErrorCode[] = [...Object.values(codeOfRung), 'SIGNER_UNTRUSTED']

/** Errors of lower layers (a run that cannot be read) become the rung's own; usage errors and defects pass through. */
function asRefusal(error: unknown, rung: RungName): LighthouseError {
  if (!(error instanceof LighthouseError) || error.code === 'USAGE' || error.code === 'CONFIGURATION') throw error
  if (refusals.includes(error.code)) return error
  return new LighthouseError(codeOfRung[rung], error.message, { cause: error, suggestions: error.suggestions })
}

function checkSyntax(ascent: Ascent, source: PackageSource): readonly string[] {
  const layout = layoutOf(source)
  const names = packageNames(layout.id)
  ascent.layout = layout
  ascent.text = parseCertificateText(layout.markdown, names.markdown)
  if (layout.bundle !== null) ascent.envelope = parseBundle(layout.bundle, names.bundle)
  if (layout.manifest !== null) ascent.manifest = parseManifest(layout.manifest, names.manifest)
  for (const [file, bytes] of layout.signoffs) parseSignoff(bytes, file)
  if (source.alone) return ['text only: there is no package around it']
  return [`${source.files.size} files within the limits`]
}

function checkSignature(ascent: Ascent): readonly string[] {
  const { request } = ascent
  const { body, signature } = established(ascent.text)
  const altered = (message: string): LighthouseError => new LighthouseError('SIGNATURE_ALTERED', message)
  if (!verifySsh(Buffer.from(body, 'utf8'), certificateNamespace, signature)) {
    throw altered(
      signature.namespace === certificateNamespace
        ? 'the text was altered after it was signed, or the signature is not of this text'
        : 'the signature was made for another purpose than a certificate',
    )
  }
  if (ascent.envelope !== undefined && !verifyEnvelope(ascent.envelope, signature.publicKey)) {
    throw altered('the envelope is not signed by the key that signed the text')
  }
  const answer = judgeSigner(request.trust, signature.publicKey, certificateNamespace, request.nowMs)
  if (!answer.trusted) {
    throw new LighthouseError('SIGNER_UNTRUSTED', answer.reason, {
      suggestions: [
        'If you got that key from a source you trust: `lighthouse certify trust add FILE --principal NAME`.',
      ],
    })
  }
  ascent.principals = answer.principals
  const issuer = { publicKey: signature.publicKey, principals: answer.principals }
  const layout = established(ascent.layout)
  ascent.signoffs = judgeSignoffs(layout.markdown, layout.signoffs, issuer, request.trust, request.nowMs)
  return [
    `signed by ${answer.principals.join(', ')}, key ${fingerprintOf(signature.publicKey)}, trusted by ${request.trust.source}`,
  ]
}

function checkBinding(ascent: Ascent): readonly string[] {
  const layout = established(ascent.layout)
  const names = packageNames(layout.id)
  if (layout.alone) throw evidenceAltered('text only, evidence not checked: the package is not beside the .md')
  if (ascent.envelope === undefined || layout.bundle === null) throw evidenceAltered(`${names.bundle} is missing`)
  if (ascent.manifest === undefined || layout.manifest === null) throw evidenceAltered(`${names.manifest} is missing`)
  const statement = parseStatement(ascent.envelope.payload)
  ascent.statement = statement
  if (statement.id !== layout.id) throw evidenceAltered(`the statement is of ${statement.id}, not of ${layout.id}`)
  if (sha256Hex(layout.markdown) !== statement.markdownSha256)
    throw evidenceAltered(`${names.markdown} is not the file of the statement`)
  if (sha256Hex(layout.manifest) !== statement.manifestSha256)
    throw evidenceAltered(`${names.manifest} is not the one of the statement`)
  if (!established(ascent.text).body.includes(`\nCertificate Hash: ${statement.manifestSha256}\n`)) {
    throw evidenceAltered('the Certificate Hash in the text is not the digest of the evidence manifest')
  }
  const differences = [
    ...manifestDifferences(ascent.manifest, layout.evidence),
    ...layout.extra.map((path) => `${path} is not part of a certificate`),
    ...companionDifferences(layout, established(ascent.text).signature),
  ]
  if (differences.length > 0) throw evidenceAltered(summary(differences))
  return [`${ascent.manifest.length} evidence files, none missing, altered or extra`]
}

async function checkAllMeaning(ascent: Ascent): Promise<readonly string[]> {
  const layout = established(ascent.layout)
  const statement = established(ascent.statement)
  const manifest = established(ascent.manifest)
  const inside = new Map([...layout.evidence].map(([path, bytes]) => [path.slice(evidenceFolder.length + 1), bytes]))
  // Others follow no earlier certificate, so there the file is a stranger among the evidence.
  const follows = mayFollow(statement.kind)
  const previousBytes = follows ? inside.get(previousEvidence) : undefined
  if (follows) inside.delete(previousEvidence)
  const meaning = await checkMeaningOf(statement, inside)
  const previous = previousBytes === undefined ? null : readPrevious(previousBytes)
  checkIssuedAfterRun(subjectOf(meaning).endedAt, statement.issuedAt)
  checkStatement(statement, meaning)
  const { body, signature } = established(ascent.text)
  checkRendering(body, { statement, manifest, meaning, previous, fingerprint: fingerprintOf(signature.publicKey) })
  ascent.meaning = meaning
  return [
    ...(isCampaign(meaning) ? [`${meaning.members.length} runs and the campaign over them`] : []),
    ...(isMigration(meaning) ? [journalCounted(meaning)] : []),
    'figures recomputed from the histograms, decision re-derived, text rendered again: all equal',
  ]
}

function journalCounted({ migration: { journal } }: MigrationMeaning): string {
  const { lines, decisions, intervals, histograms } = journal
  return `${lines} lines of the journal: ${decisions} decisions come to again from ${intervals} intervals and ${histograms} histograms`
}

function readPrevious(bytes: Uint8Array): ReturnType<typeof parsePrevious> {
  try {
    return parsePrevious(bytes, (message) => malformed(message))
  } catch (cause) {
    if (cause instanceof LighthouseError) throw meaningDiffers(cause.message, cause)
    throw cause
  }
}

function checkExpected(ascent: Ascent): readonly string[] {
  const { request, signoffs } = ascent
  const statement = established(ascent.statement)
  const meaning = established(ascent.meaning)
  const unmet = unmetExpectations(request.expectation, { statement, meaning, signoffs, nowMs: request.nowMs })
  if (unmet.length > 0) throw new LighthouseError('EXPECTATION_UNMET', summary(unmet))
  const asked = Object.values(request.expectation).filter((value) => value !== undefined).length
  return [asked === 0 ? 'nothing in particular was expected' : 'as expected']
}

function summary(lines: readonly string[]): string {
  return lines.length <= 8 ? lines.join('; ') : `${lines.slice(0, 8).join('; ')}; and ${lines.length - 8} more`
}

/** A value that a lower rung has set; its absence would be a defect of the ladder itself. */
function established<T>(value: T | undefined): T {
  if (value === undefined) throw new LighthouseError('INTERNAL', 'a rung was climbed before the one below it')
  return value
}

function report(ascent: Ascent, rungs: readonly Rung[], failure: LighthouseError | null): VerificationReport {
  const { statement, meaning } = ascent
  const signed = ascent.principals !== undefined && ascent.text !== undefined
  return {
    verified: failure === null,
    exitCode: failure === null ? exitCodes.APPROVED : failure.exitCode,
    failure:
      failure === null ? null : { code: failure.code, message: failure.message, suggestions: failure.suggestions },
    rungs,
    id: ascent.layout?.id ?? null,
    signer: signed
      ? {
          fingerprint: fingerprintOf(established(ascent.text).signature.publicKey),
          principals: established(ascent.principals),
        }
      : null,
    signoffs: ascent.signoffs,
    certificate:
      statement === undefined || meaning === undefined
        ? null
        : {
            kind: statement.kind,
            component: statement.component,
            agent: statement.agent,
            issuedAt: statement.issuedAt,
            decision: subjectOf(meaning).decision,
            status: subjectStatus(statement.kind, meaning),
            scope: subjectOf(meaning).scope,
            commit: subjectOf(meaning).commit.value,
          },
    textOnly: ascent.layout?.alone ?? false,
  }
}
