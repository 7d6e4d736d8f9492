/**
 * Which runs go, and how they go. Choosing is pure: what is selected by number and age, less what must stay. A run goes only if its
 * directory is named like a run and holds a `run.json` (or `campaign.json`) of that id; it is first renamed to a hidden name and
 * then deleted, so that a prune which is killed leaves no half run that reads as a whole one.
 *
 * Kept whatever was asked: what has a certificate, unless that was asked for too; a certified run that another certificate in the
 * same folder names as its predecessor; an unfinished run that was written to within a day, since it may be going on; members of a
 * campaign as long as the campaign stays.
 */
import { randomBytes } from 'node:crypto'
import { lstatSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { evidenceFolder, idPattern, limits, previousEvidence } from '../certificates/format.ts'
import { parseIssueTime } from '../certificates/issue-time.ts'
import { readBoundedFile } from '../measurement/bounded-file.ts'
import type { PruneItem, PruneReport, RunEntry } from '../measurement/run-listing.ts'
import { listRuns, readEntry } from './inventory.ts'

export interface PruneRequest {
  readonly outputFolder: string
  /** The newest so many stay; null for none by number. */
  readonly keep: number | null
  /** Only what began longer ago goes. */
  readonly olderThanMs: number | null
  readonly suite: string | null
  readonly withCertificates: boolean
  /** False: nothing is touched. */
  readonly confirmed: boolean
}

export interface Choice {
  readonly remove: readonly RunEntry[]
  readonly kept: readonly { readonly id: string; readonly reason: string }[]
}

/** What the choice has to know beside the entries. */
export interface PruneFacts {
  readonly nowMs: number
  /** IDs of certificates that another certificate names as its predecessor. */
  readonly predecessors: ReadonlySet<string>
  /** When anything in the directory was last written. */
  readonly writtenMs: (entry: RunEntry) => number
}

const dayMs = 86_400_000

/** Milliseconds since the epoch from the name of a run or a campaign; null for a day that is none. */
export function startedMs(id: string): number | null {
  const match = /-(\d{4})(\d{2})(\d{2})-(\d{2})(\d{2})(\d{2})-[0-9a-f]{4}$/.exec(id)
  if (match === null) return null
  const [, year, month, day, hour, minute, second] = match
  return parseIssueTime(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}

/** `entries`: all of the folder, newest first. */
export function chooseRuns(
  entries: readonly RunEntry[],
  request: Omit<PruneRequest, 'confirmed' | 'outputFolder'>,
  facts: PruneFacts,
): Choice {
  const { keep, olderThanMs, suite } = request
  const campaignOf = new Map(entries.flatMap(({ id, members }) => members.map((member) => [member, id] as const)))
  const ids = new Set(entries.map(({ id }) => id))
  const own = entries.filter(({ id }) => !ids.has(campaignOf.get(id) ?? ''))
  // Something that cannot be read is not known to be a run, so it neither goes nor counts.
  const counted = own.filter((entry) => entry.suite !== null && (suite === null || entry.suite === suite))
  const selected = counted.filter((entry, index) => {
    const began = startedMs(entry.id)
    const old = olderThanMs === null || (began !== null && facts.nowMs - began > olderThanMs)
    return old && (keep === null || index >= keep)
  })
  const remove: RunEntry[] = []
  const kept: { id: string; reason: string }[] = []
  const judge = (entry: RunEntry): boolean => {
    const reason = whyKept(entry, request.withCertificates, facts)
    if (reason === null) remove.push(entry)
    else kept.push({ id: entry.id, reason })
    return reason === null
  }
  for (const entry of selected) {
    if (!judge(entry)) continue
    for (const member of entries.filter(({ id }) => campaignOf.get(id) === entry.id)) judge(member)
  }
  return { remove, kept }
}

function whyKept(entry: RunEntry, withCertificates: boolean, facts: PruneFacts): string | null {
  if (entry.suite === null) return entry.reason
  if (entry.certificates.length > 0 && !withCertificates)
    return 'it has a certificate; --with-certificates removes it too'
  const named = entry.certificates.find((id) => facts.predecessors.has(id))
  if (named !== undefined) return `another certificate names its ${named} as previous`
  const open = entry.durationMs === null
  if (open && facts.nowMs - facts.writtenMs(entry) < dayMs)
    return 'it has no end and was written to within a day: it may be going on'
  return null
}

/** `nowMs`: wall-clock milliseconds since the epoch. */
export function pruneRuns(request: PruneRequest, nowMs: number): PruneReport {
  const { outputFolder, confirmed } = request
  const { runs } = listRuns(outputFolder)
  const predecessors = request.withCertificates ? predecessorsIn(runs) : new Set<string>()
  const { remove, kept } = chooseRuns(runs, request, { nowMs, predecessors, writtenMs: writtenIn(runs) })
  const leftovers = leftoversIn(outputFolder)
  const failed: { id: string; reason: string }[] = []
  const gone: RunEntry[] = []
  for (const entry of confirmed ? remove : []) {
    const reason = removeRun(outputFolder, entry)
    if (reason === null) gone.push(entry)
    else failed.push({ id: entry.id, reason })
  }
  for (const name of confirmed ? leftovers : []) {
    const reason = discard(join(outputFolder, name))
    if (reason !== null) failed.push({ id: name, reason })
  }
  return {
    outputFolder,
    confirmed,
    items: (confirmed ? gone : remove).map(itemOf),
    kept,
    leftovers,
    failed,
    freedBytes: (confirmed ? gone : remove).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  }
}

function itemOf({ id, suite, startedAt, sizeBytes, certificates }: RunEntry): PruneItem {
  return { id, suite, startedAt, sizeBytes, certificates }
}

/** Null when it is gone, else why not. Looked at again, since time has passed since the choice. */
function removeRun(outputFolder: string, chosen: RunEntry): string | null {
  const present = readEntry(outputFolder, chosen.id)
  if (present.suite === null) return present.reason
  const unchanged = present.startedAt === chosen.startedAt && present.certificates.join() === chosen.certificates.join()
  if (!unchanged) return 'it changed since it was chosen'
  const trash = join(outputFolder, `.trash-${chosen.id}-${randomBytes(4).toString('hex')}`)
  try {
    renameSync(join(outputFolder, chosen.id), trash)
  } catch (error) {
    return wordsOf(error)
  }
  return discard(trash)
}

/** Links below are removed, not followed. */
function discard(path: string): string | null {
  try {
    rmSync(path, { recursive: true })
    return null
  } catch (error) {
    return wordsOf(error)
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

const trashName = /^\.trash-(?:run|campaign)-\d{8}-\d{6}-[0-9a-f]{4}-[0-9a-f]{8}$/

function leftoversIn(outputFolder: string): string[] {
  try {
    return readdirSync(outputFolder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && trashName.test(entry.name))
      .map((entry) => entry.name)
      .sort()
  } catch {
    return []
  }
}

/** A campaign is as fresh as the run that it may be playing, which it names only when that has ended. */
function writtenIn(runs: readonly RunEntry[]): PruneFacts['writtenMs'] {
  return (entry) => {
    if (entry.kind === 'run') return writtenMs(entry)
    const began = startedMs(entry.id) ?? 0
    const open = runs.filter(
      ({ id, kind, durationMs }) => kind === 'run' && durationMs === null && (startedMs(id) ?? 0) >= began,
    )
    return Math.max(writtenMs(entry), ...open.map(writtenMs))
  }
}

/** Of the directory and of its rounds, which come and go last in a run that is going on. */
function writtenMs({ path }: RunEntry): number {
  return Math.max(
    ...[path, join(path, 'rounds')].map((each) => {
      try {
        return lstatSync(each).mtimeMs
      } catch {
        return 0
      }
    }),
  )
}

/** A package keeps the certificate that it followed; its text names itself. */
function predecessorsIn(runs: readonly RunEntry[]): Set<string> {
  const found = new Set<string>()
  for (const { path, certificates } of runs) {
    for (const id of certificates) {
      const file = join(path, 'certificate', id, evidenceFolder, previousEvidence)
      const bytes = readBoundedFile(file, limits.markdownBytes, { follow: false })
      const named = /^\*\*Certificate ID\*\*: (\S+)$/m.exec(
        bytes === null ? '' : Buffer.from(bytes).toString('utf8'),
      )?.[1]
      if (named !== undefined && idPattern.test(named)) found.add(named)
    }
  }
  return found
}
