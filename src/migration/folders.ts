/**
 * Where migrations are kept: a folder each, with the journal, the requests of people, and what was written about it.
 */
import { lstatSync, readdirSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import type { ChainEnd } from '../measurement/chained-log.ts'
import { createFolder } from '../measurement/durable-write.ts'
import { migrationIdPattern } from '../measurement/utc-time.ts'
import { LighthouseError } from '../platform/errors.ts'
import { Journal, journalFile, readJournal, type EntryOf, type JournalLine } from './journal.ts'
import { takeLock, type MigrationLock } from './lock.ts'
import { ComparisonRecorder } from './comparison-recorder.ts'
import { Replay, type TakeObservation } from './replay.ts'

/** Whoever only looks whether it is carried on holds the lock for a moment. */
const lockWithinMs = 1000

export interface OpenMigration {
  readonly folder: string
  readonly journal: Journal
  readonly replay: Replay
  /** Of the present phase, if it requires that its groups are compared. */
  readonly comparisons: ComparisonRecorder
  readonly lock: MigrationLock
}

/** Makes its folder and the first line of its journal. Throws LighthouseError('RUN_DIRECTORY' | 'STORE'). */
export function beginMigration(outputFolder: string, begun: Omit<EntryOf<'begun'>, 'kind' | 'schemaVersion'>): string {
  const folder = join(outputFolder, begun.id)
  createFolder(folder)
  Journal.open(join(folder, journalFile), () => null).append({ kind: 'begun', schemaVersion: 1, ...begun })
  return folder
}

/** For whoever carries it on. Throws USAGE when somebody else does, STORE when its journal does not hold together. */
export function openMigration(folder: string): OpenMigration {
  const lock = takeLock(folder, lockWithinMs)
  if (lock === null) {
    throw new LighthouseError('USAGE', `another process carries on the migration in ${folder}`, {
      suggestions: ['Look at it with "lighthouse migrate watch", or stop that process first.'],
    })
  }
  try {
    const comparisons = new ComparisonRecorder()
    const replay = new Replay(join(folder, journalFile), { onObservation: (counted) => comparisons.take(counted) })
    const journal = Journal.open(join(folder, journalFile), (line) => replay.take(line))
    if (replay.isEmpty) throw noMigration(`${folder} holds no journal`)
    return { folder, journal, replay, comparisons, lock }
  } catch (error) {
    lock.release()
    throw error
  }
}

export interface ReadOptions {
  /** Counts are taken from the histograms again. */
  readonly recount?: boolean
  readonly upToLine?: number
  readonly onObservation?: TakeObservation
}

/** Reads a journal on as it grows. */
export class JournalFollower {
  readonly replay: Replay
  private readonly file: string
  private end: ChainEnd | undefined

  constructor(folder: string) {
    this.file = join(folder, journalFile)
    this.replay = new Replay(this.file)
  }

  /** The lines that have come since. */
  next(): JournalLine[] {
    const lines: JournalLine[] = []
    this.end = readJournal(
      this.file,
      (line) => {
        this.replay.take(line)
        lines.push(line)
      },
      this.end,
    )
    if (this.replay.isEmpty) throw noMigration(`${this.file} is empty`)
    return lines
  }
}

/** As it stands on disk. Throws STORE when the journal does not hold together. */
export function readMigration(
  folder: string,
  { recount = false, upToLine = Infinity, onObservation }: ReadOptions = {},
): Replay {
  const replay = new Replay(join(folder, journalFile), {
    recount,
    ...(onObservation === undefined ? {} : { onObservation }),
  })
  readJournal(join(folder, journalFile), (line) => {
    if (line.line <= upToLine) replay.take(line)
  })
  if (replay.isEmpty) throw noMigration(`${folder} holds no journal`)
  return replay
}

/** Whether a process carries it on. */
export function isCarriedOn(folder: string): boolean {
  const lock = takeLock(folder)
  lock?.release()
  return lock === null
}

/** Its folder, by id, the beginning of one, a path, or `latest`. Throws USAGE when there is no such migration, or more than one. */
export function findMigration(outputFolder: string, wanted: string): string {
  if (wanted.includes('/') || wanted === '.') {
    const path = resolve(wanted)
    if (lstatSync(join(path, journalFile), { throwIfNoEntry: false })?.isFile() !== true)
      throw noMigration(`there is no migration at ${wanted}`)
    return wanted
  }
  const ids = migrationIds(outputFolder)
  if (wanted === 'latest') {
    const newest = ids.at(-1)
    if (newest === undefined) throw noMigration(`there is no migration in ${outputFolder}`)
    return join(outputFolder, newest)
  }
  const found = ids.filter((id) => id.startsWith(wanted) || id.slice('migration-'.length).startsWith(wanted))
  const [id] = found
  if (wanted === '' || id === undefined)
    throw noMigration(`no migration in ${outputFolder} begins with '${basename(wanted).slice(0, 80)}'`)
  if (found.length > 1)
    throw new LighthouseError('USAGE', `${found.length} migrations begin with '${wanted.slice(0, 80)}'`, {
      suggestions: [`Give more of the id: ${found.slice(0, 5).join(', ')}.`],
    })
  return join(outputFolder, id)
}

function migrationIds(outputFolder: string): string[] {
  try {
    return readdirSync(outputFolder)
      .filter((name) => migrationIdPattern.test(name))
      .sort()
  } catch {
    return []
  }
}

function noMigration(message: string): LighthouseError {
  return new LighthouseError('USAGE', message, {
    suggestions: ['Start one with "lighthouse migrate start PLAN", or name the folder of migrations with --output.'],
  })
}
