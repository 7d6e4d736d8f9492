/**
 * Writes and reads `histograms.hlog`: the HDR histogram log, format 1.3, one tagged line per series and
 * block. Written so that every reader of the format understands it; read so that no file, however made, can
 * take unbounded memory or put a figure into a report that its histogram does not hold.
 *
 * Times are seconds from the start of the schedule (`#[StartTime:` gives the wall clock), and the column
 * Interval_Max is in milliseconds for every series, as the format's own tools expect. Histograms hold
 * microseconds, those of `stage.*` nanoseconds.
 */
import { bucketLowerEdge, maximum, type Distribution } from '../statistics/distribution.ts'
import { LighthouseError } from '../platform/errors.ts'
import { decodeBudget, decodeHistogram, HistogramFormatError, type DecodeBudget } from './histogram-codec.ts'
import type { DurationUnit } from './latency-recorder.ts'
import { utcTimestamp } from './utc-time.ts'

export const histogramLogLimits = {
  characters: 64 * 2 ** 20,
  lines: 20_000,
  /** One line; a histogram of this project has at most some 12,000. */
  lineCharacters: 600 * 1024,
} as const

export const blockMs = 1000
export const stagePrefix = 'stage.'
/** Of what a store waits for, in microseconds, by the second in which a wait ended. */
export const storePrefix = 'store.'

const versionLine = '#[Histogram log format version 1.3]'
const legend = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'
const knownVersions = new Set(['1.2', '1.3'])
const tagPattern = /^[A-Za-z][A-Za-z0-9._-]{0,63}$/
const linePattern = /^Tag=([^,]{1,64}),(\d{1,9}\.\d{3}),(\d{1,9}\.\d{3}),(\d{1,15}\.\d{3,6}),([A-Za-z0-9+/=]+)$/

/** Unit of the integers in the histograms of a series. */
export function unitOfTag(tag: string): DurationUnit {
  return tag.startsWith(stagePrefix) ? 'ns' : 'us'
}

export interface HistogramLogEntry {
  readonly tag: string
  /** From the start of the schedule. */
  readonly startMs: number
  readonly intervalMs: number
  /** V2 compressed base64, in the unit of its tag. */
  readonly histogram: string
}

/** The opening comments; `startedAtMs` is wall-clock time of the start of the schedule. */
export function histogramLogHeader(startedAtMs: number): string {
  return [
    '#[Interval_Max in milliseconds; histograms in microseconds, of tags stage.* in nanoseconds]',
    versionLine,
    `#[StartTime: ${(startedAtMs / 1000).toFixed(3)} (seconds since epoch), ${utcTimestamp(startedAtMs)}]`,
    legend,
    '',
  ].join('\n')
}

/** One line with its newline. Decodes the histogram for the column Interval_Max; throws LighthouseError('INTERNAL'). */
export function histogramLogLine({ tag, startMs, intervalMs, histogram }: HistogramLogEntry): string {
  if (!tagPattern.test(tag)) {
    throw new LighthouseError('INTERNAL', `"${tag}" cannot be the tag of a histogram log line.`)
  }
  const max = maximum(decodeHistogram(histogram)) ?? 0
  const [perMs, decimals] = unitOfTag(tag) === 'ns' ? [1e6, 6] : [1e3, 3]
  const seconds = (ms: number): string => (ms / 1000).toFixed(3)
  return `Tag=${tag},${seconds(startMs)},${seconds(intervalMs)},${(max / perMs).toFixed(decimals)},${histogram}\n`
}

/**
 * The lines of one series, one per block of `lengthMs` of a schedule of `durationMs`; the last block may be shorter.
 * Throws LighthouseError('INTERNAL') when the blocks are not those of the schedule.
 */
export function seriesLines(
  tag: string,
  blocks: readonly string[],
  durationMs: number,
  lengthMs: number = blockMs,
): string {
  if (blocks.length !== Math.ceil(durationMs / lengthMs)) {
    throw new LighthouseError('INTERNAL', `${tag} has ${blocks.length} blocks for a schedule of ${durationMs} ms.`)
  }
  return blocks
    .map((histogram, block) => {
      const startMs = block * lengthMs
      return histogramLogLine({ tag, startMs, intervalMs: Math.min(lengthMs, durationMs - startMs), histogram })
    })
    .join('')
}

/** One line per stage of an engine; `histogram` in nanoseconds, `tag` without the prefix `stage.`. */
export function stageLines(stages: readonly { tag: string; histogram: string }[], durationMs: number): string {
  return stages
    .map(({ tag, histogram }) =>
      histogramLogLine({ tag: `${stagePrefix}${tag}`, startMs: 0, intervalMs: durationMs, histogram }),
    )
    .join('')
}

export interface ReadOptions {
  /** Name of the file for error messages. */
  readonly file?: string
  /** Shared by the logs of one run, so that the run as a whole is bounded; a fresh one by default. */
  readonly budget?: DecodeBudget
}

/**
 * The distributions of each tag in the order of their lines, so that the position is the block. Throws
 * LighthouseError('RUN_DIRECTORY') with the file and the line.
 */
export function readHistogramLog(text: string, options: ReadOptions = {}): Map<string, Distribution[]> {
  const file = options.file ?? 'histogram log'
  const budget = options.budget ?? decodeBudget()
  const series = new Map<string, Distribution[]>()
  const ends = new Map<string, number>()
  let versionSeen = false
  if (text.length > histogramLogLimits.characters) {
    refuse(file, 1, `the log has ${text.length} characters, more than the limit of ${histogramLogLimits.characters}`)
  }
  let number = 0
  for (let from = 0; from < text.length;) {
    number++
    if (number > histogramLogLimits.lines) refuse(file, number, `more than ${histogramLogLimits.lines} lines`)
    const end = text.indexOf('\n', from)
    if (end === -1) refuse(file, number, 'the last line is cut short: no newline ends it')
    if (end - from > histogramLogLimits.lineCharacters) refuse(file, number, 'the line is too long')
    const line = text.slice(from, end)
    from = end + 1
    if (line.startsWith('#')) versionSeen = readComment(line, file, number) || versionSeen
    else if (line !== legend) {
      if (!versionSeen) refuse(file, number, `a histogram comes before the line ${versionLine}`)
      addLine(line, { file, number, series, ends, budget })
    }
  }
  if (!versionSeen) refuse(file, Math.max(1, number), `the line ${versionLine} is missing`)
  return series
}

interface Reading {
  readonly file: string
  readonly number: number
  readonly series: Map<string, Distribution[]>
  /** Where the last block of a tag ended, in milliseconds. */
  readonly ends: Map<string, number>
  readonly budget: DecodeBudget
}

/** Whether the comment was the one that names a known version of the format. */
function readComment(line: string, file: string, number: number): boolean {
  const version = /^#\[Histogram log format version (.*)\]$/.exec(line)?.[1]
  if (version === undefined) return false
  if (!knownVersions.has(version)) {
    refuse(file, number, `format version ${JSON.stringify(version.slice(0, 20))} is not one of 1.2, 1.3`)
  }
  return true
}

function addLine(line: string, { file, number, series, ends, budget }: Reading): void {
  const [, tag, start, interval, max, histogram] = linePattern.exec(line) ?? []
  if (tag === undefined || start === undefined || interval === undefined || max === undefined) {
    return refuse(file, number, 'expected Tag=NAME,START,LENGTH,MAX,HISTOGRAM with three decimals')
  }
  if (histogram === undefined || !tagPattern.test(tag)) refuse(file, number, 'the tag is not a name of a series')
  const startMs = Math.round(Number(start) * 1000)
  const endMs = startMs + Math.round(Number(interval) * 1000)
  // Without gaps the position of a line is its block, and no block can be left out unseen.
  if (startMs !== (ends.get(tag) ?? 0)) refuse(file, number, `the block of ${tag} does not follow on the previous one`)
  ends.set(tag, endMs)
  const distribution = decodeAt(histogram, budget, file, number)
  checkMaximum(Number(max), tag, distribution, file, number)
  const blocks = series.get(tag)
  if (blocks === undefined) series.set(tag, [distribution])
  else blocks.push(distribution)
}

function decodeAt(histogram: string, budget: DecodeBudget, file: string, number: number): Distribution {
  try {
    return decodeHistogram(histogram, budget)
  } catch (error) {
    if (error instanceof HistogramFormatError) return refuse(file, number, error.message, error)
    throw error
  }
}

/** The column may hold the exact maximum or its bucket's edge, give or take the third decimal; nothing else. */
function checkMaximum(maxMs: number, tag: string, distribution: Distribution, file: string, number: number): void {
  const perMs = unitOfTag(tag) === 'ns' ? 1e6 : 1e3
  const rounding = perMs / 1000
  const edge = maximum(distribution) ?? 0
  const value = maxMs * perMs
  if (value > edge + rounding || value < bucketLowerEdge(edge) - rounding) {
    refuse(file, number, `Interval_Max ${maxMs} ms is not the maximum of its histogram, ${edge / perMs} ms`)
  }
}

function refuse(file: string, line: number, what: string, cause?: unknown): never {
  throw new LighthouseError('RUN_DIRECTORY', `${file}, line ${line}: ${what}.`, {
    ...(cause === undefined ? {} : { cause }),
    suggestions: ['Use the file as the run wrote it; a log that was edited or cut cannot be repaired.'],
  })
}
