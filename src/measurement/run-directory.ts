/**
 * The directory of one run, `runs/<id>/`, written as the run goes: what was fixed beforehand first, each round
 * when it ends, results last. Every file appears whole or not at all, so a killed or interrupted run leaves
 * what it had measured, readable. Rounds are never overwritten; results and reports are derived and may be.
 */
import { join } from 'node:path'
import type { z } from 'zod'
import { LighthouseError } from '../platform/errors.ts'
import { documentText } from './canonical-json.ts'
import { createFolder, ensureFolder, writeDurably, writeFolderDurably } from './durable-write.ts'
import { roundEvidenceSchema, runManifestSchema } from './evidence-schemas.ts'
import type { ResultsDocument } from './results-document.ts'
import type { RoundEvidence, RunManifest } from './round-evidence.ts'
import { folderFiles } from './run-files.ts'
import { fileNameOf, roundFolder } from './run-names.ts'
import { readRun, type RunRecord } from './run-reader.ts'
import { runIdPattern } from './utc-time.ts'

/** All writers throw LighthouseError('RUN_DIRECTORY') when the disk refuses, with what to do. */
export interface RunDirectory {
  readonly path: string
  /** `targets.json`, `claims.json` (JSON text, written byte for byte) and then `run.json`, which makes the run readable. */
  start(manifest: RunManifest, targetsJson: string, claimsJson: string): void
  /** Replaces `run.json`, e.g. when the run ends. */
  updateManifest(manifest: RunManifest): void
  /** Writes the folder of a round and returns its name below `rounds/`. `hlog` is the whole log. */
  writeRound(evidence: RoundEvidence, hlog: string): string
  writeResults(results: ResultsDocument): void
  writeReport(markdown: string): void
  /** `ledger.json`: any plain JSON document. */
  writeLedger(summary: unknown): void
  /** `histograms/<engine>.<series>.hgrm`. */
  writeHgrm(engine: string, series: string, text: string): void
}

class FolderRun implements RunDirectory {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  start(manifest: RunManifest, targetsJson: string, claimsJson: string): void {
    this.write('targets.json', targetsJson)
    this.write('claims.json', claimsJson)
    this.updateManifest(manifest)
  }

  updateManifest(manifest: RunManifest): void {
    checkBeforeWriting('run.json', runManifestSchema, manifest)
    this.write('run.json', documentText(manifest))
  }

  writeRound(evidence: RoundEvidence, hlog: string): string {
    const name = roundFolder(evidence.round, evidence.engine, evidence.attempt)
    checkBeforeWriting(`rounds/${name}/round.json`, roundEvidenceSchema, evidence)
    const files = { 'round.json': documentText(evidence), 'histograms.hlog': hlog }
    writeFolderDurably(join(this.path, 'rounds', name), files)
    return name
  }

  writeResults(results: ResultsDocument): void {
    this.write('results.json', documentText(results))
  }

  writeReport(markdown: string): void {
    this.write('report.md', markdown)
  }

  writeLedger(summary: unknown): void {
    this.write('ledger.json', documentText(summary))
  }

  writeHgrm(engine: string, series: string, text: string): void {
    ensureFolder(join(this.path, 'histograms'))
    this.write(join('histograms', `${fileNameOf(engine)}.${fileNameOf(series)}.hgrm`), text)
  }

  private write(name: string, data: string): void {
    writeDurably(join(this.path, name), data)
  }
}

/** JSON turns NaN into null without a word; better to stop where the figure went wrong than to publish that. */
function checkBeforeWriting(file: string, schema: z.ZodType, value: unknown): void {
  const issue = schema.safeParse(value).error?.issues[0]
  if (issue === undefined) return
  throw new LighthouseError(
    'INTERNAL',
    `${file} would not be valid: ${issue.path.map(String).join('.')}: ${issue.message}.`,
  )
}

/** Creates `<parent>/<runId>`; an existing one is never touched. */
export function createRunDirectory(parent: string, runId: string): RunDirectory {
  if (!runIdPattern.test(runId)) throw new LighthouseError('INTERNAL', `"${runId}" is not a run id.`)
  const path = join(parent, runId)
  createFolder(path)
  return new FolderRun(path)
}

export interface OpenedRun extends RunRecord {
  /** For writing results and reports anew. */
  readonly directory: RunDirectory
}

/** Reads a run back. Throws LighthouseError('RUN_DIRECTORY') that names the file which is missing or wrong. */
export function openRunDirectory(path: string): OpenedRun {
  return { ...readRun(folderFiles(path)), directory: new FolderRun(path) }
}
