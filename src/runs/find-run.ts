/**
 * Finds the run that somebody means (by id, the beginning of one, a path, or `latest`) and tells it in short, as recorded. Figures
 * are not derived again; `report` does that.
 */
import { lstatSync, readdirSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { RunEntry, RunOverview } from '../measurement/run-listing.ts'
import { campaignIdPattern, runIdPattern } from '../measurement/utc-time.ts'
import { LighthouseError } from '../platform/errors.ts'
import { readEntry, runNames, treeSize } from './inventory.ts'
import { readCampaignHead, readResultsHead, readRunPlan } from './run-heads.ts'

/** Throws USAGE when there is no such run, or more than one. */
export function findRun(outputFolder: string, wanted: string): RunEntry {
  if (wanted.includes('/') || wanted === '.') return atPath(wanted)
  const { ids } = runNames(outputFolder)
  if (wanted === 'latest') {
    const newest = ids[0]
    if (newest !== undefined) return readEntry(outputFolder, newest)
    throw noRun(`there is no run in ${outputFolder}`)
  }
  const found = ids.filter(
    (id) => id === wanted || id.startsWith(wanted) || id.slice(id.indexOf('-') + 1).startsWith(wanted),
  )
  const exact = found.find((id) => id === wanted)
  const [id] = exact === undefined ? found : [exact]
  if (wanted === '' || id === undefined) throw noRun(`no run in ${outputFolder} begins with '${wanted.slice(0, 80)}'`)
  if (exact === undefined && found.length > 1) {
    const some = found.slice(0, 5).join(', ')
    throw new LighthouseError(
      'USAGE',
      `${found.length} runs begin with '${wanted.slice(0, 80)}': ${some}${found.length > 5 ? ', …' : ''}`,
      {
        suggestions: ['Give more of the id.'],
      },
    )
  }
  return readEntry(outputFolder, id)
}

function atPath(path: string): RunEntry {
  const full = resolve(path)
  const id = basename(full)
  if (lstatSync(full, { throwIfNoEntry: false }) === undefined) throw noRun(`there is nothing at ${path}`)
  if (!runIdPattern.test(id) && !campaignIdPattern.test(id)) {
    throw noRun(`${path} is not named like a run directory`)
  }
  return { ...readEntry(dirname(full), id), path }
}

function noRun(message: string): LighthouseError {
  return new LighthouseError('USAGE', message, {
    suggestions: ['List the runs with `lighthouse runs list`, or name their folder with --output.'],
  })
}

export function overviewOf(entry: RunEntry): RunOverview {
  const readable = entry.state !== 'unreadable'
  const head = !readable ? '' : entry.kind === 'campaign' ? readCampaignHead(entry.path) : readResultsHead(entry.path)
  const results = typeof head === 'string' ? null : head
  return {
    entry,
    scope: results?.scope ?? null,
    exitCode: results?.exitCode ?? null,
    decisionReasons: results?.decisionReasons ?? [],
    plan: readable && entry.kind === 'run' ? readRunPlan(entry.path) : [],
    files: filesOf(entry.path),
  }
}

function filesOf(path: string): RunOverview['files'] {
  try {
    if (!lstatSync(path).isDirectory()) return []
    return readdirSync(path)
      .sort()
      .slice(0, 1000)
      .map((name) => {
        const { files, bytes } = treeSize(join(path, name))
        return { name, files, bytes }
      })
  } catch {
    return []
  }
}
