/**
 * The meaning check: do the figures and the decision follow from the evidence? The results are derived again from
 * the run's manifest, rounds and decoded histograms, by the same function that published them, and must equal
 * results.json member for member. A signature proves who said it; only this proves what was measured.
 */
import { canonicalJson } from '../measurement/canonical-json.ts'
import { deriveResults } from '../measurement/derive.ts'
import type { ResultsDocument } from '../measurement/results-document.ts'
import { memoryFiles } from '../measurement/run-files.ts'
import { readRun, type RunRecord } from '../measurement/run-reader.ts'
import { LighthouseError } from '../platform/errors.ts'
import { isEvidencePath } from './format.ts'
import { parseIssueTime } from './issue-time.ts'
import type { RunMeaning } from './subject.ts'

const ofRun = 'Derive the results again from the untouched run directory (`lighthouse report`), then issue anew.'

export function meaningDiffers(message: string, cause?: unknown, suggestion = ofRun): LighthouseError {
  return new LighthouseError('MEANING_DIFFERS', message, {
    ...(cause === undefined ? {} : { cause }),
    suggestions: [suggestion],
  })
}

/** `files` by path relative to the run directory. Throws MEANING_DIFFERS that names the first difference. */
export function checkMeaning(files: ReadonlyMap<string, Uint8Array>): RunMeaning {
  const stranger = [...files.keys()].find((path) => !isEvidencePath(path))
  if (stranger !== undefined) throw meaningDiffers(`${stranger} is no evidence of a run`)
  const record = read(files)
  const results = derive(record)
  const difference = firstDifference(record.results, results, 'results.json')
  if (difference !== null) throw meaningDiffers(`${difference} does not follow from the evidence`)
  return { run: record.manifest, results }
}

function read(files: ReadonlyMap<string, Uint8Array>): RunRecord {
  let record: RunRecord
  try {
    record = readRun(memoryFiles(files))
  } catch (cause) {
    if (cause instanceof LighthouseError) throw meaningDiffers(`the evidence cannot be read: ${cause.message}`, cause)
    throw cause
  }
  if (record.results === undefined) throw meaningDiffers('the evidence holds no results.json: the run did not finish')
  if (record.rounds.length === 0) throw meaningDiffers('the evidence holds no round: nothing was measured')
  return record
}

function derive(record: RunRecord): ResultsDocument {
  try {
    const results = deriveResults(record)
    // Throws for NaN and infinities, which JSON would turn into null without a word.
    canonicalJson(results)
    return results
  } catch (cause) {
    if (cause instanceof LighthouseError)
      throw meaningDiffers(`no results follow from the evidence: ${cause.message}`, cause)
    throw cause
  }
}

/** The run must have ended (`ended`) before its certificate was issued; an end that is no time is refused as well. */
export function checkIssuedAfterRun(ended: string, issuedAt: string): void {
  const issuedMs = parseIssueTime(issuedAt)
  const endedMs = parseIssueTime(`${ended.slice(0, 19)}Z`)
  if (issuedMs === null || endedMs === null || issuedMs < endedMs) {
    throw meaningDiffers(`the certificate is dated ${issuedAt}, before its run ended (${ended.slice(0, 30)})`)
  }
}

/** Path of the first member in which two JSON values differ, or null. */
export function firstDifference(found: unknown, expected: unknown, path: string): string | null {
  if (typeof found === 'object' && found !== null && typeof expected === 'object' && expected !== null) {
    if (Array.isArray(found) !== Array.isArray(expected)) return path
    const left = new Map<string, unknown>(Object.entries(found))
    const right = new Map<string, unknown>(Object.entries(expected))
    for (const key of new Set([...left.keys(), ...right.keys()])) {
      if (left.has(key) !== right.has(key)) return `${path}.${key.slice(0, 60)}`
      const difference = firstDifference(left.get(key), right.get(key), `${path}.${key.slice(0, 60)}`)
      if (difference !== null) return difference
    }
    return null
  }
  if (found === expected && !Object.is(found, expected)) return path
  return canonicalJson(found) === canonicalJson(expected) ? null : path
}
