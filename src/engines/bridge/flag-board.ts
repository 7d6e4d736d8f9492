/**
 * The flags in force: changed under a revision, on disk before they count, and told to whoever listens.
 */
import type { FlagRecord, Flags } from '../../measurement/flags-document.ts'
import { LighthouseError } from '../../platform/errors.ts'
import type { Path } from '../elicitation/machine-ports.ts'
import { Assignment } from './assignment.ts'
import type { FlagLog } from './flag-log.ts'
import { changedFlags } from './flags.ts'

export interface FlagChange {
  readonly actor: string
  readonly reason: string
  /** The revision that the change is based on. */
  readonly revision: number
  readonly change: unknown
}

export type ChangeRefusal = { readonly status: 400 | 409 | 503; readonly message: string }

export class FlagBoard {
  readonly log: FlagLog
  private assignment: Assignment
  private deprecatedSince: number | null
  private readonly listeners: ((before: Assignment, after: Assignment) => void)[] = []

  constructor(log: FlagLog) {
    this.log = log
    this.assignment = new Assignment(log.salt, log.last.flags)
    this.deprecatedSince = deprecatedSince(log.records)
  }

  get flags(): Flags {
    return this.log.last.flags
  }

  /** Wall clock; null when the old path is not deprecated. */
  get deprecatedSinceMs(): number | null {
    return this.deprecatedSince
  }

  pathOf(agent: string): Path {
    return this.assignment.pathOf(agent)
  }

  /** Called after each change, in the order of calls here. */
  listen(listener: (before: Assignment, after: Assignment) => void): void {
    this.listeners.push(listener)
  }

  /** Texts of `asked` were checked. */
  change(asked: FlagChange, wallMs: number): FlagRecord | ChangeRefusal {
    const { last } = this.log
    if (asked.revision !== last.revision)
      return { status: 409, message: `revision ${asked.revision} is not the last one, which is ${last.revision}` }
    const flags = changedFlags(last.flags, asked.change)
    if (typeof flags === 'string') return { status: 400, message: flags }
    let record: FlagRecord
    try {
      record = this.log.write(flags, asked.actor, asked.reason, wallMs)
    } catch (error) {
      if (error instanceof LighthouseError) return { status: 503, message: error.message }
      throw error
    }
    if (flags.deprecation !== last.flags.deprecation) this.deprecatedSince = flags.deprecation ? wallMs : null
    const before = this.assignment
    this.assignment = new Assignment(this.log.salt, flags)
    for (const listener of this.listeners) listener(before, this.assignment)
    return record
  }
}

/** When the flag was last raised. */
function deprecatedSince(records: readonly FlagRecord[]): number | null {
  let since: number | null = null
  for (const { flags, atWallMs } of records) since = flags.deprecation ? (since ?? atWallMs) : null
  return since
}
