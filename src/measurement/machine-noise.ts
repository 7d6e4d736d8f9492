/**
 * How much of the machine was taken away from a round: steal (the hypervisor ran somebody else) and foreign
 * CPU (other processes of this machine ran), each in percent of the capacity of all CPUs.
 *
 * Source: the CPU lines of Linux's /proc/stat (proc_stat(5)), in ticks of 10 ms. Busy time is user + nice +
 * system + irq + softirq (guest time is part of user already); foreign is busy minus what the caller's own
 * processes used. Elsewhere the figures are null with a reason: an unknown is never a zero.
 */
import { readFileSync } from 'node:fs'

/** Cumulative ticks of all CPUs together, and how many CPUs there are. */
export interface MachineCpu {
  /** Busy, idle, waiting and stolen: the capacity that passed. */
  readonly totalTicks: number
  readonly busyTicks: number
  readonly stealTicks: number
  readonly cpus: number
}

export interface MachineNoise {
  readonly stealPercent: number | null
  readonly foreignCpuPercent: number | null
  /** Why both are null; absent when they are not. */
  readonly reason?: string
}

/** USER_HZ, which Linux fixes at 100 for what it shows to programs, whatever the kernel's own tick. */
const tickMs = 10
/** Below this the ticks are too coarse: 20 ticks make 5 % of one CPU a single tick. */
const shortestMs = 200

/** The counters now, or null where there is no readable /proc/stat. */
export function readMachineCpu(): MachineCpu | null {
  try {
    return parseMachineCpu(readFileSync('/proc/stat', 'latin1'))
  } catch {
    return null
  }
}

/** Pure part of `readMachineCpu`: null when the text is not that of /proc/stat. */
export function parseMachineCpu(text: string): MachineCpu | null {
  const lines = text.split('\n')
  const fields = /^cpu +(\d+(?: \d+){7,})$/
    .exec(lines[0]?.trimEnd() ?? '')?.[1]
    ?.split(' ')
    .map(Number)
  const cpus = lines.filter((line) => /^cpu\d+ /.test(line)).length
  if (fields === undefined || cpus === 0) return null
  const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0, steal = 0] = fields
  const busyTicks = user + nice + system + irq + softirq
  return { totalTicks: busyTicks + idle + waiting + steal, busyTicks, stealTicks: steal, cpus }
}

/**
 * What happened between two readings, at least `elapsedMs` of monotonic time apart; the capacity is what the
 * counters themselves saw pass, so the shares are right also where the readings lie further apart. `ownCpuUs` is the CPU time of all
 * processes of the run in that time. The tick counters lag behind exact CPU time by up to a tick per CPU, so
 * a foreign share below zero is a rounding and reported as 0.
 */
export function noiseBetween(
  before: MachineCpu | null,
  after: MachineCpu | null,
  ownCpuUs: number,
  elapsedMs: number,
): MachineNoise {
  if (before === null || after === null) return unknown('the CPU counters of /proc/stat are not readable here')
  if (!(elapsedMs >= shortestMs)) return unknown(`${elapsedMs} ms are too short for counters of 10 ms`)
  if (before.cpus !== after.cpus) return unknown('the number of CPUs changed')
  const stealTicks = after.stealTicks - before.stealTicks
  const busyTicks = after.busyTicks - before.busyTicks
  if (stealTicks < 0 || busyTicks < 0) return unknown('the CPU counters of /proc/stat ran backwards')
  if (!(ownCpuUs >= 0)) return unknown('the CPU time of the run itself is not known')
  const capacityMs = (after.totalTicks - before.totalTicks) * tickMs
  // Some containers show counters that are not those of the machine; half is far outside any rounding.
  if (capacityMs < (elapsedMs * after.cpus) / 2) return unknown('the CPU counters of /proc/stat did not keep time')
  const foreignMs = Math.max(0, busyTicks * tickMs - ownCpuUs / 1000)
  return {
    stealPercent: (stealTicks * tickMs * 100) / capacityMs,
    foreignCpuPercent: (foreignMs * 100) / capacityMs,
  }
}

function unknown(reason: string): MachineNoise {
  return { stealPercent: null, foreignCpuPercent: null, reason }
}
