/**
 * Lists the run directories below an output folder. What lies there may have been put there by anybody: only directories are
 * entered, no link is followed, files are read up to a size, and whatever is broken is an entry with its reason, never an error.
 * Of each run `run.json` and `results.json` are read and nothing else, so that hundreds take no longer than a blink.
 */
import { lstatSync, opendirSync, readdirSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import { idPattern } from '../certificates/format.ts'
import { parseIssueTime } from '../certificates/issue-time.ts'
import type { RunEntry, RunListing } from '../measurement/run-listing.ts'
import { campaignIdPattern, runIdPattern } from '../measurement/utc-time.ts'
import { LighthouseError } from '../platform/errors.ts'
import { readCampaignHead, readResultsHead, readRunHead, type Head } from './run-heads.ts'

/** Entries of the output folder that are looked at. */
const mostEntries = 100_000
/** Files of one run whose sizes are added up. */
const mostFiles = 50_000
const deepestFolder = 8

export interface ListOptions {
  readonly suite?: string | undefined
  readonly limit?: number | undefined
}

/** Empty when the folder is not there. Throws USAGE when it is no folder, ENVIRONMENT when it cannot be read. */
export function listRuns(outputFolder: string, { suite, limit = Infinity }: ListOptions = {}): RunListing {
  const { ids, others } = runNames(outputFolder)
  const runs: RunEntry[] = []
  let notShown = 0
  for (const id of ids) {
    if (runs.length >= limit) {
      notShown += 1
      continue
    }
    const entry = readEntry(outputFolder, id)
    if (suite === undefined || entry.suite === suite) runs.push(entry)
  }
  return { outputFolder, runs, notShown, others }
}

/** Names of runs and campaigns, newest first by the time in the name, which nobody can change from inside. */
export function runNames(outputFolder: string): { readonly ids: readonly string[]; readonly others: number } {
  const ids: string[] = []
  let others = 0
  for (const found of entriesOf(outputFolder)) {
    if (runIdPattern.test(found) || campaignIdPattern.test(found)) ids.push(found)
    else others += 1
  }
  const stamp = (id: string): string => id.slice(id.indexOf('-') + 1)
  ids.sort((a, b) => (stamp(a) === stamp(b) ? (a < b ? -1 : 1) : stamp(a) < stamp(b) ? 1 : -1))
  return { ids, others }
}

function entriesOf(folder: string): string[] {
  const names: string[] = []
  let directory
  try {
    directory = opendirSync(folder)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : ''
    if (code === 'ENOENT') return names
    const [kind, what] =
      code === 'ENOTDIR' ? (['USAGE', 'is no folder'] as const) : (['ENVIRONMENT', 'cannot be read'] as const)
    throw new LighthouseError(kind, `${folder} ${what}`, {
      cause,
      suggestions: ['Name the folder that holds the run directories with --output.'],
    })
  }
  try {
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      names.push(entry.name)
      if (names.length > mostEntries) {
        throw new LighthouseError('ENVIRONMENT', `${folder} holds more than ${mostEntries} entries`, {
          suggestions: ['Name the folder that holds the run directories with --output.'],
        })
      }
    }
  } finally {
    directory.closeSync()
  }
  return names
}

/** Never throws: a directory that is not as it should be is an entry that says so. */
export function readEntry(outputFolder: string, id: string): RunEntry {
  const path = join(outputFolder, id)
  const kind = campaignIdPattern.test(id) ? 'campaign' : 'run'
  const blank = blankEntry(id, path, kind)
  const broken = (reason: string): RunEntry => ({ ...blank, ...sizeOf(path), state: 'unreadable', reason })
  const stat = statOf(path)
  if (stat === null) return broken('it cannot be looked at')
  if (stat.isSymbolicLink()) return broken('it is a link, which is not followed')
  if (!stat.isDirectory()) return broken('it is no directory')
  try {
    readdirSync(path)
  } catch {
    return broken('the directory cannot be read')
  }
  const entry = { ...blank, ...sizeOf(path), certificates: certificatesIn(path) }
  return kind === 'run' ? readRunEntry(entry) : readCampaignEntry(entry)
}

function blankEntry(id: string, path: string, kind: RunEntry['kind']): RunEntry {
  return {
    id,
    path,
    kind,
    suite: null,
    profile: null,
    startedAt: null,
    durationMs: null,
    engines: [],
    state: 'unreadable',
    decision: null,
    reason: '',
    certificates: [],
    members: [],
    sizeBytes: 0,
    sizeIsLeast: false,
  }
}

function readRunEntry(entry: RunEntry): RunEntry {
  const run = readRunHead(entry.path)
  if (typeof run === 'string') return { ...entry, reason: `run.json ${run}` }
  if (run.runId !== entry.id) return { ...entry, reason: `run.json is of another run, ${run.runId}` }
  const known = { ...entry, ...headOf(run), suite: run.suite, engines: run.engines.map(({ label }) => label) }
  const results = readResultsHead(entry.path)
  if (results === 'is missing') return { ...known, state: 'cut-short', reason: 'no results' }
  if (typeof results === 'string') return { ...known, state: 'unreadable', reason: `results.json ${results}` }
  return { ...known, state: run.interrupted === true ? 'interrupted' : 'decided', decision: results.decision }
}

function readCampaignEntry(entry: RunEntry): RunEntry {
  const campaign = readCampaignHead(entry.path)
  if (typeof campaign === 'string') return { ...entry, reason: `campaign.json ${campaign}` }
  if (campaign.campaignId !== entry.id)
    return { ...entry, reason: `campaign.json is of another campaign, ${campaign.campaignId}` }
  const { decision, engines, suites, interrupted, finishedAt } = campaign
  const known = {
    ...entry,
    ...headOf(campaign),
    suite: 'all',
    engines,
    members: suites.flatMap(({ runId }) => (runId === null ? [] : [runId])),
  }
  if (finishedAt === undefined) return { ...known, state: 'cut-short', reason: 'no results' }
  return { ...known, state: interrupted === true ? 'interrupted' : 'decided', decision }
}

function headOf(head: Head): Pick<RunEntry, 'profile' | 'startedAt' | 'durationMs'> {
  const { profile, startedAt, finishedAt } = head
  return { profile, startedAt, durationMs: durationOf(startedAt, finishedAt) }
}

/** To the second. */
function durationOf(startedAt: string, finishedAt: string | undefined): number | null {
  const at = (text: string | undefined): number | null =>
    text === undefined ? null : parseIssueTime(`${text.slice(0, 19)}Z`)
  const [from, to] = [at(startedAt), at(finishedAt)]
  return from === null || to === null || to < from ? null : to - from
}

function certificatesIn(path: string): string[] {
  const folder = join(path, 'certificate')
  try {
    if (!lstatSync(folder).isDirectory()) return []
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && idPattern.test(entry.name))
      .map((entry) => entry.name)
      .sort()
  } catch {
    return []
  }
}

function sizeOf(path: string): Pick<RunEntry, 'sizeBytes' | 'sizeIsLeast'> {
  const { bytes, complete } = treeSize(path)
  return { sizeBytes: bytes, sizeIsLeast: !complete }
}

function statOf(path: string): Stats | null {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) ?? null
  } catch {
    return null
  }
}

/** Of everything below, links not followed. */
export function treeSize(path: string): { readonly bytes: number; readonly files: number; readonly complete: boolean } {
  let bytes = 0
  let files = 0
  let complete = true
  const walk = (at: string, depth: number): void => {
    const stat = statOf(at)
    if (stat === null || files > mostFiles) {
      complete = false
      return
    }
    files += stat.isDirectory() ? 0 : 1
    // What the disk gave, in blocks of 512 bytes: a sparse file is smaller than it says.
    bytes += stat.blocks * 512
    if (!stat.isDirectory()) return
    if (depth > deepestFolder) {
      complete = false
      return
    }
    try {
      for (const entry of readdirSync(at)) walk(join(at, entry), depth + 1)
    } catch {
      complete = false
    }
  }
  walk(path, 0)
  return { bytes, files, complete }
}
