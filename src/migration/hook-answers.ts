/**
 * What hooks answer, read as strictly as anything that a stranger sends: every number is bounded, nothing is guessed, and counts that cannot
 * all be true are refused, since they would become evidence.
 */
import { z } from 'zod'
import { codecLimits, decodeBudget, decodeHistogram, HistogramFormatError } from '../measurement/histogram-codec.ts'
import type { DecodeBudget } from '../measurement/histogram-codec.ts'
import { oneLine } from '../measurement/targets-file.ts'
import type { MeasuredGroup, MeasuredInterval, StreamPlace, Whereabouts } from './system.ts'

export const mostIntervals = 1000
/** No interval of a plan is longer than a year; what ended before that is of no use to anybody. */
const longestMs = 365 * 86_400_000

const schemaVersion = z.literal(1, 'must be 1')
const count = z.int().min(0).max(codecLimits.samples)
const agents = z.int().min(0).max(1e9)
const group = z.strictObject({
  agents,
  due: count,
  failed: count,
  unmeasured: count.optional(),
  histogram: z.string().max(codecLimits.encodedCharacters).optional(),
  above: z
    .record(z.string().max(32), count)
    .refine((above) => Object.keys(above).length <= 64, 'must be at most 64 bounds')
    .optional(),
})
const interval = z.strictObject({
  sequence: z.int().min(0),
  durationMs: z.number().gt(0).max(longestMs),
  endedAgoMs: z.number().min(0).max(longestMs),
  candidate: group,
  baseline: group,
  lost: count.nullable(),
  securityViolations: count,
})
const observed = z.strictObject({
  schemaVersion,
  stream: oneLine(100),
  // Only what is needed to step over one that is wrong; each is read by itself.
  intervals: z.array(z.looseObject({ sequence: z.int().min(0) })).max(mostIntervals),
})
const whereabouts = z.strictObject({
  schemaVersion,
  known: agents,
  onCandidate: agents,
  assignedCandidate: agents,
  draining: z.boolean(),
  baselineRoom: agents,
})

/** What is wrong with an answer, in words; the caller adds whose it is. */
export class HookAnswerError extends Error {
  override name = 'HookAnswerError'
}

export interface ReadIntervals {
  /** Those before the first that is wrong. */
  readonly intervals: readonly MeasuredInterval[]
  readonly wrong: { readonly place: StreamPlace; readonly what: string } | null
}

/** Intervals after `after`. Throws HookAnswerError when it cannot even be told which they are. */
export function readObserved(text: string, after: StreamPlace | null, boundsMs: readonly number[]): ReadIntervals {
  const { stream, intervals: given } = parsed(text, observed)
  const disordered = given.find(({ sequence }, index) => index > 0 && sequence <= (given[index - 1]?.sequence ?? 0))
  if (disordered !== undefined)
    throw new HookAnswerError(`its intervals do not ascend: ${disordered.sequence} does not belong where it stands`)
  const budget = decodeBudget()
  const intervals: MeasuredInterval[] = []
  for (const each of given) {
    const { sequence } = each
    if (after !== null && after.stream === stream && sequence <= after.sequence) continue
    try {
      intervals.push(readInterval(each, stream, boundsMs, budget))
    } catch (error) {
      if (!(error instanceof HookAnswerError)) throw error
      return { intervals, wrong: { place: { stream, sequence }, what: `interval ${sequence}: ${error.message}` } }
    }
  }
  return { intervals, wrong: null }
}

export function readWhereabouts(text: string): Whereabouts {
  const { known, onCandidate, assignedCandidate, draining, baselineRoom } = parsed(text, whereabouts)
  if (onCandidate > known || assignedCandidate > known)
    throw new HookAnswerError(`more agents are on the new path or assigned to it than the ${known} that are known`)
  return { known, onCandidate, assignedCandidate, draining, baselineRoom }
}

function parsed<T>(text: string, shape: z.ZodType<T>): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new HookAnswerError('its answer is not JSON')
  }
  return checked(value, shape, 'its answer')
}

function checked<T>(value: unknown, shape: z.ZodType<T>, whole: string): T {
  const read = shape.safeParse(value)
  if (read.success) return read.data
  const issue = read.error.issues[0]
  // A path has names that the answer chose; a message of the library may quote them.
  const path = issue?.path.map(String).join('.') ?? ''
  const what = (issue?.message ?? 'it is not as documented').slice(0, 200)
  throw new HookAnswerError(`${path === '' ? whole : path.slice(0, 80)}: ${what}`)
}

function readInterval(
  value: unknown,
  stream: string,
  boundsMs: readonly number[],
  budget: DecodeBudget,
): MeasuredInterval {
  const { candidate, baseline, ...rest } = checked(value, interval, 'it')
  return {
    stream,
    ...rest,
    candidate: readGroup(candidate, 'candidate', boundsMs, budget),
    baseline: readGroup(baseline, 'baseline', boundsMs, budget),
  }
}

function readGroup(
  { agents, due, failed, unmeasured = 0, histogram, above }: z.infer<typeof group>,
  name: string,
  boundsMs: readonly number[],
  budget: DecodeBudget,
): MeasuredGroup {
  const wrong = (what: string): HookAnswerError => new HookAnswerError(`${name}: ${what}`)
  if (failed + unmeasured > due) throw wrong(`${failed} failed and ${unmeasured} unmeasured of ${due} that were due`)
  if (histogram !== undefined && above === undefined) {
    const held = heldBy(histogram, budget, wrong)
    if (held + unmeasured + failed !== due)
      throw wrong(
        `${due} were due, and its histogram holds ${held} beside ${failed} failed and ${unmeasured} unmeasured`,
      )
    return { agents, due, failed, unmeasured, histogram, above: null }
  }
  if (above === undefined || histogram !== undefined) throw wrong('must have either a histogram or above')
  if (unmeasured > 0) throw wrong('unmeasured belongs to a histogram')
  return { agents, due, failed, unmeasured, histogram: null, above: countsOf(above, due - failed, boundsMs, wrong) }
}

function heldBy(histogram: string, budget: DecodeBudget, wrong: (what: string) => HookAnswerError): number {
  try {
    return decodeHistogram(histogram, budget).n
  } catch (error) {
    if (error instanceof HistogramFormatError) throw wrong(error.message)
    throw error
  }
}

/** Of the bounds that the plan names; a system may count others besides. */
function countsOf(
  above: Readonly<Record<string, number>>,
  arrived: number,
  boundsMs: readonly number[],
  wrong: (what: string) => HookAnswerError,
): Record<string, number> {
  const counts = Object.entries(above).map(([bound, value]) => {
    if (!(Number(bound) > 0) || String(Number(bound)) !== bound) throw wrong('a bound of above is no number of ms')
    return { boundMs: Number(bound), value }
  })
  let most = arrived
  for (const { boundMs, value } of counts.toSorted((one, other) => one.boundMs - other.boundMs)) {
    if (value > most) throw wrong(`${value} took longer than ${boundMs} ms, of ${most} that can have`)
    most = value
  }
  const missing = boundsMs.find((boundMs) => !Object.hasOwn(above, String(boundMs)))
  if (missing !== undefined)
    throw wrong(`above does not count what took longer than ${missing} ms, a bound of the plan`)
  return Object.fromEntries(boundsMs.map((boundMs) => [String(boundMs), above[String(boundMs)] ?? 0]))
}
