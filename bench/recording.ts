/**
 * What recording one duration costs: the project's recorders beside a raw histogram of the same library and
 * an empty loop. Median of several repeats, in nanoseconds per record; the repeats of all subjects are
 * interleaved, so that a busy machine slows all of them alike. Goal: 40 ns per record.
 *
 * Run: node bench/recording.ts
 */
import { build, initWebAssemblySync } from 'hdr-histogram-js'
import { createBlockedRecorder, createLatencyRecorder } from '../src/measurement/latency-recorder.ts'
import { seededRandom } from '../src/platform/random.ts'

const samples = 1 << 16
const passes = 32
const repeats = 11
const goalNs = 40

const random = seededRandom('bench/recording')
/** Exponential around 2 ms with a long tail, in microseconds with a fraction, as a clock in nanoseconds gives them. */
const values = Float64Array.from({ length: samples }, () => random.exponential() * 2000)
/** Mostly in the order of the schedule, as completions are. */
const blocks = Int32Array.from({ length: samples }, (_, index) =>
  Math.min(9, Math.floor((index / samples) * 8) + random.below(3)),
)

initWebAssemblySync()
const range = { unit: 'us', highest: 600_000_000 } as const
const raw = build({ useWebAssembly: true, autoResize: false, highestTrackableValue: range.highest })
const recorder = createLatencyRecorder(range)
const blocked = createBlockedRecorder({ ...range, blocks: 10 })
let sum = 0

/** Each subject has a loop of its own, so that no call site is shared between them. */
const subjects: readonly (readonly [string, () => void])[] = [
  [
    'empty loop',
    () => {
      for (let index = 0; index < samples; index++) sum += values[index] as number
    },
  ],
  [
    'raw histogram',
    () => {
      for (let index = 0; index < samples; index++) raw.recordValue(values[index] as number)
    },
  ],
  [
    'LatencyRecorder',
    () => {
      for (let index = 0; index < samples; index++) recorder.record(values[index] as number)
    },
  ],
  [
    'BlockedRecorder',
    () => {
      for (let index = 0; index < samples; index++) blocked.record(blocks[index] as number, values[index] as number)
    },
  ],
]

const perRecordNs = new Map<string, number[]>(subjects.map(([name]) => [name, []]))
for (let repeat = -1; repeat < repeats; repeat++) {
  for (const [name, loop] of subjects) {
    const start = process.hrtime.bigint()
    for (let pass = 0; pass < passes; pass++) loop()
    const ns = Number(process.hrtime.bigint() - start) / (passes * samples)
    // The repeat before the first warms the compiler up and counts for nothing.
    if (repeat >= 0) perRecordNs.get(name)?.push(ns)
  }
}

const heapBefore = process.memoryUsage().heapUsed
for (let pass = 0; pass < passes; pass++) subjects[2]?.[1]()
const heapPerRecord = (process.memoryUsage().heapUsed - heapBefore) / (passes * samples)

const lines = [...perRecordNs].map(([name, all]) => {
  const sorted = all.toSorted((left, right) => left - right)
  const median = sorted[sorted.length >> 1] ?? NaN
  return `${name.padEnd(18)} ${median.toFixed(1).padStart(6)} ns   (${sorted[0]?.toFixed(1)} … ${sorted.at(-1)?.toFixed(1)})`
})
process.stdout.write(
  `${repeats} repeats of ${passes * samples} records, median (fastest … slowest)\n${lines.join('\n')}\n` +
    `LatencyRecorder: ${heapPerRecord.toFixed(3)} heap bytes per record, goal ${goalNs} ns; checksum ${sum.toExponential(3)}\n`,
)
