/** Room in the heap: what a collection leaves decides, what has ended since gives room back, and a real collection is heard of. */
import { describe, expect, it } from 'vitest'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Emergency, heapMayTake, HeapRoom, watchHeap } from '../../../src/engines/elicitation/heap-room.ts'
import { delay } from '../../../src/platform/clock.ts'

describe('room in the heap', () => {
  it('is there until a collection leaves more than 85 % of the limit', () => {
    const room = new HeapRoom()
    expect(room.isShort(1e6)).toBe(false)
    room.collected(850, 1000, 40)
    expect(room.isShort(40)).toBe(false)
    room.collected(851, 1000, 40)
    expect(room.isShort(40)).toBe(true)
  })

  it('is there again when a quarter of what was open has ended, or the next collection leaves less', () => {
    const room = new HeapRoom()
    room.collected(900, 1000, 40)
    expect(room.isShort(31)).toBe(true)
    expect(room.isShort(30)).toBe(false)
    room.collected(600, 1000, 40)
    expect(room.isShort(40)).toBe(false)
  })

  it('does not refuse what would be the only exchange: an engine that cannot live anyhow is not helped', () => {
    const room = new HeapRoom()
    room.collected(990, 1000, 0)
    expect(room.isShort(0)).toBe(false)
  })
})

describe('what the heap may take', () => {
  const free = { heapLimitBytes: 4000, heapResidentBytes: 50, constrainedBytes: null, residentBytes: 120 }

  it("is V8's own limit, or in a container what is left beside the memory that is no heap", () => {
    expect(heapMayTake(free)).toBe(4000)
    // A twentieth is for what the kernel keeps.
    expect(heapMayTake({ ...free, constrainedBytes: 200 })).toBe(190 - 70)
    expect(heapMayTake({ ...free, constrainedBytes: 9000 })).toBe(4000)
    expect(heapMayTake({ ...free, constrainedBytes: 60 })).toBe(0)
  })
})

describe('an emergency', () => {
  it('calls for a collection above 80 % of the container, and again for every further 2 %', () => {
    const emergency = new Emergency()
    const calls = [700, 799, 800, 810, 819, 820, 839, 840, 700, 801].map((bytes) => emergency.calls(bytes, 1000))
    expect(calls).toEqual([false, false, true, false, false, true, false, true, false, true])
  })
})

it('hears of major collections of this thread until it is told to stop', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const heard: number[] = []
  const room = { collected: (liveBytes: number) => void heard.push(liveBytes) } as unknown as HeapRoom
  const stop = watchHeap(room, () => 7)
  for (let wait = 0; wait < 100 && heard.length === 0; wait++) {
    collect()
    await delay(10)
  }
  stop()
  expect(heard[0]).toBeGreaterThan(1e6)
  const before = heard.length
  collect()
  await delay(30)
  expect(heard.length).toBe(before)
})
