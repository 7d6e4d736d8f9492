/**
 * What Linux counts of one thread or process: CPU time, and what it wrote (proc_pid_io(5), proc_pid_schedstat, proc_pid_stat(5)).
 * Null where the counters cannot be read: elsewhere than on Linux, or of a process of another user.
 */
import { readFileSync } from 'node:fs'

export interface IoCounters {
  /** System calls that write. */
  readonly writeCalls: number
  /** Bytes handed to the kernel by these calls. */
  readonly writtenBytes: number
}

function read(path: string): string | null {
  try {
    return readFileSync(`/proc/${path}`, 'latin1')
  } catch {
    return null
  }
}

/** `path`: below /proc, such as `123/task/124`. */
export function ioCounters(path: string | null): IoCounters | null {
  const text = path === null ? null : read(`${path}/io`)
  const number = (name: string): number =>
    Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text ?? '')?.[1] ?? Number.NaN)
  const counters = { writeCalls: number('syscw'), writtenBytes: number('wchar') }
  return Number.isNaN(counters.writeCalls + counters.writtenBytes) ? null : counters
}

/** Microseconds on a CPU of one thread. */
export function threadCpuUs(path: string | null): number | null {
  const ns = path === null ? null : /^(\d+) /.exec(read(`${path}/schedstat`) ?? '')?.[1]
  return ns === null || ns === undefined ? null : Number(ns) / 1000
}

const tickUs = 10_000

/** Microseconds of a process and of all children it ever had, those that live and those that it has reaped; in ticks of 10 ms. */
export function familyCpuUs(pid: number): number | null {
  const own = cpuTicks(pid, 4)
  if (own === null) return null
  const children = (read(`${pid}/task/${pid}/children`) ?? '').trim()
  const living = children === '' ? [] : children.split(' ').map((child) => cpuTicks(Number(child), 2) ?? 0)
  return (own + living.reduce((sum, ticks) => sum + ticks, 0)) * tickUs
}

/** utime, stime and, with four fields, cutime and cstime. */
function cpuTicks(pid: number, fields: 2 | 4): number | null {
  // The name may hold anything, so fields are counted from its closing bracket: the next is number 3, utime is 14.
  const rest = read(`${pid}/stat`)
    ?.replace(/^.*\)\s/s, '')
    .split(' ')
  return rest === undefined ? null : rest.slice(11, 11 + fields).reduce((sum, each) => sum + Number(each), 0)
}
