/** Stalls: what came while the loop did not read counts from when it stopped, and nothing else does. */
import { expect, it } from 'vitest'
import { Observations } from '../../../src/engines/bridge/observations.ts'
import { StallWatch } from '../../../src/engines/bridge/stalls.ts'
import { decodeHistogram } from '../../../src/measurement/histogram-codec.ts'

let nowMs = 0
const waiting: (() => void)[] = []
const read = (): void => {
  for (const run of waiting.splice(0)) run()
}
const watch = (): StallWatch => {
  nowMs = 0
  return new StallWatch(
    25,
    () => nowMs * 1e6,
    (run) => waiting.push(run),
  )
}
const tick = (stalls: StallWatch, atMs: number): void => {
  nowMs = atMs
  stalls.tick()
}

it('counts what was read after a stall from its beginning', () => {
  const stalls = watch()
  for (const atMs of [0, 25, 50]) tick(stalls, atMs)
  expect(stalls.earliest(40e6)).toBe(40e6)
  tick(stalls, 1550)
  // Read before what waits is read: not known until when it lasts.
  expect(stalls.earliest(1551e6)).toBe(50e6)
  nowMs = 1560
  read()
  expect([1549e6, 1550e6, 1560e6, 1561e6].map((atNs) => stalls.earliest(atNs))).toEqual([1549e6, 50e6, 50e6, 1561e6])
})

it('takes a tick that is somewhat late for a busy loop', () => {
  const stalls = watch()
  tick(stalls, 0)
  tick(stalls, 49)
  expect(waiting).toEqual([])
  expect(stalls.earliest(49e6)).toBe(49e6)
  tick(stalls, 99)
  expect(waiting).toHaveLength(1)
  read()
})

it('remembers earlier stalls for what was taken after them and is delivered late, up to a bound', () => {
  const stalls = watch()
  tick(stalls, 0)
  tick(stalls, 500)
  read()
  tick(stalls, 525)
  tick(stalls, 1000)
  read()
  expect([stalls.earliest(500e6), stalls.earliest(1000e6)]).toEqual([0, 525e6])
  for (let stall = 0; stall < 300; stall++) {
    tick(stalls, nowMs + 100)
    read()
  }
  expect(stalls.earliest(500e6)).toBe(500e6)
})

it('shows in what a bridge observes', () => {
  nowMs = 0
  const observations = new Observations({
    clock: { nowNs: () => nowMs * 1e6, wallMs: () => nowMs },
    intervalMs: 1000,
    pathOf: () => 'push',
    agents: () => ({ push: 1, poll: 0 }),
    refusals: () => ({}),
    afterReading: (run) => waiting.push(run),
  })
  observations.tick()
  nowMs = 800
  observations.tick()
  observations.delivered(0, 800e6)
  read()
  nowMs = 825
  observations.delivered(0, 825e6)
  nowMs = 1100
  observations.tick()
  const [interval] = observations.since(0)
  expect(Array.from(decodeHistogram(interval?.push.histogram ?? '').values, (us) => Math.round(us / 1000))).toEqual([
    0, 800,
  ])
  observations.destroy()
})
