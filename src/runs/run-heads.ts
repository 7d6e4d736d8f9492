/**
 * The heads of `run.json`, `results.json` and `campaign.json`: what a listing shows, and no more, so that runs of other versions and of
 * suites that this one does not know can be listed. Nothing here is evidence; whoever judges reads the whole with its own schema.
 */
import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { readBoundedFile } from '../measurement/bounded-file.ts'

const largestDocumentBytes = 8 * 2 ** 20
const name = z.string().min(1).max(200)
const time = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/)
/** One may hold the reasons of many rounds. */
const reason = z.string().max(300_000)
const headShape = z.object({
  schemaVersion: z.literal(1),
  profile: name,
  startedAt: time,
  finishedAt: time.optional(),
  interrupted: z.boolean().optional(),
})
const runShape = headShape.extend({
  runId: name,
  suite: name,
  engines: z
    .array(z.object({ label: name }))
    .min(1)
    .max(100),
})
const loadShape = z.object({
  agents: z.number(),
  ratePerSecond: z.number(),
  rounds: z.number(),
  roundDurationMs: z.number(),
})
const planShape = z.object({
  seed: name,
  targets: z.object({ source: name }),
  plan: loadShape.extend({ cases: z.array(loadShape.extend({ name })).max(1000).optional() }),
})
const resultsShape = z.object({
  schemaVersion: z.literal(1),
  decision: name,
  exitCode: z.number().int(),
  scope: z.string().max(2000),
  decisionReasons: z.array(reason).max(10_000),
})
const campaignShape = headShape.extend({
  campaignId: name,
  decision: name,
  exitCode: z.number().int(),
  scope: z.string().max(10_000),
  decisionReasons: z.array(reason).max(10_000),
  engines: z.array(name).max(1000),
  suites: z.array(z.object({ suite: name, runId: name.nullable() })).max(100),
})
export type Head = z.infer<typeof headShape>

/** A text says what is wrong with it. */
export function readRunHead(path: string): z.infer<typeof runShape> | string {
  return readShape(join(path, 'run.json'), runShape)
}

export function readResultsHead(path: string): z.infer<typeof resultsShape> | string {
  return readShape(join(path, 'results.json'), resultsShape)
}

export function readCampaignHead(path: string): z.infer<typeof campaignShape> | string {
  return readShape(join(path, 'campaign.json'), campaignShape)
}

/** The plan of `run.json` in words; empty when it is not as a run writes it. */
export function readRunPlan(path: string): string[] {
  const run = readShape(join(path, 'run.json'), planShape)
  if (typeof run === 'string') return []
  const { agents, ratePerSecond, rounds, roundDurationMs, cases } = run.plan
  const load = (sizes: z.infer<typeof loadShape>): string =>
    `${sizes.agents} agents, ${sizes.ratePerSecond} exchanges/s, ${sizes.rounds} × ${sizes.roundDurationMs / 1000} s per engine`
  const seed = `seed ${run.seed}, targets ${run.targets.source}`
  if (cases === undefined) return [load({ agents, ratePerSecond, rounds, roundDurationMs }), seed]
  return [...cases.map((each) => `${each.name}: ${load(each)}`), seed]
}

function readShape<T>(file: string, shape: z.ZodType<T>): T | string {
  const size = sizeOf(file)
  if (size === 'missing') return 'is missing'
  if (size === 'hidden') return 'cannot be looked at'
  if (size > largestDocumentBytes) return `has ${size} bytes; at most ${largestDocumentBytes} are read`
  const bytes = readBoundedFile(file, largestDocumentBytes, { follow: false })
  if (bytes === null) return 'cannot be read as a regular file'
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return 'is not JSON; it was cut short or edited'
  }
  const checked = shape.safeParse(value)
  if (checked.success) return checked.data
  const issue = checked.error.issues[0]
  return `is not as a run writes it: ${issue?.path.map(String).join('.').slice(0, 100) || 'the document'}: ${issue?.message.slice(0, 200) ?? ''}`
}

/** In bytes; `hidden` where the directory may be listed and not entered. */
function sizeOf(file: string): number | 'missing' | 'hidden' {
  try {
    return lstatSync(file, { throwIfNoEntry: false })?.size ?? 'missing'
  } catch {
    return 'hidden'
  }
}
