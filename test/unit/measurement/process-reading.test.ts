/** What a process says of itself at rest: planted memory is seen in its own series, and garbage is not. */
import { openSync, closeSync } from 'node:fs'
import { expect, it } from 'vitest'
import { readProcess } from '../../../src/measurement/process-reading.ts'

const mega = 2 ** 20

it('tells held objects and held buffers apart, and leaves garbage out', async () => {
  // What runs the first time is compiled, and what the tests before left behind is given up, before anything is compared.
  await readProcess()
  const before = await readProcess()
  const objects: number[][] = []
  for (let index = 0; index < 256; index++) objects.push(Array.from({ length: 16_384 }, (_, place) => place + 0.5))
  const buffers = [new Uint8Array(32 * mega).fill(1)]
  const held = await readProcess()
  // 256 arrays of 16,384 doubles.
  expect(held.heapUsedBytes - before.heapUsedBytes).toBeGreaterThan(31 * mega)
  expect(held.heapUsedBytes - before.heapUsedBytes).toBeLessThan(40 * mega)
  expect(held.externalBytes - before.externalBytes).toBeGreaterThan(31 * mega)
  expect((held.allocatedBytes ?? 0) - (before.allocatedBytes ?? 0)).toBeGreaterThan(31 * mega)
  expect(held.startedAtMs).toBe(before.startedAtMs)
  objects.length = 0
  buffers.length = 0
  const after = await readProcess()
  expect(after.heapUsedBytes - before.heapUsedBytes).toBeLessThan(2 * mega)
  expect(after.externalBytes - before.externalBytes).toBeLessThan(mega)
})

it('counts descriptors', async () => {
  const before = await readProcess()
  const descriptors = Array.from({ length: 5 }, () => openSync('/dev/null', 'r'))
  const held = await readProcess()
  for (const descriptor of descriptors) closeSync(descriptor)
  expect((held.descriptors ?? 0) - (before.descriptors ?? 0)).toBe(5)
})
