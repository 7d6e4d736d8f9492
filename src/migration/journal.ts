/**
 * The journal of a migration: what went into it, what was decided, and what was done about it, line by line, each bound to the one before it and on disk
 * before anything is done.
 *
 * What went in is enough to come to every decision again (replay.ts). Observations are kept with the histograms they were read from, so that the
 * counts beside them can be checked too.
 */
import { z } from 'zod'
import { canonicalJson } from '../measurement/canonical-json.ts'
import {
  ChainedLog,
  damagedLog,
  readChain,
  readChainBytes,
  type ChainEnd,
  type ChainRules,
} from '../measurement/chained-log.ts'
import { rollbackModes, type Decision } from './state-machine.ts'

/** About 1 KB an interval: more than half a year of intervals of ten seconds. */
const rules: ChainRules = {
  title: 'The journal',
  remedy: 'Find out who changed it. What stands before that line holds; what comes after it does not.',
  largestBytes: 4 * 2 ** 30,
  longestLine: 2 * 2 ** 20,
}
export const journalFile = 'journal.jsonl'

const text = (longest: number) => z.string().max(longest)
const count = z.number().min(0)
const group = z.strictObject({
  agents: count,
  due: count,
  failed: count,
  unmeasured: count,
  above: z.record(z.string().max(32), count),
  histogram: text(512 * 1024).nullable(),
})
const observation = z.strictObject({
  sequence: z.int().min(0),
  stream: text(100),
  streamSequence: z.int().min(0),
  fromMs: z.number(),
  toMs: z.number(),
  watched: z.boolean(),
  candidate: group,
  baseline: group,
  lost: count.nullable(),
  securityViolations: count,
})
const word = z.strictObject({ request: text(64), actor: text(64), reason: text(500) })
const finding = z.strictObject({ title: text(400), found: z.boolean(), reason: text(2000) })
const input = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('started'), atMs: z.number(), by: word }),
  z.strictObject({ type: z.literal('observed'), observation }),
  z.strictObject({ type: z.literal('checked'), healthy: z.boolean(), reason: text(2000) }),
  z.strictObject({ type: z.literal('looked'), findings: z.array(finding).max(20) }),
  z.strictObject({ type: z.literal('approved'), by: word }),
  z.strictObject({ type: z.literal('paused'), by: word }),
  z.strictObject({ type: z.literal('resumed'), by: word }),
  z.strictObject({ type: z.literal('rollbackAsked'), mode: z.enum(rollbackModes), by: word }),
])
const entry = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('begun'),
    schemaVersion: z.literal(1),
    id: text(100),
    /** The file as it was read, and the digest of what it says. */
    plan: text(1_048_576),
    planSource: text(400),
    planSha256: text(64),
    system: z.strictObject({ kind: z.enum(['bridge', 'hooks']), address: text(400) }),
    lighthouse: text(64),
    commit: text(64).nullable(),
    atWallMs: count,
  }),
  /** A process took the migration up: the first time, and after each that ended. */
  z.strictObject({ kind: z.literal('watching'), atMs: z.number(), atWallMs: count }),
  z.strictObject({ kind: z.literal('input'), atMs: z.number(), atWallMs: count, input }),
  z.strictObject({ kind: z.literal('decision'), decision: z.looseObject({ kind: text(40) }) }),
  /** What was done about the decision on line `of`. */
  z.strictObject({
    kind: z.literal('step'),
    atMs: z.number(),
    atWallMs: count,
    of: z.int().min(1),
    step: z.enum(['directed', 'failed', 'capacity', 'shifted', 'drained', 'verified']),
    percentage: z.number().min(0).max(100),
    ok: z.boolean(),
    detail: text(2000),
    figures: z.record(z.string().max(40), z.number().nullable()),
  }),
])

export type JournalEntry = z.infer<typeof entry>
export type EntryOf<Kind extends JournalEntry['kind']> = Extract<JournalEntry, { kind: Kind }>
export type JournalledInput = EntryOf<'input'>['input']
export type JournalledObservation = z.infer<typeof observation>
export type JournalledGroup = z.infer<typeof group>
export type Word = z.infer<typeof word>
export type Step = EntryOf<'step'>

export interface JournalLine {
  /** From 1. */
  readonly line: number
  readonly entry: JournalEntry
  readonly hash: string
}

type TakeEntry = (line: JournalLine) => void

function reader(file: string, take: TakeEntry) {
  return (body: Readonly<Record<string, unknown>>, { hash }: { readonly hash: string }, line: number): void => {
    const read = entry.safeParse(body)
    if (!read.success) {
      const issue = read.error.issues[0]
      const what = `${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'it is no line of this log'}`
      throw damagedLog(rules, file, line, what)
    }
    if ((line === 1) !== (read.data.kind === 'begun'))
      throw damagedLog(rules, file, line, 'a journal begins with its plan, once')
    take({ line, entry: read.data, hash })
  }
}

/** Every whole line, or those after `from`, in order; nothing is written. Throws LighthouseError('STORE'). */
export function readJournal(file: string, take: TakeEntry, from?: ChainEnd): ChainEnd {
  return readChain(file, rules, reader(file, take), from)
}

/** The same of bytes that are in memory already; `name` is for errors. */
export function readJournalBytes(data: Uint8Array, name: string, take: TakeEntry): ChainEnd {
  return readChainBytes(data, name, rules, reader(name, take))
}

/** The writing end; who holds it, holds the migration's lock. */
export class Journal {
  private readonly chain: ChainedLog

  private constructor(chain: ChainedLog) {
    this.chain = chain
  }

  /** Gives what is there to `take` first. Throws LighthouseError('STORE'). */
  static open(file: string, take: TakeEntry): Journal {
    return new Journal(ChainedLog.open(file, rules, reader(file, take)))
  }

  get lines(): number {
    return this.chain.lines
  }

  get hash(): string {
    return this.chain.hash
  }

  /** On disk, all of them with one sync, when it returns. */
  append(...entries: readonly JournalEntry[]): readonly JournalLine[] {
    const first = this.chain.lines + 1
    const links = this.chain.append(...entries)
    return entries.map((each, index) => ({ line: first + index, entry: each, hash: links[index]?.hash ?? '' }))
  }
}

/** A decision as a line holds it: numbers to twelve digits, since logarithms may differ in the last ones between machines. */
export function decisionEntry(decision: Decision): EntryOf<'decision'> {
  return { kind: 'decision', decision: roundedTo(decision, 12) as EntryOf<'decision'>['decision'] }
}

/** Whether a journalled decision is what the state machine comes to. */
export function isSameDecision(one: EntryOf<'decision'>['decision'], other: EntryOf<'decision'>['decision']): boolean {
  return canonicalJson(roundedTo(one, 8)) === canonicalJson(roundedTo(other, 8))
}

function roundedTo(value: object, digits: number): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, each: unknown) =>
      typeof each === 'number' && !Number.isInteger(each) ? Number(each.toPrecision(digits)) : each,
    ),
  )
}
