/**
 * Reads a run back, whole or partial, from a folder or from the evidence of a certificate. Everything is
 * checked before it is believed: JSON against its schema, histogram logs by the strict reader, folder names
 * against what their `round.json` says. A run that was killed reads as the rounds it finished.
 */
import type { z } from 'zod'
import { LighthouseError } from '../platform/errors.ts'
import type { Distribution } from '../statistics/distribution.ts'
import { knownSchemaVersion, roundEvidenceSchema, runManifestSchema } from './evidence-schemas.ts'
import { decodeBudget, type DecodeBudget } from './histogram-codec.ts'
import { readHistogramLog } from './histogram-log.ts'
import type { RoundEvidence, RunManifest } from './round-evidence.ts'
import { roundFolder } from './run-names.ts'
import type { RunFiles } from './run-files.ts'

export interface RoundRecord {
  /** Name below `rounds/`. */
  readonly folder: string
  readonly evidence: RoundEvidence
  /** By tag; the position is the 1 s block of the schedule. */
  readonly histograms: ReadonlyMap<string, readonly Distribution[]>
}

export interface RunRecord {
  readonly manifest: RunManifest
  /** By round, then by the place of the engine in the plan's order, then by attempt. */
  readonly rounds: readonly RoundRecord[]
  /** Parsed `targets.json` and `claims.json`; their own modules check them. */
  readonly targets: unknown
  readonly claims: unknown
  /** Parsed `results.json` of schema version 1, when the run got that far. */
  readonly results?: unknown
}

const jsonLimits = { document: 8 * 2 ** 20, evidence: 2 * 2 ** 20 } as const
const maximumRounds = 20_000
const deepestNesting = 32
const roundFile = /^rounds\/([^/]+)\/(?:round\.json|histograms\.hlog)$/

/** Throws LighthouseError('RUN_DIRECTORY') that names the file, what is wrong with it and what to do. */
export function readRun(files: RunFiles): RunRecord {
  const paths = files.list()
  const manifest: RunManifest = readChecked(files, 'run.json', runManifestSchema, jsonLimits.document)
  const folders = [...new Set(paths.flatMap((path) => roundFile.exec(path)?.[1] ?? []))]
  if (folders.length > maximumRounds) refuse('rounds', `holds more than ${maximumRounds} rounds`)
  const budget = decodeBudget()
  const rounds = folders.map((folder) => readRound(files, folder, manifest, budget)).sort(byPlan(manifest))
  return {
    manifest,
    rounds,
    targets: readJson(files, 'targets.json', jsonLimits.evidence),
    claims: readJson(files, 'claims.json', jsonLimits.evidence),
    ...(paths.includes('results.json') ? { results: readVersioned(files, 'results.json', jsonLimits.document) } : {}),
  }
}

function readRound(files: RunFiles, folder: string, manifest: RunManifest, budget: DecodeBudget): RoundRecord {
  const evidenceFile = `rounds/${folder}/round.json`
  const logFile = `rounds/${folder}/histograms.hlog`
  const evidence: RoundEvidence = readChecked(files, evidenceFile, roundEvidenceSchema, jsonLimits.evidence)
  if (!manifest.engines.some(({ label }) => label === evidence.engine)) {
    refuse(evidenceFile, `is of engine ${JSON.stringify(evidence.engine)}, which run.json does not name`)
  }
  // Names follow from contents, so two folders can never claim to be the same round.
  const expected = roundFolder(evidence.round, evidence.engine, evidence.attempt)
  if (folder !== expected) refuse(evidenceFile, `belongs into the folder rounds/${expected}`)
  const histograms = readHistogramLog(decodeText(files.read(logFile), logFile), { file: logFile, budget })
  return { folder, evidence, histograms }
}

function byPlan(manifest: RunManifest): (left: RoundRecord, right: RoundRecord) => number {
  const labels = manifest.engines.map(({ label }) => label)
  const place = ({ evidence }: RoundRecord): number => {
    const planned = manifest.plan.order[evidence.round]?.indexOf(evidence.engine) ?? -1
    return planned === -1 ? labels.length + labels.indexOf(evidence.engine) : planned
  }
  return (left, right) =>
    left.evidence.round - right.evidence.round ||
    place(left) - place(right) ||
    left.evidence.attempt - right.evidence.attempt
}

/** Parsed and of a schema version that this reader knows; the version is looked at before anything else. */
function readVersioned(files: RunFiles, path: string, limit: number): unknown {
  const value = readJson(files, path, limit)
  const version: unknown =
    typeof value === 'object' && value !== null && 'schemaVersion' in value ? value.schemaVersion : undefined
  if (version === knownSchemaVersion) return value
  if (version === undefined) return refuse(path, 'has no schemaVersion, so it is not a file of a run')
  throw new LighthouseError(
    'RUN_DIRECTORY',
    `${path} has schemaVersion ${JSON.stringify(version).slice(0, 40)}; this version of Lighthouse reads ${knownSchemaVersion}.`,
    { suggestions: ['Read the run with the version of Lighthouse that wrote it, or with a newer one.'] },
  )
}

function readChecked<T>(files: RunFiles, path: string, schema: z.ZodType<T>, limit: number): T {
  const checked = schema.safeParse(readVersioned(files, path, limit))
  if (checked.success) return checked.data
  const issue = checked.error.issues[0]
  const place = issue === undefined || issue.path.length === 0 ? 'the document' : issue.path.map(String).join('.')
  return refuse(path, `is not valid: ${place.slice(0, 200)}: ${issue?.message.slice(0, 300) ?? 'unknown'}`)
}

function readJson(files: RunFiles, path: string, limit: number): unknown {
  const data = files.read(path)
  if (data.length > limit) refuse(path, `has ${data.length} bytes, more than the limit of ${limit}`)
  const text = decodeText(data, path)
  if (nestsDeeperThan(text, deepestNesting)) refuse(path, `is nested more than ${deepestNesting} deep`)
  try {
    const value: unknown = JSON.parse(text)
    return value
  } catch (cause) {
    return refuse(path, 'is not JSON; it was cut short or edited', cause)
  }
}

/** Looked at before parsing, so that no later walk over the value can run out of stack. */
function nestsDeeperThan(text: string, limit: number): boolean {
  let depth = 0
  let quoted = false
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (quoted) {
      if (code === 0x5c) index++
      else if (code === 0x22) quoted = false
    } else if (code === 0x22) quoted = true
    else if (code === 0x5b || code === 0x7b) {
      if (++depth > limit) return true
    } else if (code === 0x5d || code === 0x7d) depth--
  }
  return false
}

function decodeText(data: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data)
  } catch (cause) {
    return refuse(path, 'is not UTF-8 text', cause)
  }
}

function refuse(path: string, what: string, cause?: unknown): never {
  throw new LighthouseError('RUN_DIRECTORY', `${path} ${what}.`, {
    ...(cause === undefined ? {} : { cause }),
    suggestions: ['Use the files as the run wrote them, or run again.'],
  })
}
