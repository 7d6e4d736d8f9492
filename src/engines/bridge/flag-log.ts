/**
 * The log of flags: every change ever made, by whom and why, each line bound to the one before it.
 *
 * A line is JSON whose last member is the SHA-256 of the line without it; it names the hash of the line before. Whoever alters,
 * drops or reorders a line breaks the chain, which is read whole before a server starts on it. A last line that was cut off, as by a kill in
 * the middle of its write, was never answered for and is dropped; anything else that does not fit is an error. Lines are synced before they count.
 */
import { createHash, randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { syncFolder } from '../../measurement/durable-write.ts'
import type { FlagRecord, Flags } from '../../measurement/flags-document.ts'
import { LighthouseError } from '../../platform/errors.ts'
import { isJsonObject } from '../elicitation/schema.ts'
import { defaultFlags, readFlags } from './flags.ts'

const nothingBefore = '0'.repeat(64)
/** Beyond it no change is taken; what was written up to there can always be read again. */
const largestLog = 64 * 2 ** 20
const largestFile = 2 * largestLog
export const longestActor = 64
export const longestReason = 500
const printable = /^[^\p{Cc}\p{Cs}]+$/u

/** Whether it may stand in the log: not empty, without control characters, not too long. */
export function isFlagText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value.length <= longest && value.trim() !== '' && printable.test(value)
}

/** The text that the hash of a line covers. */
function lineText(record: Omit<FlagRecord, 'hash'>, salt: string): string {
  const { revision, atWallMs, actor, reason, flags, previous } = record
  return JSON.stringify({ revision, atWallMs, actor, reason, flags, previous, salt })
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

export class FlagLog {
  readonly salt: string
  /** From the beginning; never empty. */
  readonly records: FlagRecord[]
  private readonly file: string | null
  /** Of all lines, a little less than what is on disk: well below what can be read again. */
  private bytes: number

  private constructor(file: string | null, salt: string, records: FlagRecord[]) {
    this.file = file
    this.salt = salt
    this.records = records
    this.bytes = records.reduce((sum, record) => sum + JSON.stringify(record).length, 0)
  }

  /** Opens the log of `file`, or begins it with `initial`; null keeps it in memory. Throws LighthouseError('STORE'). */
  static open(file: string | null, wallMs: number, initial: Partial<Flags> = {}): FlagLog {
    const lines = file === null ? [] : readLines(file)
    if (lines.length > 0) {
      const { salt, records } = verifiedLog(lines, file ?? '')
      return new FlagLog(file, salt, records)
    }
    const log = new FlagLog(file, randomBytes(16).toString('base64url'), [])
    log.write({ ...defaultFlags, ...initial }, 'lighthouse', 'the log begins', wallMs)
    return log
  }

  get last(): FlagRecord {
    const last = this.records.at(-1)
    if (last === undefined) throw new LighthouseError('INTERNAL', 'a log of flags is never empty')
    return last
  }

  /** On disk when it returns. Throws LighthouseError('STORE') and has then written nothing that counts. */
  write(flags: Flags, actor: string, reason: string, wallMs: number): FlagRecord {
    const before = this.records.at(-1)
    const unsigned = {
      revision: (before?.revision ?? -1) + 1,
      atWallMs: wallMs,
      actor,
      reason,
      flags,
      previous: before?.hash ?? nothingBefore,
    }
    const text = lineText(unsigned, this.salt)
    const record = { ...unsigned, hash: sha256(text) }
    this.bytes += text.length + record.hash.length
    if (this.bytes > largestLog) {
      this.bytes -= text.length + record.hash.length
      throw new LighthouseError('STORE', 'The log of flags is full; the change was not made.', {
        suggestions: [
          'Stop the server, keep the log elsewhere, and start anew: flags then begin as they are by default.',
        ],
      })
    }
    if (this.file !== null) {
      appendSynced(this.file, `${text.slice(0, -1)},"hash":"${record.hash}"}\n`)
      // The file's own name has to be on disk too.
      if (before === undefined) syncFolder(dirname(this.file))
    }
    this.records.push(record)
    return record
  }
}

function readLines(file: string): string[] {
  let text: string
  try {
    if (statSync(file).size > largestFile) throw damaged(file, 0, 'it is larger than this program ever makes it')
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    if (cause instanceof LighthouseError) throw cause
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return []
    throw new LighthouseError('STORE', `The log of flags ${file} cannot be read.`, { cause })
  }
  const end = text.lastIndexOf('\n') + 1
  // What stands behind the last line end was never synced whole, so nobody was told that it counts.
  if (end < text.length) cutOff(file, Buffer.byteLength(text.slice(0, end)))
  return text.slice(0, end).split('\n').slice(0, -1)
}

function verifiedLog(lines: readonly string[], file: string): { salt: string; records: FlagRecord[] } {
  const values: unknown[] = lines.map((line, index) => {
    try {
      return JSON.parse(line) as unknown
    } catch {
      throw damaged(file, index + 1, 'it is no line of this log')
    }
  })
  const [first] = values
  const salt = isJsonObject(first) ? first['salt'] : null
  if (typeof salt !== 'string') throw damaged(file, 1, 'it is no line of this log')
  // Whole lines hold the salt; what else differs from the text that is hashed, the comparison below finds.
  for (const [index, value] of values.entries()) {
    const line = lines[index] ?? ''
    if (!isJsonObject(value) || value['salt'] !== salt || JSON.stringify(value) !== line)
      throw damaged(file, index + 1, 'it is no line of this log')
  }
  return { salt, records: readRecords(values, salt, file) }
}

/** Records in order from the first, their hashes and chain checked. Throws LighthouseError('STORE'); `file` names them there. */
export function readRecords(values: readonly unknown[], salt: string, file: string): FlagRecord[] {
  const records: FlagRecord[] = []
  for (const [index, value] of values.entries()) {
    const record = readRecord(value)
    if (record === null) throw damaged(file, index + 1, 'it is no line of this log')
    if (record.hash !== sha256(lineText(record, salt))) throw damaged(file, index + 1, 'its hash is not its own')
    if (record.previous !== (records.at(-1)?.hash ?? nothingBefore) || record.revision !== index)
      throw damaged(file, index + 1, 'it does not follow the line before')
    records.push(record)
  }
  return records
}

function readRecord(value: unknown): FlagRecord | null {
  if (!isJsonObject(value)) return null
  const { revision, atWallMs, actor, reason, previous, hash } = value
  const flags = readFlags(value['flags'])
  if (typeof revision !== 'number' || typeof atWallMs !== 'number' || flags === null) return null
  if (!isFlagText(actor, longestActor) || !isFlagText(reason, longestReason)) return null
  if (typeof previous !== 'string' || typeof hash !== 'string') return null
  return { revision, atWallMs, actor, reason, flags, previous, hash }
}

function damaged(file: string, line: number, what: string): LighthouseError {
  return new LighthouseError('STORE', `The log of flags ${file} was altered: line ${line}: ${what}.`, {
    suggestions: ['Find out who changed it. To start all the same, move the file aside: all flags begin anew.'],
  })
}

function appendSynced(file: string, line: string): void {
  let descriptor: number | null = null
  try {
    descriptor = openSync(file, 'a', 0o600)
    const size = statSync(file).size
    try {
      const bytes = Buffer.from(line)
      // A full disk may take a part of it.
      if (writeSync(descriptor, bytes) !== bytes.length) throw new Error('the disk is full')
      fsyncSync(descriptor)
    } catch (error) {
      ftruncateSync(descriptor, size)
      throw error
    }
  } catch (cause) {
    throw new LighthouseError('STORE', `The log of flags ${file} cannot be written; the change was not made.`, {
      cause,
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
