/**
 * Canonical JSON after RFC 8785 (JCS): one value, one sequence of bytes, so that a digest over a document
 * means the document and not its formatting. Members are sorted by UTF-16 code units, numbers are written as
 * ECMAScript does, and nothing is escaped that need not be. What I-JSON (RFC 7493) cannot carry is refused
 * rather than altered: NaN, infinities, lone surrogates, undefined, functions and big integers.
 */
import { createHash } from 'node:crypto'
import { LighthouseError } from '../platform/errors.ts'

/** Deeper nesting than any document of this project; also what a cycle runs into. */
const deepest = 64

/** Throws LighthouseError('INTERNAL') that names the place of what JSON cannot carry. */
export function canonicalJson(value: unknown): string {
  return write(value, '$', 0)
}

/** Lower-case hexadecimal; text is hashed as UTF-8. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

/** SHA-256 of the canonical bytes. */
export function canonicalSha256(value: unknown): string {
  return sha256Hex(canonicalJson(value))
}

/** How documents of a run are laid out on disk: two spaces, members as they come, one newline at the end. */
export function documentText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

function write(value: unknown, path: string, depth: number): string {
  if (depth > deepest) return refuse(path, `is nested more than ${deepest} deep`)
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') {
    return Number.isFinite(value) ? JSON.stringify(value) : refuse(path, `is ${value}`)
  }
  if (typeof value === 'string') return writeString(value, path)
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value
    return `[${Array.from(items, (item, index) => write(item, `${path}[${index}]`, depth + 1)).join(',')}]`
  }
  if (typeof value === 'object' && isPlain(value)) {
    const members = Object.entries(value)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, member]) => `${writeString(key, path)}:${write(member, `${path}.${key}`, depth + 1)}`)
    return `{${members.join(',')}}`
  }
  return refuse(path, `is of type ${typeof value}, which JSON cannot carry`)
}

/** A map, a date or a typed array would come out as `{}` or as something its reader cannot take back. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function writeString(text: string, path: string): string {
  return text.isWellFormed() ? JSON.stringify(text) : refuse(path, 'holds a lone surrogate')
}

function refuse(path: string, what: string): never {
  throw new LighthouseError('INTERNAL', `Cannot write canonical JSON: ${path.slice(0, 200)} ${what}.`)
}
