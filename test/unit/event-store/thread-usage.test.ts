/** Counters of Linux, held against what this process did and against Node's own. */
import { closeSync, mkdtempSync, openSync, readlinkSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { familyCpuUs, ioCounters, threadCpuUs } from '../../../src/engines/event-store/thread-usage.ts'

const linux = process.platform === 'linux'
const thread = linux ? readlinkSync('/proc/thread-self') : ''

test.skipIf(!linux)('bytes and calls of this thread are those that it wrote', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lighthouse-usage-'))
  const file = openSync(join(folder, 'written'), 'w')
  const before = ioCounters(thread)
  for (let call = 0; call < 5; call++) writeSync(file, Buffer.alloc(1000))
  const after = ioCounters(thread)
  closeSync(file)
  rmSync(folder, { recursive: true })
  expect((after?.writtenBytes ?? 0) - (before?.writtenBytes ?? 0)).toBe(5000)
  expect((after?.writeCalls ?? 0) - (before?.writeCalls ?? 0)).toBe(5)
})

test.skipIf(!linux)('CPU of the thread and of the process grows by what Node counts', () => {
  const burnt = (): number => process.threadCpuUsage().user + process.threadCpuUsage().system
  const [start, own, family] = [burnt(), threadCpuUs(thread) ?? 0, familyCpuUs(process.pid) ?? 0]
  while (burnt() - start < 100_000);
  const used = burnt() - start
  // The scheduler accounts at its own moments, the process in ticks of 10 ms.
  expect((threadCpuUs(thread) ?? 0) - own).toBeGreaterThan(used - 30_000)
  expect((familyCpuUs(process.pid) ?? 0) - family).toBeGreaterThan(used - 30_000)
})

test('what cannot be read is null and no zero', () => {
  expect([ioCounters('nobody'), threadCpuUs('nobody'), familyCpuUs(0)]).toEqual([null, null, null])
  expect([ioCounters(null), threadCpuUs(null)]).toEqual([null, null])
})
