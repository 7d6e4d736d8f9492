/** Steal and foreign CPU from recorded /proc/stat texts whose differences are known. */
import { describe, expect, it } from 'vitest'
import {
  noiseBetween,
  parseMachineCpu,
  readMachineCpu,
  type MachineCpu,
} from '../../../src/measurement/machine-noise.ts'

/** user nice system idle iowait irq softirq steal guest guest_nice, as Linux 6 prints them. */
function stat(total: readonly number[]): string {
  return [
    `cpu  ${total.join(' ')}`,
    'cpu0 2475 0 1932 141644 90 0 28 118 0 0',
    'cpu1 2475 0 1932 141644 89 0 28 119 0 0',
    'intr 1234 0 0',
    'ctxt 99887',
    '',
  ].join('\n')
}

function parsed(total: readonly number[]): MachineCpu {
  const cpu = parseMachineCpu(stat(total))
  if (cpu === null) throw new Error('not parsed')
  return cpu
}

const before = parsed([4950, 0, 3864, 283_288, 179, 0, 56, 237, 0, 0])

describe('parseMachineCpu', () => {
  it('sums what ran, keeps guest time from counting twice, and counts CPUs', () => {
    expect(parsed([100, 20, 3, 1000, 50, 4, 5, 7, 60, 2])).toEqual({
      totalTicks: 1189,
      busyTicks: 132,
      stealTicks: 7,
      cpus: 2,
    })
  })

  it('is null for a text that is not of /proc/stat', () => {
    for (const text of ['', 'cpu 1 2 3', 'Linux version 6', 'cpu  1 2 3 4 5 6 7 x', 'cpu  1 2 3 4 5 6 7 8\n']) {
      expect(parseMachineCpu(text)).toBeNull()
    }
  })
})

describe('noiseBetween', () => {
  it('gives shares of the capacity of all CPUs', () => {
    // 2 s on 2 CPUs = 400 ticks; 40 stolen; 220 busy of which 1.8 s = 180 ticks were the run's own.
    const after = parsed([5100, 10, 3914, 283_428, 179, 0, 66, 277, 0, 0])
    expect(noiseBetween(before, after, 1_800_000, 2000)).toEqual({ stealPercent: 10, foreignCpuPercent: 10 })
  })

  it('reports rounding below zero as 0', () => {
    const after = parsed([5050, 0, 3864, 283_588, 179, 0, 56, 237, 0, 0])
    expect(noiseBetween(before, after, 1_010_000, 2000)).toEqual({ stealPercent: 0, foreignCpuPercent: 0 })
  })

  it.each([
    ['no /proc/stat', null, before, 0, 2000, /not readable/],
    [
      'counters that ran backwards',
      before,
      parsed([4950, 0, 3864, 283_288, 179, 0, 56, 200, 0, 0]),
      0,
      2000,
      /backwards/,
    ],
    ['counters that stood still', before, before, 0, 2000, /did not keep time/],
    ['a window below the resolution', before, before, 0, 50, /too short/],
    ['a changed number of CPUs', before, { ...before, cpus: 4 }, 0, 2000, /number of CPUs/],
    ['unknown own CPU', before, before, NaN, 2000, /not known/],
  ])('is null with a reason: %s', (_name, from, to, ownUs, elapsedMs, reason) => {
    const noise = noiseBetween(from, to, ownUs, elapsedMs)
    expect([noise.stealPercent, noise.foreignCpuPercent]).toEqual([null, null])
    expect(noise.reason).toMatch(reason)
  })

  it.runIf(process.platform === 'linux')('reads this machine', () => {
    const cpu = readMachineCpu()
    expect(cpu?.cpus).toBeGreaterThan(0)
    expect(cpu?.busyTicks).toBeGreaterThan(0)
  })
})
