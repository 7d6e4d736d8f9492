/**
 * Issues a certificate for a recorded run, campaign or migration. First the meaning check: what does not follow from the evidence is never
 * signed. Then, without circularity: evidence → SHA256SUMS → Markdown body (which prints the digest of SHA256SUMS)
 * → SSHSIG inside the file → digest of the whole file → Statement → DSSE. The package appears under its final name
 * only when it is complete, and an existing one is never touched.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { sha256Hex } from '../measurement/canonical-json.ts'
import { LighthouseError } from '../platform/errors.ts'
import { makeFolders } from '../platform/folders.ts'
import { signCertificateText } from './certificate-text.ts'
import { code, field } from './escape.ts'
import { parseManifest, writeManifest } from './evidence-manifest.ts'
import { certifiedSubject, type WantedSubject } from './certified-subject.ts'
import { certificateNamespace, evidenceFolder, limits, packageNames, previousEvidence } from './format.ts'
import { writeBundle } from './envelope.ts'
import { formatIssueTime } from './issue-time.ts'
import { isCode, type SigningKey } from './keys.ts'
import { checkIssuedAfterRun } from './meaning.ts'
import { readRegularFile } from './package-files.ts'
import { parsePrevious, type PreviousCertificate } from './previous.ts'
import { renderMeaning } from './render-meaning.ts'
import { buildPredicate, certificateId, commitDigest, writeStatement, type FixedInputs } from './statement.ts'
import type { Status } from './assessment.ts'
import { subjectOf, subjectStatus } from './subject.ts'

export interface IssueRequest extends WantedSubject {
  /** The package becomes `<outputDirectory>/<ID>/`. */
  readonly outputDirectory: string
  readonly key: SigningKey
  readonly component: string
  /** Who vouches, e.g. `performance-engineer`. */
  readonly agent: string
  /** Wall-clock milliseconds since the epoch. */
  readonly now: number
  /** The .md of an earlier certificate of the same component. */
  readonly previous?: string
}

export interface Issued {
  readonly id: string
  readonly status: Status
  readonly markdownPath: string
  readonly packagePath: string
  readonly fingerprint: string
  readonly newKey: boolean
}

/** Throws MEANING_DIFFERS (the results do not follow), RUN_DIRECTORY, USAGE, or ENVIRONMENT (cannot be written). */
export async function issueCertificate(request: IssueRequest): Promise<Issued> {
  checkRequest(request)
  const { kind, phase, evidence, meaning } = await certifiedSubject(request)
  const previous = readPrevious(request)
  const fixed: FixedInputs = {
    kind,
    phase,
    component: request.component,
    agent: request.agent,
    issuedAt: formatIssueTime(request.now),
  }
  checkIssuedAfterRun(subjectOf(meaning).endedAt, fixed.issuedAt)

  const files = new Map([...evidence].map(([path, bytes]) => [`${evidenceFolder}/${path}`, bytes]))
  if (previous !== null) files.set(`${evidenceFolder}/${previousEvidence}`, previous.bytes)
  const manifest = Buffer.from(writeManifest(files), 'utf8')
  const manifestSha256 = sha256Hex(manifest)
  const id = certificateId(fixed, manifestSha256, meaning)
  const names = packageNames(id)
  const { fingerprint } = request.key
  const listed = { manifestSha256, evidence: parseManifest(manifest, names.manifest) }
  const inputs = { ...fixed, id, fingerprint, ...listed, previous: previous?.certificate ?? null }
  const body = renderMeaning(inputs, meaning)
  const markdown = Buffer.from(signCertificateText(body, certificateNamespace, request.key), 'utf8')
  if (markdown.length > limits.markdownBytes) {
    throw new LighthouseError(
      'USAGE',
      `the certificate would have ${markdown.length} bytes, more than ${limits.markdownBytes}`,
    )
  }
  const predicate = buildPredicate(id, fixed, manifestSha256, meaning)
  const payload = writeStatement(id, fixed.kind, markdown, manifestSha256, commitDigest(meaning), predicate)
  files.set(names.manifest, manifest)
  files.set(names.markdown, markdown)
  files.set(names.bundle, Buffer.from(writeBundle(payload, request.key), 'utf8'))
  const packagePath = join(request.outputDirectory, id)
  writePackage(packagePath, files)
  return {
    id,
    status: subjectStatus(fixed.kind, meaning),
    packagePath,
    markdownPath: join(packagePath, names.markdown),
    fingerprint,
    newKey: request.key.isNew,
  }
}

function checkRequest(request: IssueRequest): void {
  for (const name of ['component', 'agent'] as const) {
    const value = request[name]
    if (value.trim() === '' || value.length > limits.fieldCharacters || !value.isWellFormed()) {
      throw new LighthouseError('USAGE', `--${name} must have 1 to ${limits.fieldCharacters} characters`, {
        suggestions: [
          `Give a short name, e.g. --${name} ${name === 'agent' ? 'performance-engineer' : '"Message bridge"'}.`,
        ],
      })
    }
  }
}

function readPrevious(request: IssueRequest): { bytes: Uint8Array; certificate: PreviousCertificate } | null {
  if (request.previous === undefined) return null
  const bytes = readRegularFile(request.previous, request.previous, limits.markdownBytes)
  const certificate = parsePrevious(bytes, (message) => new LighthouseError('SIGNATURE_ALTERED', message))
  if (certificate.component !== field(request.component)) {
    throw new LighthouseError(
      'USAGE',
      `the previous certificate is of the component ${certificate.component}, not of ${code(request.component)}`,
      { suggestions: ['Name an earlier certificate of the same component, or leave --previous out.'] },
    )
  }
  return { bytes, certificate }
}

/** Complete or not at all: written beside, synced, then renamed to a name that must not exist. */
function writePackage(packagePath: string, files: ReadonlyMap<string, Uint8Array>): void {
  if (existsSync(packagePath)) {
    throw new LighthouseError('USAGE', `${packagePath} exists; a certificate is never overwritten`, {
      suggestions: ['Wait a second and issue again: every certificate has an ID of its own.'],
    })
  }
  const temporary = `${packagePath}.${randomBytes(4).toString('hex')}.tmp`
  try {
    for (const [path, bytes] of files) {
      const file = join(temporary, path)
      makeFolders(dirname(file))
      writeFileSync(file, bytes, { flag: 'wx', flush: true })
    }
    renameSync(temporary, packagePath)
  } catch (cause) {
    rmSync(temporary, { recursive: true, force: true })
    if (cause instanceof LighthouseError) throw cause
    const taken = isCode(cause, 'ENOTEMPTY') || isCode(cause, 'EEXIST')
    throw new LighthouseError(
      'ENVIRONMENT',
      `the certificate cannot be written to ${packagePath}${taken ? ': it exists' : ''}`,
      {
        cause,
        suggestions: ['Check the permissions and the free space of the folder, or name another with --output.'],
      },
    )
  }
}
