/**
 * An issued certificate to attack, and the tools of two attackers: one who can change files but has no trusted key,
 * and one who holds the signing key and signs what the evidence does not say.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseCertificateText, signCertificateText } from '../../../src/certificates/certificate-text.ts'
import { ensureDefaultKey } from '../../../src/certificates/default-key.ts'
import { parseBundle, writeBundle } from '../../../src/certificates/envelope.ts'
import { writeManifest } from '../../../src/certificates/evidence-manifest.ts'
import type { Expectation } from '../../../src/certificates/expectation.ts'
import {
  certificateNamespace,
  packageNames,
  type MigrationKind,
  type RunCertificateKind,
} from '../../../src/certificates/format.ts'
import { issueCertificate, type Issued } from '../../../src/certificates/issue.ts'
import type { SigningKey } from '../../../src/certificates/keys.ts'
import { readFolder } from '../../../src/certificates/package-files.ts'
import { readTrust, trustFiles, type TrustFiles, type TrustStore } from '../../../src/certificates/trust-store.ts'
import { verifyCertificate, type VerificationReport } from '../../../src/certificates/verify.ts'
import { sha256Hex } from '../../../src/measurement/canonical-json.ts'
import { writeRecordedRun, type FixtureOptions } from './recorded-run.ts'

export const issuedAtMs = 1_795_316_400_000
export const component = 'FEATURE_PACK_0 Elicitation vs wait_for_messages'

export class Laboratory {
  readonly root = mkdtempSync(join(tmpdir(), 'certificate-'))
  readonly config = join(this.root, 'config')
  readonly trustFiles: TrustFiles = trustFiles(this.config)
  readonly key: SigningKey
  #copies = 0

  constructor() {
    const key = ensureDefaultKey(this.config)
    if (!key.available) throw new Error(key.reason)
    this.key = key.key
  }

  get trust(): TrustStore {
    return readTrust(this.trustFiles)
  }

  folder(): string {
    this.#copies += 1
    return join(this.root, `folder-${this.#copies}`)
  }

  run(options: FixtureOptions = {}): string {
    return writeRecordedRun(this.folder(), options)
  }

  issue(
    runDirectory: string,
    extra: {
      kind?: RunCertificateKind | MigrationKind
      phase?: string
      previous?: string
      now?: number
      key?: SigningKey
    } = {},
  ): Promise<Issued> {
    return issueCertificate({
      runDirectory,
      outputDirectory: join(runDirectory, 'certificate'),
      key: extra.key ?? this.key,
      component,
      agent: 'performance-engineer',
      now: extra.now ?? issuedAtMs,
      ...(extra.kind === undefined ? {} : { kind: extra.kind }),
      ...(extra.phase === undefined ? {} : { phase: extra.phase }),
      ...(extra.previous === undefined ? {} : { previous: extra.previous }),
    })
  }

  /** A fresh copy of a package, under the same folder name. */
  copy(issued: Issued): string {
    const target = join(this.folder(), issued.id)
    cpSync(issued.packagePath, target, { recursive: true })
    return target
  }

  verify(
    path: string,
    expectation: Expectation = {},
    more: { trust?: TrustStore; nowMs?: number; textOnly?: boolean } = {},
  ): Promise<VerificationReport> {
    return verifyCertificate({
      path,
      expectation,
      trust: more.trust ?? this.trust,
      nowMs: more.nowMs ?? issuedAtMs + 60_000,
      textOnly: more.textOnly ?? false,
    })
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}

export function edit(file: string, change: (text: string) => string): void {
  const before = readFileSync(file, 'utf8')
  const after = change(before)
  if (after === before) throw new Error(`the edit of ${file} changed nothing`)
  writeFileSync(file, after)
}

export function markdownOf(folder: string): string {
  const name = readdirSync(folder).find((entry) => entry.startsWith('LH-') && entry.endsWith('.md'))
  if (name === undefined) throw new Error('no certificate')
  return join(folder, name)
}

/** What a dishonest holder of the signing key can do: everything is bound again and signed. */
export function forge(
  folder: string,
  id: string,
  key: SigningKey,
  change: { body?: (body: string) => string; statement?: (statement: string) => string } = {},
): void {
  const names = packageNames(id)
  const files = readFolder(folder)
  const evidence = new Map([...files].filter(([path]) => path.startsWith('evidence/')))
  const manifest = writeManifest(evidence)
  const { body } = parseCertificateText(files.get(names.markdown) as Uint8Array, 'it')
  let forged = body
  for (const [path, bytes] of evidence) {
    forged = forged.replace(
      new RegExp(`(\`${path.replaceAll('.', '\\.')}\` SHA-256 \`)[0-9a-f]{64}`),
      `$1${sha256Hex(bytes)}`,
    )
  }
  forged = forged.replace(/(Certificate Hash: )[0-9a-f]{64}/, `$1${sha256Hex(manifest)}`)
  forged = change.body?.(forged) ?? forged
  const markdown = signCertificateText(forged, certificateNamespace, key)
  const old = Buffer.from(parseBundle(files.get(names.bundle) as Uint8Array, 'it').payload).toString('utf8')
  const rebound = old
    .replaceAll(sha256Hex(files.get(names.manifest) as Uint8Array), sha256Hex(manifest))
    .replaceAll(sha256Hex(files.get(names.markdown) as Uint8Array), sha256Hex(markdown))
  const statement = change.statement?.(rebound) ?? rebound
  writeFileSync(join(folder, names.manifest), manifest)
  writeFileSync(join(folder, names.markdown), markdown)
  writeFileSync(join(folder, names.bundle), writeBundle(Buffer.from(statement, 'utf8'), key))
}
