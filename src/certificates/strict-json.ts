/**
 * JSON for signed documents. `JSON.parse` takes the last of two equal keys, accepts any depth and creates
 * `__proto__` as data; two parsers that disagree can be shown different documents under one signature.
 * This reader scans the text once, rejects duplicate keys, `__proto__`, excessive depth and numbers that do
 * not survive a double, and only then lets `JSON.parse` build the value from the same text.
 */
import { limits } from './format.ts'
import { decodeUtf8, malformed } from './text-rules.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

export function parseStrictJson(bytes: Uint8Array, name: string): Json {
  const text = decodeUtf8(bytes, name)
  scan(text, name)
  try {
    return JSON.parse(text) as Json
  } catch (cause) {
    throw malformed(`${name} is not JSON`, cause)
  }
}

/** Structure only: what the scan passes over as a token is judged by `JSON.parse` afterwards. */
function scan(text: string, name: string): void {
  const open: (Set<string> | null)[] = []
  const number = /-?\d[\d.eE+-]*/y
  let index = 0
  while (index < text.length) {
    const character = text[index] as string
    let next = index + 1
    if (character === '{' || character === '[') {
      open.push(character === '{' ? new Set() : null)
      if (open.length > limits.jsonDepth) throw malformed(`${name} is nested more than ${limits.jsonDepth} deep`)
    } else if (character === '}' || character === ']') open.pop()
    else if (character === '"') {
      next = stringEnd(text, index, name)
      if (isKey(text, next)) addKey(open.at(-1), text.slice(index, next), name)
    } else if (character === '-' || (character >= '0' && character <= '9')) {
      number.lastIndex = index
      const found = number.exec(text)?.[0] ?? character
      checkNumber(found, name)
      next = index + found.length
    }
    index = next
  }
}

/** Index after the closing quote of the string that opens at `start`. */
function stringEnd(text: string, start: number, name: string): number {
  let quote = text.indexOf('"', start + 1)
  while (quote !== -1) {
    let slashes = 0
    while (text[quote - 1 - slashes] === '\\') slashes += 1
    if (slashes % 2 === 0) return quote + 1
    quote = text.indexOf('"', quote + 1)
  }
  throw malformed(`${name} ends inside a string`)
}

/** Whether a colon follows. JSON allows these four characters as white space, no others. */
function isKey(text: string, index: number): boolean {
  let after = index
  while (text[after] === ' ' || text[after] === '\n' || text[after] === '\t' || text[after] === '\r') after += 1
  return text[after] === ':'
}

function addKey(keys: Set<string> | null | undefined, quoted: string, name: string): void {
  let key: unknown
  try {
    key = JSON.parse(quoted)
  } catch (cause) {
    throw malformed(`${name} holds a malformed key`, cause)
  }
  if (typeof key !== 'string' || keys === null || keys === undefined) throw malformed(`${name} is not JSON`)
  if (key === '__proto__') throw malformed(`${name} holds the key __proto__`)
  if (keys.has(key)) throw malformed(`${name} holds the key "${key.slice(0, 40)}" twice`)
  keys.add(key)
}

function checkNumber(text: string, name: string): void {
  const value = Number(text)
  if (!Number.isFinite(value)) throw malformed(`${name} holds the number ${text.slice(0, 40)}, which is not finite`)
  if (Object.is(value, -0)) throw malformed(`${name} holds a negative zero`)
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw malformed(`${name} holds the integer ${text.slice(0, 40)}, which is beyond exact range`)
  }
}

/** Typed access that throws MALFORMED_CERTIFICATE; `path` names the place in messages. */
export function jsonObject(value: Json | undefined, path: string): Readonly<Record<string, Json>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(`${path} is not an object`)
  return value as Readonly<Record<string, Json>>
}

export function jsonArray(value: Json | undefined, path: string): readonly Json[] {
  if (!Array.isArray(value)) throw malformed(`${path} is not an array`)
  return value as readonly Json[]
}

export function jsonString(value: Json | undefined, path: string): string {
  if (typeof value !== 'string') throw malformed(`${path} is not a string`)
  return value
}

export function jsonInteger(value: Json | undefined, path: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw malformed(`${path} is not an integer`)
  return value
}

/** Rejects keys outside `allowed`: a field that nobody reads is a place to hide one that somebody else does. */
export function onlyKeys(value: Readonly<Record<string, Json>>, allowed: readonly string[], path: string): void {
  for (const key of Object.keys(value)) {
    if (!allowed.includes(key)) throw malformed(`${path} holds the unknown field "${key.slice(0, 40)}"`)
  }
}
