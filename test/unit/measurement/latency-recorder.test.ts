/** The recorder against a plain list of samples: what it holds, what it refuses, and that blocks stay apart. */
import { describe, expect, it } from 'vitest'
import { decodeHistogram } from '../../../src/measurement/histogram-codec.ts'
import { createBlockedRecorder, createLatencyRecorder } from '../../../src/measurement/latency-recorder.ts'

const usRange = { unit: 'us', highest: 600_000_000 } as const

describe('LatencyRecorder', () => {
  it('counts negative and out-of-range values beside the histogram and throws for neither', () => {
    const recorder = createLatencyRecorder(usRange)
    for (const value of [-1, -0.4, 0, 1.9, 600_000_000, 600_000_001, 1e300, Infinity, NaN]) recorder.record(value)
    expect([recorder.count, recorder.negative, recorder.outOfRange]).toEqual([3, 2, 4])
    const { n, values } = decodeHistogram(recorder.encode())
    expect(n).toBe(3)
    expect([values[0], values[1]]).toEqual([0, 1])
    recorder.destroy()
  })

  it('gives the upper edge of the bucket of a rank, and null without samples', () => {
    const recorder = createLatencyRecorder(usRange)
    expect(recorder.quantile(0.99)).toBeNull()
    for (let value = 1; value <= 1000; value++) recorder.record(value)
    expect([recorder.quantile(0.5), recorder.quantile(0.99), recorder.quantile(1)]).toEqual([500, 990, 1000])
    recorder.record(5000)
    expect(recorder.quantile(1)).toBe(5003)
    recorder.destroy()
  })

  it('starts afresh after reset', () => {
    const recorder = createLatencyRecorder(usRange)
    const empty = recorder.encode()
    for (const value of [-1, 7, 1e12]) recorder.record(value)
    expect(recorder.encode()).not.toBe(empty)
    recorder.reset()
    expect([recorder.count, recorder.negative, recorder.outOfRange, recorder.encode()]).toEqual([0, 0, 0, empty])
    recorder.destroy()
  })

  it('refuses ranges that no histogram has', () => {
    for (const highest of [0, 1, 1.5, NaN, 2 ** 53]) {
      expect(() => createLatencyRecorder({ unit: 'us', highest })).toThrow(/cannot track/)
    }
  })
})

describe('BlockedRecorder', () => {
  it('keeps samples in the block of their schedule whatever the order they come in', () => {
    const recorder = createBlockedRecorder({ ...usRange, blocks: 4 })
    recorder.record(3, 30)
    recorder.record(0, 1)
    recorder.record(3, 31)
    recorder.record(1, 10)
    const blocks = recorder.encodeBlocks().map((text) => [...decodeHistogram(text).values])
    expect(blocks).toEqual([[1], [10], [], [30, 31]])
    expect(recorder.count).toBe(4)
    recorder.destroy()
  })

  it('counts a block outside the schedule as out of range', () => {
    const recorder = createBlockedRecorder({ ...usRange, blocks: 2 })
    for (const block of [-1, 2, 0.5, NaN]) recorder.record(block, 5)
    recorder.record(1, -5)
    expect([recorder.count, recorder.negative, recorder.outOfRange]).toEqual([0, 1, 4])
    recorder.destroy()
  })

  it('is empty after reset and again usable', () => {
    const recorder = createBlockedRecorder({ ...usRange, blocks: 2 })
    recorder.record(1, 9)
    recorder.reset()
    recorder.record(1, 11)
    expect(recorder.encodeBlocks().map((text) => [...decodeHistogram(text).values])).toEqual([[], [11]])
    recorder.destroy()
  })

  it('bounds the number of blocks', () => {
    for (const blocks of [0, 601, 1.5]) {
      expect(() => createBlockedRecorder({ ...usRange, blocks })).toThrow(/1 to 600 blocks/)
    }
    const recorder = createBlockedRecorder({ ...usRange, blocks: 600 })
    for (let block = 0; block < 600; block++) recorder.record(block, block)
    expect(recorder.encodeBlocks().map((text) => decodeHistogram(text).n)).toEqual(Array(600).fill(1))
    recorder.destroy()
  })
})
