/**
 * The log of flags: every change ever made, by whom and why, each line bound to the one before it (measurement/chained-log.ts).
 */
import { randomBytes } from 'node:crypto'
import { ChainedLog, damagedLog, linkOf, nothingBefore, type ChainRules } from '../../measurement/chained-log.ts'
import type { FlagRecord, Flags } from '../../measurement/flags-document.ts'
import { LighthouseError } from '../../platform/errors.ts'
import { isJsonObject } from '../elicitation/schema.ts'
import { defaultFlags, readFlags } from './flags.ts'

const rules: ChainRules = {
  title: 'The log of flags',
  remedy: 'To start all the same, move the file aside: all flags then begin as they are by default.',
  largestBytes: 64 * 2 ** 20,
  longestLine: 8 * 2 ** 20,
}
export const longestActor = 64
export const longestReason = 500
const printable = /^[^\p{Cc}\p{Cs}]+$/u

/** Whether it may stand in the log: not empty, without control characters, not too long. */
export function isFlagText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value.length <= longest && value.trim() !== '' && printable.test(value)
}

type Change = Omit<FlagRecord, 'previous' | 'hash'>

export class FlagLog {
  readonly salt: string
  /** From the beginning; never empty. */
  readonly records: FlagRecord[]
  private readonly chain: ChainedLog

  private constructor(chain: ChainedLog, salt: string, records: FlagRecord[]) {
    this.chain = chain
    this.salt = salt
    this.records = records
  }

  /** Opens the log of `file`, or begins it with `initial`; null keeps it in memory. Throws LighthouseError('STORE'). */
  static open(file: string | null, wallMs: number, initial: Partial<Flags> = {}): FlagLog {
    const records: FlagRecord[] = []
    let salt: string | null = null
    const chain = ChainedLog.open(file, rules, (body, link, line) => {
      const { salt: own, ...change } = body
      salt ??= typeof own === 'string' ? own : null
      const record = own === salt && salt !== null ? readChange(change) : null
      if (record?.revision !== line - 1) throw damagedLog(rules, file ?? '', line, 'it is no line of this log')
      records.push({ ...record, ...link })
    })
    if (salt !== null) return new FlagLog(chain, salt, records)
    const log = new FlagLog(chain, randomBytes(16).toString('base64url'), [])
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
    const change: Change = {
      revision: (this.records.at(-1)?.revision ?? -1) + 1,
      atWallMs: wallMs,
      actor,
      reason,
      flags,
    }
    const [link] = this.chain.append(lineOf(change, this.salt))
    if (link === undefined) throw new LighthouseError('INTERNAL', 'a line of the log of flags has no hash')
    const record = { ...change, ...link }
    this.records.push(record)
    return record
  }
}

/** What a line says, in the order in which its hash covers it. */
function lineOf({ revision, atWallMs, actor, reason, flags }: Change, salt: string): object {
  return { revision, atWallMs, actor, reason, flags, salt }
}

/** Records in order from the first, their hashes and chain checked. Throws LighthouseError('STORE'); `file` names them there. */
export function readRecords(values: readonly unknown[], salt: string, file: string): FlagRecord[] {
  const records: FlagRecord[] = []
  for (const [index, value] of values.entries()) {
    const damaged = (what: string): LighthouseError => damagedLog(rules, file, index + 1, what)
    if (!isJsonObject(value)) throw damaged('it is no line of this log')
    const { previous, hash, ...body } = value
    const change = readChange(body)
    if (change === null || typeof previous !== 'string' || typeof hash !== 'string')
      throw damaged('it is no line of this log')
    if (hash !== linkOf(lineOf(change, salt), previous).hash) throw damaged('its hash is not its own')
    if (previous !== (records.at(-1)?.hash ?? nothingBefore) || change.revision !== index)
      throw damaged('it does not follow the line before')
    records.push({ ...change, previous, hash })
  }
  return records
}

function readChange(value: Readonly<Record<string, unknown>>): Change | null {
  const { revision, atWallMs, actor, reason } = value
  const flags = readFlags(value['flags'])
  if (typeof revision !== 'number' || typeof atWallMs !== 'number' || flags === null) return null
  if (!isFlagText(actor, longestActor) || !isFlagText(reason, longestReason)) return null
  return { revision, atWallMs, actor, reason, flags }
}
