/**
 * Collects the evidence of a run, a campaign or a migration: of a run directory by allow-list: the named files that exist, nothing else, no links. What
 * the meaning check needs must be there; the rest of the directory (report, plots, other certificates) stays.
 */
import { lstatSync, readdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parseCampaign } from '../measurement/campaign-directory.ts'
import { LighthouseError } from '../platform/errors.ts'
import {
  accountEvidence,
  campaignEvidence,
  evidenceFolder,
  isEvidencePath,
  journalEvidence,
  largestFile,
  limits,
  memberPath,
} from './format.ts'
import { checkCollisions, checkTotals, readRegularFile } from './package-files.ts'

const required = ['run.json', 'results.json', 'targets.json', 'claims.json'] as const
const optional = ['ledger.json'] as const

/**
 * Of a campaign: `campaign.json`, and the evidence of every member that it names with a digest, which lies beside it. By path relative
 * to the evidence folder. Throws RUN_DIRECTORY.
 */
export function collectCampaignEvidence(directory: string): ReadonlyMap<string, Uint8Array> {
  const bytes = readEvidence(join(directory, campaignEvidence), campaignEvidence)
  const files = new Map([[campaignEvidence, bytes]])
  let total = bytes.length
  for (const { runId, manifestSha256 } of parseCampaign(bytes).suites) {
    if (runId === null || manifestSha256 === null) continue
    for (const [path, data] of collectEvidence(join(dirname(resolve(directory)), runId))) {
      files.set(memberPath(runId, path), data)
      total += data.length
      checkTotals(files.size, total)
    }
  }
  return files
}

/**
 * Of a migration: the whole lines of its journal, to which somebody may be adding just now, and the account if there is one. Throws
 * RUN_DIRECTORY.
 */
export function collectMigrationEvidence(folder: string): ReadonlyMap<string, Uint8Array> {
  const size = lstatSync(join(folder, journalEvidence), { throwIfNoEntry: false })?.size ?? 0
  if (size > limits.journalBytes)
    throw new LighthouseError(
      'RUN_DIRECTORY',
      `${journalEvidence} has ${size} bytes, and a certificate holds at most ${limits.journalBytes}`,
      {
        suggestions: [
          'Give the plan a longer interval (evidence: interval), or certify a phase before the journal is that long.',
        ],
      },
    )
  const journal = readEvidence(join(folder, journalEvidence), journalEvidence)
  const files = new Map([[journalEvidence, journal.subarray(0, journal.lastIndexOf(10) + 1)]])
  if (lstatSync(join(folder, accountEvidence), { throwIfNoEntry: false }) !== undefined)
    files.set(accountEvidence, readEvidence(join(folder, accountEvidence), accountEvidence))
  return files
}

/** By path relative to the run directory. Throws RUN_DIRECTORY. */
export function collectEvidence(runDirectory: string): ReadonlyMap<string, Uint8Array> {
  const files = new Map<string, Uint8Array>()
  let total = 0
  const take = (path: string): void => {
    const bytes = readEvidence(join(runDirectory, path), path)
    total += bytes.length
    files.set(path, bytes)
    checkTotals(files.size, total)
  }
  for (const name of required) take(name)
  for (const name of optional) {
    if (lstatSync(join(runDirectory, name), { throwIfNoEntry: false }) !== undefined) take(name)
  }
  for (const round of roundFolders(runDirectory)) {
    for (const name of ['round.json', 'histograms.hlog']) {
      const path = `rounds/${round}/${name}`
      if (!isEvidencePath(path)) refuse(`${path} is not a name that evidence may have`)
      take(path)
    }
  }
  checkCollisions(files.keys())
  return files
}

/** Hidden names are unfinished rounds of a killed run. */
function roundFolders(runDirectory: string): string[] {
  try {
    return readdirSync(join(runDirectory, 'rounds'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => name)
  } catch (cause) {
    return refuse(`${runDirectory} holds no rounds`, cause)
  }
}

function readEvidence(file: string, path: string): Uint8Array {
  try {
    return readRegularFile(file, path, largestFile(`${evidenceFolder}/${path}`))
  } catch (cause) {
    const reason = cause instanceof LighthouseError ? cause.message : 'it cannot be read'
    return refuse(`it cannot be certified: ${reason}`, cause)
  }
}

function refuse(message: string, cause?: unknown): never {
  throw new LighthouseError('RUN_DIRECTORY', message, {
    ...(cause === undefined ? {} : { cause }),
    suggestions: ['Name the directory of a finished run, e.g. runs/run-20261122-020736-1a2b, or of a migration.'],
  })
}
