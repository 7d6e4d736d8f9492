/**
 * Reads and writes lines of OpenSSH's allowed_signers format (ssh-keygen(1), ALLOWED SIGNERS): principals,
 * options (`namespaces`, `valid-after`, `valid-before`), key type, key. Only Ed25519 lines decide anything here;
 * lines of other key types and certificate authorities are left to the tools that know them. Times without `Z`
 * are read as UTC.
 */
import { LighthouseError } from '../platform/errors.ts'
import { decodeBase64 } from './base64.ts'
import { parseIssueTime } from './issue-time.ts'
import { publicKeyLine } from './keys.ts'
import { ed25519Name, fingerprintOf, rawPublicKey } from './ssh-wire.ts'

export interface AllowedSigner {
  readonly principals: readonly string[]
  /** Patterns; empty when the line allows every namespace. */
  readonly namespaces: readonly string[]
  /** Milliseconds since the epoch. */
  readonly validAfterMs: number | null
  readonly validBeforeMs: number | null
  /** 32 raw bytes. */
  readonly publicKey: Uint8Array
  readonly fingerprint: string
}

function broken(place: string, what: string): LighthouseError {
  return new LighthouseError('CONFIGURATION', `${place}: ${what}`, {
    suggestions: ['Correct the line; its form is: PRINCIPAL [namespaces="…",valid-before="YYYYMMDDZ"] ssh-ed25519 KEY'],
  })
}

export function parseAllowedSigners(text: string, file: string): readonly AllowedSigner[] {
  const signers: AllowedSigner[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    const signer = parseLine(trimmed, `${file} line ${index + 1}`)
    if (signer !== null) signers.push(signer)
  }
  return signers
}

function parseLine(line: string, place: string): AllowedSigner | null {
  const words = splitWords(line, place)
  const principals = words[0] as string
  const keyAt = words.findIndex((word, index) => index > 0 && /^(?:ssh-|ecdsa-|sk-)/.test(word))
  const encoded = keyAt === -1 ? undefined : words[keyAt + 1]
  if (encoded === undefined || keyAt > 2) throw broken(place, 'there is no key where one is expected')
  if (words[keyAt] !== ed25519Name) return null
  const options = keyAt === 2 ? parseOptions(words[1] as string, place) : new Map<string, string>()
  if (options.has('cert-authority')) return null
  const publicKey = parseKey(encoded, place)
  return {
    principals: principals.replaceAll('"', '').split(','),
    namespaces: options.get('namespaces')?.split(',') ?? [],
    validAfterMs: parseTime(options.get('valid-after'), place),
    validBeforeMs: parseTime(options.get('valid-before'), place),
    publicKey,
    fingerprint: fingerprintOf(publicKey),
  }
}

/** Words are separated by white space outside double quotes. */
function splitWords(line: string, place: string): string[] {
  const words = line.match(/(?:"[^"]*"|[^\s"])+/g) ?? []
  if ((line.match(/"/g)?.length ?? 0) % 2 !== 0) throw broken(place, 'a quote is not closed')
  return words
}

function parseOptions(text: string, place: string): Map<string, string> {
  const options = new Map<string, string>()
  for (const option of text.match(/(?:"[^"]*"|[^,"])+/g) ?? []) {
    const match = /^([a-z-]+)(?:="([^"]*)")?$/.exec(option)
    const name = match?.[1]?.toLowerCase()
    if (name === undefined || !['namespaces', 'valid-after', 'valid-before', 'cert-authority'].includes(name)) {
      throw broken(place, `the option ${JSON.stringify(option.slice(0, 60))} is not known`)
    }
    if (options.has(name)) throw broken(place, `the option ${name} is given twice`)
    options.set(name, match?.[2] ?? '')
  }
  return options
}

/** YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with or without Z. */
function parseTime(text: string | undefined, place: string): number | null {
  if (text === undefined) return null
  const match = /^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?Z?$/.exec(text)
  const [, year, month, day, hour = '00', minute = '00', second = '00'] = match ?? []
  const ms = match === null ? null : parseIssueTime(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  if (ms === null)
    throw broken(place, `${JSON.stringify(text.slice(0, 40))} is not a time of the form YYYYMMDD[HHMM[SS]]Z`)
  return ms
}

/** 32 raw bytes from the base64 of a public key blob. */
function parseKey(encoded: string, place: string): Uint8Array {
  try {
    return rawPublicKey(decodeBase64(encoded, 'the key'), 'the key')
  } catch (cause) {
    throw new LighthouseError('CONFIGURATION', `${place}: the key is not an ${ed25519Name} key`, { cause })
  }
}

/** `ssh-ed25519 AAAA… [comment]`, as in a .pub file or a list of revoked keys. */
export function parsePublicKeyLine(line: string, place: string): Uint8Array {
  const words = line.trim().split(/\s+/)
  const at = words.indexOf(ed25519Name)
  const encoded = words[at + 1]
  if (at === -1 || encoded === undefined) throw broken(place, `there is no ${ed25519Name} key`)
  return parseKey(encoded, place)
}

export interface SignerLine {
  readonly principal: string
  readonly namespaces: readonly string[]
  /** YYYYMMDD[HHMM[SS]]Z */
  readonly validAfter?: string
  readonly validBefore?: string
}

/** One line without its line feed; throws USAGE when the principal cannot stand in one. */
export function writeSignerLine(line: SignerLine, publicKey: Uint8Array): string {
  if (!/^[A-Za-z0-9._@+-]{1,100}$/.test(line.principal)) {
    throw new LighthouseError(
      'USAGE',
      `the principal ${JSON.stringify(line.principal.slice(0, 60))} is not a plain name`,
      {
        suggestions: ['Use letters, digits and . _ @ + - only, e.g. ci@example.org.'],
      },
    )
  }
  const options = [
    `namespaces="${line.namespaces.join(',')}"`,
    ...(line.validAfter === undefined ? [] : [`valid-after="${line.validAfter}"`]),
    ...(line.validBefore === undefined ? [] : [`valid-before="${line.validBefore}"`]),
  ]
  const written = `${line.principal} ${options.join(',')} ${publicKeyLine(publicKey)}`
  parseAllowedSigners(written, 'the new line')
  return written
}

/** `*` and `?` patterns; a pattern with `!` in front excludes. An empty list allows everything. */
export function allowsNamespace(patterns: readonly string[], namespace: string): boolean {
  if (patterns.length === 0) return true
  const matches = (pattern: string): boolean =>
    new RegExp(
      `^${pattern
        .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
        .replaceAll('*', '.*')
        .replaceAll('?', '.')}$`,
    ).test(namespace)
  if (patterns.some((pattern) => pattern.startsWith('!') && matches(pattern.slice(1)))) return false
  return patterns.some((pattern) => !pattern.startsWith('!') && matches(pattern))
}
