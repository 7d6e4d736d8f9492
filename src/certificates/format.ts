/**
 * Names, versions and limits of the certificate package. Everything that a foreign tool must agree with
 * (namespaces, media types, file names) stands here once. Sizes are bytes; limits are checked before parsing.
 * Formats: OpenSSH PROTOCOL.sshsig; in-toto Statement v1; DSSE v1; Sigstore bundle v0.3; coreutils sha256sum.
 */
import { runIdPattern } from '../measurement/utc-time.ts'

/** Of one run. */
export const certificateKinds = ['readiness', 'analysis'] as const
export type RunCertificateKind = (typeof certificateKinds)[number]
/** Of several runs under one decision. */
export const campaignKind = 'campaign'
/** Of a migration: that it is over, that a phase was left with its gates met, that agents went back. */
export const migrationKinds = ['migration', 'canary', 'rollback'] as const
export type MigrationKind = (typeof migrationKinds)[number]
export type CertificateKind = RunCertificateKind | typeof campaignKind | MigrationKind

export function isMigrationKind(kind: CertificateKind): kind is MigrationKind {
  return migrationKinds.some((known) => known === kind)
}

/** SSHSIG namespaces. A signature made for one meaning never counts for another. */
export const certificateNamespace = 'certificate@lighthouse-harness'
export const approvalNamespace = 'approve@lighthouse-harness'

export const statementType = 'https://in-toto.io/Statement/v1'
export const predicateTypes: Readonly<Record<CertificateKind, string>> = {
  readiness: 'urn:lighthouse-harness:readiness:v1',
  analysis: 'urn:lighthouse-harness:analysis:v1',
  campaign: 'urn:lighthouse-harness:campaign:v1',
  migration: 'urn:lighthouse-harness:migration:v1',
  canary: 'urn:lighthouse-harness:canary:v1',
  rollback: 'urn:lighthouse-harness:rollback:v1',
}
export const payloadType = 'application/vnd.in-toto+json'
export const bundleMediaType = 'application/vnd.dev.sigstore.bundle.v0.3+json'

/**
 * The verifier keeps every renderer and rule version ever published and picks by the number in the signed
 * statement; a number that it does not know is rejected, never guessed.
 */
export const rendererVersion = 1
export const decisionRulesVersion = 1

export const limits = {
  markdownBytes: 900_000,
  bundleBytes: 4_000_000,
  manifestBytes: 2_000_000,
  signoffBytes: 16_384,
  fileBytes: 64 * 1024 * 1024,
  /** A week of baseline and a canary of 48 h at intervals of ten seconds are about 100 MB; the bound of the whole package stays. */
  journalBytes: 192 * 1024 * 1024,
  packageBytes: 256 * 1024 * 1024,
  archiveBytes: 128 * 1024 * 1024,
  files: 10_000,
  pathCharacters: 200,
  folderDepth: 8,
  jsonDepth: 32,
  signoffs: 100,
  subjects: 16,
  trustFileBytes: 1_000_000,
  fieldCharacters: 200,
  sentenceCharacters: 2_000,
} as const

export const idPattern = /^LH-[0-9]{8}-[A-Z2-7]{16}$/

export const evidenceFolder = 'evidence'
export const signoffFolder = 'signoffs'

/** File names of a package, relative to its folder. */
export function packageNames(id: string): { markdown: string; bundle: string; manifest: string } {
  return { markdown: `${id}.md`, bundle: `${id}.md.sigstore.json`, manifest: `${id}.SHA256SUMS` }
}

/**
 * What of a run directory is evidence. An allow-list: whatever else lies there (report, plots, stores, logs,
 * other certificates) is never copied, so that nothing private leaves by accident.
 */
const evidencePatterns = [
  /^run\.json$/,
  /^results\.json$/,
  /^targets\.json$/,
  /^claims\.json$/,
  /^ledger\.json$/,
  /^rounds\/[A-Za-z0-9._-]+\/(?:round\.json|histograms\.hlog)$/,
] as const

/** The earlier certificate that `--previous` named, kept whole. */
export const previousEvidence = 'previous.md'

export function isEvidencePath(path: string): boolean {
  return isSafePath(path) && evidencePatterns.some((pattern) => pattern.test(path))
}

export const campaignTitle = 'PERFORMANCE READINESS CAMPAIGN CERTIFICATE'
export const campaignEvidence = 'campaign.json'
const memberFolder = 'members'

/** Where the evidence of a campaign's member stands. */
export function memberPath(runId: string, path: string): string {
  return `${memberFolder}/${runId}/${path}`
}

/** The run and the path inside it, or null for what is not evidence of a member. */
export function memberOfPath(path: string): { readonly runId: string; readonly path: string } | null {
  const [folder, runId = '', ...rest] = path.split('/')
  const inside = rest.join('/')
  return folder === memberFolder && runIdPattern.test(runId) && isEvidencePath(inside) ? { runId, path: inside } : null
}

/** Evidence of a campaign, and never of a run. */
export function isCampaignPath(path: string): boolean {
  return path === campaignEvidence || (isSafePath(path) && memberOfPath(path) !== null)
}

export const migrationTitles: Readonly<Record<MigrationKind, string>> = {
  migration: 'MIGRATION READINESS CERTIFICATE',
  canary: 'CANARY APPROVAL CERTIFICATE',
  rollback: 'ROLLBACK INCIDENT CERTIFICATE',
}
export const journalEvidence = 'journal.jsonl'
export const accountEvidence = 'account.json'

/** Evidence of a migration, and never of a run. */
export function isMigrationPath(path: string): boolean {
  return path === journalEvidence || path === accountEvidence
}

/** Bytes that a file of a package may have; `path` is relative to the package. */
export function largestFile(path: string): number {
  return path === `${evidenceFolder}/${journalEvidence}` ? limits.journalBytes : limits.fileBytes
}

/** Relative, of plain ASCII segments, without `.`, `..` or a backslash: what sha256sum prints without escapes. */
export function isSafePath(path: string): boolean {
  if (path.length === 0 || path.length > limits.pathCharacters) return false
  const segments = path.split('/')
  return (
    segments.length <= limits.folderDepth &&
    segments.every((segment) => /^[A-Za-z0-9._-]+$/.test(segment) && segment !== '.' && segment !== '..')
  )
}

/** C order (by byte), as `LC_ALL=C sort` gives for these ASCII names. */
export function inByteOrder(paths: Iterable<string>): string[] {
  return [...paths].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
}
