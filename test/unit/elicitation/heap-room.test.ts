/** Room in the heap: what a collection leaves decides, what has ended since gives room back, and a real collection is heard of. */
import { describe, expect, it } from 'vitest'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Emergency, heapMayTake, HeapRoom, watchHeap } from '../../../src/engines/elicitation/heap-room.ts'
import { delay, systemClock } from '../../../src/platform/clock.ts'

describe('room in the heap', () => {
  it('is there until a collection leaves more than 85 % of the limit', () => {
    const room = new HeapRoom()
    expect(room.isShort(1e6, 0)).toBe(false)
    room.collected(850, 1000, 40, 0)
    expect(room.isShort(40, 0)).toBe(false)
    room.collected(851, 1000, 40, 0)
    expect(room.isShort(40, 0)).toBe(true)
  })

  it('is there again when a quarter of what was open has ended, or the next collection leaves less', () => {
    const room = new HeapRoom()
    room.collected(900, 1000, 40, 0)
    expect(room.isShort(31, 0)).toBe(true)
    expect(room.isShort(30, 0)).toBe(false)
    room.collected(600, 1000, 40, 0)
    expect(room.isShort(40, 0)).toBe(false)
  })

  it('is not less with every collection that leaves as much, and is tried again when none came for five seconds', () => {
    const room = new HeapRoom()
    room.collected(900, 1000, 40, 0)
    room.collected(890, 1000, 30, 10)
    expect(room.isShort(30, 10)).toBe(false)
    expect(room.isShort(31, 5009)).toBe(true)
    expect(room.isShort(31, 5010)).toBe(false)
    room.collected(950, 1000, 36, 6000)
    expect([27, 28].map((open) => room.isShort(open, 6000))).toEqual([false, true])
  })

  it('does not refuse what would be the only exchange: an engine that cannot live anyhow is not helped', () => {
    const room = new HeapRoom()
    room.collected(990, 1000, 0, 0)
    expect(room.isShort(0, 0)).toBe(false)
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
  it('calls for a collection above 80 % of the container, and again when 2 % more than it left are taken', () => {
    const emergency = new Emergency()
    const calls = (...bytes: number[]) => bytes.map((each) => emergency.calls(each, 1000))
    expect(calls(700, 799, 800)).toEqual([false, false, true])
    emergency.collected(795)
    expect(calls(799, 800, 814, 815)).toEqual([false, false, false, true])
    emergency.collected(700)
    // It is over below 70 %, and not as soon as it was relieved.
    expect(calls(719, 801)).toEqual([false, true])
    emergency.collected(790)
    expect(calls(690, 801)).toEqual([false, true])
  })
})

it('hears of major collections of this thread until it is told to stop', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const heard: number[] = []
  const room = { collected: (liveBytes: number) => void heard.push(liveBytes) } as unknown as HeapRoom
  const stop = watchHeap(room, () => 7, systemClock())
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
