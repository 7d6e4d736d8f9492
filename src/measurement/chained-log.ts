/**
 * An append-only log whose lines are bound to each other: what the log of a bridge's flags and the journal of a migration have in common.
 *
 * A line is a JSON object whose last two members are `previous`, the hash of the line before (64 zeros in the first), and `hash`, the SHA-256 of
 * the line without it. Whoever alters, drops or reorders a line breaks the chain. A last line that was cut off, as by a kill in the middle of its write, was
 * never answered for and is dropped; anything else that does not fit is an error. Lines are synced before they count.
 */
import { createHash } from 'node:crypto'
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { LighthouseError } from '../platform/errors.ts'
import { syncFolder } from './durable-write.ts'

export const nothingBefore = '0'.repeat(64)
const hashMember = /,"hash":"([0-9a-f]{64})"\}$/
const previousMember = /,"previous":"([0-9a-f]{64})"\}$/
const chunkBytes = 1 << 16

export interface ChainLink {
  readonly previous: string
  readonly hash: string
}

export interface ChainRules {
  /** What it is called in errors, as in "The log of flags". */
  readonly title: string
  /** What to do about one that is broken. */
  readonly remedy: string
  /** Bytes beyond which nothing is written; what was written up to there can always be read again. */
  readonly largestBytes: number
  readonly longestLine: number
}

export interface ChainEnd {
  readonly lines: number
  readonly hash: string
  /** Of whole lines. */
  readonly bytes: number
  /** Bytes behind the last line end, never synced whole. */
  readonly tornBytes: number
}

const emptyChain: ChainEnd = { lines: 0, hash: nothingBefore, bytes: 0, tornBytes: 0 }

/** `line` counts from 1. */
export type TakeLine = (body: Readonly<Record<string, unknown>>, link: ChainLink, line: number) => void

export function damagedLog({ title, remedy }: ChainRules, file: string, line: number, what: string): LighthouseError {
  return new LighthouseError('STORE', `${title} ${file} was altered: line ${line}: ${what}.`, { suggestions: [remedy] })
}

/** The text that a hash covers, and the hash. */
export function linkOf(body: object, previous: string): { readonly text: string; readonly hash: string } {
  const text = JSON.stringify({ ...body, previous })
  return { text, hash: createHash('sha256').update(text).digest('hex') }
}

/**
 * Reads every whole line, or those after `from`, and checks them and the chain; nothing is written. A file that does not exist is an empty log.
 * Throws LighthouseError('STORE').
 */
export function readChain(file: string, rules: ChainRules, take: TakeLine, from: ChainEnd = emptyChain): ChainEnd {
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return emptyChain
    throw new LighthouseError('STORE', `${rules.title} ${file} cannot be read.`, { cause })
  }
  try {
    if (fstatSync(descriptor).size > 2 * rules.largestBytes)
      throw damagedLog(rules, file, 0, 'it is larger than this program ever makes it')
    return readLines(
      (chunk, position) => readSync(descriptor, chunk, 0, chunk.length, position),
      file,
      rules,
      take,
      from,
    )
  } catch (cause) {
    if (cause instanceof LighthouseError) throw cause
    throw new LighthouseError('STORE', `${rules.title} ${file} cannot be read.`, { cause })
  } finally {
    closeSync(descriptor)
  }
}

/** The same of bytes that are in memory already, so that what was authenticated is what is read; `name` is for errors. */
export function readChainBytes(data: Uint8Array, name: string, rules: ChainRules, take: TakeLine): ChainEnd {
  const read = (chunk: Buffer, position: number): number => {
    const part = data.subarray(position, position + chunk.length)
    chunk.set(part)
    return part.length
  }
  return readLines(read, name, rules, take, emptyChain)
}

/** Fills the chunk from the position on, and gives the number of bytes; 0 at the end. */
type ReadChunk = (chunk: Buffer, position: number) => number

function readLines(readChunk: ReadChunk, file: string, rules: ChainRules, take: TakeLine, start: ChainEnd): ChainEnd {
  const chunk = Buffer.alloc(chunkBytes)
  let rest: Buffer = Buffer.alloc(0)
  let { lines, bytes, hash } = start
  let position = bytes
  for (;;) {
    const count = readChunk(chunk, position)
    position += count
    if (count === 0) return { lines, hash, bytes, tornBytes: rest.length }
    let from = 0
    const read = Buffer.concat([rest, chunk.subarray(0, count)])
    // What was left over holds no line end.
    for (let end = read.indexOf(10, rest.length); end !== -1; end = read.indexOf(10, from)) {
      lines++
      hash = takeLine(
        read.toString('utf8', from, end),
        hash,
        (what) => damagedLog(rules, file, lines, what),
        take,
        lines,
      )
      bytes += end + 1 - from
      from = end + 1
    }
    rest = Buffer.from(read.subarray(from))
    if (rest.length > rules.longestLine) throw damagedLog(rules, file, lines + 1, 'it is no line of this log')
  }
}

function takeLine(
  line: string,
  before: string,
  damaged: (what: string) => LighthouseError,
  take: TakeLine,
  number: number,
): string {
  const hash = hashMember.exec(line)?.[1]
  const text = hash === undefined ? '' : `${line.slice(0, -hash.length - ',"hash":""}'.length)}}`
  const previous = previousMember.exec(text)?.[1]
  if (hash === undefined || previous === undefined) throw damaged('it is no line of this log')
  if (createHash('sha256').update(text).digest('hex') !== hash) throw damaged('its hash is not its own')
  if (previous !== before) throw damaged('it does not follow the line before')
  let body: Record<string, unknown>
  try {
    body = JSON.parse(text) as Record<string, unknown>
  } catch {
    throw damaged('it is no line of this log')
  }
  delete body['previous']
  take(body, { previous, hash }, number)
  return hash
}

/** The writing end. One process holds it at a time, which is for its user to see to. */
export class ChainedLog {
  private readonly file: string | null
  private readonly rules: ChainRules
  private end: ChainEnd

  private constructor(file: string | null, rules: ChainRules, end: ChainEnd) {
    this.file = file
    this.rules = rules
    this.end = end
  }

  /** Reads what is there, drops what a kill cut off, and is ready to go on; null keeps it in memory. Throws LighthouseError('STORE'). */
  static open(file: string | null, rules: ChainRules, take: TakeLine): ChainedLog {
    if (file === null) return new ChainedLog(null, rules, { lines: 0, hash: nothingBefore, bytes: 0, tornBytes: 0 })
    const end = readChain(file, rules, take)
    if (end.tornBytes > 0) cutOff(file, end.bytes)
    return new ChainedLog(file, rules, { ...end, tornBytes: 0 })
  }

  get lines(): number {
    return this.end.lines
  }

  /** Of the last line. */
  get hash(): string {
    return this.end.hash
  }

  /**
   * All of them are on disk when it returns, with one sync. Throws LighthouseError('STORE'), and none of them counts then, except that a disk that
   * fails its sync may keep the first of them.
   */
  append(...bodies: readonly object[]): ChainLink[] {
    const links: ChainLink[] = []
    let data = ''
    let { hash } = this.end
    for (const body of bodies) {
      const { text, hash: own } = linkOf(body, hash)
      links.push({ previous: hash, hash: own })
      const line = `${text.slice(0, -1)},"hash":"${own}"}\n`
      if (line.length > this.rules.longestLine)
        throw new LighthouseError('INTERNAL', `a line of ${line.length} characters is too long for a log`)
      data += line
      hash = own
    }
    const bytes = this.end.bytes + Buffer.byteLength(data)
    if (bytes > this.rules.largestBytes)
      throw new LighthouseError('STORE', `${this.rules.title} is full; nothing was written to it.`, {
        suggestions: [this.rules.remedy],
      })
    if (this.file !== null) appendSynced(this.file, this.end.bytes, Buffer.from(data), this.rules.title)
    // The file's own name has to be on disk too.
    if (this.file !== null && this.end.lines === 0) syncFolder(dirname(this.file))
    this.end = { lines: this.end.lines + bodies.length, hash, bytes, tornBytes: 0 }
    return links
  }
}

function appendSynced(file: string, size: number, data: Buffer, title: string): void {
  let descriptor: number | null = null
  try {
    descriptor = openSync(file, 'a', 0o600)
    if (fstatSync(descriptor).size !== size) throw new Error('somebody else wrote to it')
    try {
      // A full disk may take a part of it.
      if (writeSync(descriptor, data) !== data.length) throw new Error('the disk is full')
      fsyncSync(descriptor)
    } catch (error) {
      ftruncateSync(descriptor, size)
      throw error
    }
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause)
    throw new LighthouseError('STORE', `${title} ${file} cannot be written: ${what}.`, {
      cause,
      suggestions: ['Free some space, or make the file writable; what was written before is complete.'],
    })
  } finally {
    if (descriptor !== null) closeSync(descriptor)
  }
}

function cutOff(file: string, size: number): void {
  const descriptor = openSync(file, 'r+')
  try {
    ftruncateSync(descriptor, size)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
