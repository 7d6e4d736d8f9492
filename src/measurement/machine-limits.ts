/**
 * What this machine allows a run: descriptors, cores, memory and ports. Texts of /proc and /sys are parsed by pure functions and
 * read through a parameter, so that any machine can be planted in a test. What cannot be found out is null with the reason.
 *
 * Sources: proc_pid_limits(5), proc_meminfo(5), proc_pid_mountinfo(5), ip(7) for the range of ephemeral ports; for control groups the kernel's
 * "Control Group v2": a group's own limit and those of all groups above it hold together, and `max` is none.
 */
import { createServer } from 'node:net'
import { availableParallelism, cpus, platform } from 'node:os'
import { readBoundedFile } from './bounded-file.ts'
import { parseDescriptorLimit } from './environment.ts'
import type { Fact } from './results-document.ts'

/** The text of a file, or null where it cannot be read. */
export type ReadText = (path: string) => string | null

const largestText = 4 * 2 ** 20
const listenTimeoutMs = 2000

export function readSystemText(path: string): string | null {
  const data = readBoundedFile(path, largestText)
  return data === null ? null : Buffer.from(data).toString('latin1')
}

export interface DescriptorReading {
  /** What a process may open; `unlimited` is null with that reason. */
  readonly soft: Fact<number>
  /** Up to which the soft limit may be raised without privileges. */
  readonly hard: Fact<number>
}

export function readDescriptors(read: ReadText): DescriptorReading {
  const text = read('/proc/self/limits')
  const unreadable = { value: null, reason: `/proc/self/limits is not readable on ${platform()}` }
  return text === null
    ? { soft: unreadable, hard: unreadable }
    : { soft: parseDescriptorLimit(text), hard: parseDescriptorLimit(text, 'hard') }
}

export interface CpuReading {
  readonly logical: number
  /** How many may run at once: affinity and quota counted. */
  readonly usable: number
  /** Cores that a control group grants; null where none limits them. */
  readonly quotaCores: number | null
}

export function readCpus(
  read: ReadText,
  machine = { logical: cpus().length, usable: availableParallelism() },
): CpuReading {
  const quotas = cgroupFolders(read)
    .map((folder) => parseCpuMax(read(`${folder}/cpu.max`) ?? ''))
    .filter((quota) => quota !== null)
  const quotaCores = quotas.length === 0 ? null : Math.min(...quotas)
  return { logical: machine.logical, usable: Math.min(machine.usable, quotaCores ?? Infinity), quotaCores }
}

export interface MemoryReading {
  readonly totalBytes: Fact<number>
  /** What programs may still take without swapping, within the limit of the control group. */
  readonly availableBytes: Fact<number>
  /** Of the control group; null where none limits it. */
  readonly limitBytes: number | null
}

/** `constrainedBytes`: what the runtime knows of a limit, of control groups v1 too. */
export function readMemory(read: ReadText, constrainedBytes: number = process.constrainedMemory()): MemoryReading {
  const machine = parseMeminfo(read('/proc/meminfo') ?? '')
  const unknown = { value: null, reason: `/proc/meminfo is not readable on ${platform()}` }
  if (machine === null) return { totalBytes: unknown, availableBytes: unknown, limitBytes: null }
  const groups = cgroupFolders(read).flatMap((folder) => {
    const limit = parseByteLimit(read(`${folder}/memory.max`) ?? '')
    if (limit === null) return []
    const used = parseByteLimit(read(`${folder}/memory.current`) ?? '') ?? 0
    // Cached files are given back when memory is needed.
    const cached = /^inactive_file (\d{1,15})$/m.exec(read(`${folder}/memory.stat`) ?? '')?.[1]
    return [{ limit, left: Math.max(0, limit - used + Number(cached ?? 0)) }]
  })
  // The runtime answers 0 or an absurd number for "no limit", depending on the version of control groups.
  const constrained = constrainedBytes > 0 && constrainedBytes < machine.totalBytes ? [constrainedBytes] : []
  const limits = [...groups.map(({ limit }) => limit), ...constrained]
  return {
    totalBytes: { value: machine.totalBytes },
    availableBytes: { value: Math.min(machine.availableBytes, ...groups.map(({ left }) => left), ...constrained) },
    limitBytes: limits.length === 0 ? null : Math.min(...limits),
  }
}

export function parseMeminfo(text: string): { readonly totalBytes: number; readonly availableBytes: number } | null {
  const kibibytes = (name: string): number => Number(new RegExp(`^${name}: +(\\d{1,15}) kB$`, 'm').exec(text)?.[1])
  const [total, available] = [kibibytes('MemTotal'), kibibytes('MemAvailable')]
  return Number.isFinite(total) && Number.isFinite(available)
    ? { totalBytes: total * 1024, availableBytes: available * 1024 }
    : null
}

/** The folders of this process's control groups v2, its own first; empty where there are none. */
export function cgroupFolders(read: ReadText): string[] {
  const mount = parseCgroupMount(read('/proc/self/mountinfo') ?? '')
  const path = parseCgroupPath(read('/proc/self/cgroup') ?? '')
  if (mount === null || path === null) return []
  const names = path.split('/').filter((name) => name !== '')
  return Array.from({ length: names.length + 1 }, (_, above) =>
    [mount, ...names.slice(0, names.length - above)].join('/'),
  )
}

/** Mount point of the first cgroup2 file system in the text of mountinfo. */
export function parseCgroupMount(text: string): string | null {
  for (const line of text.split('\n')) {
    const [before = '', after] = line.split(' - ')
    const mount = before.split(' ')[4]
    // Blanks in paths are written \040; no control group is mounted on such a path.
    if (after?.startsWith('cgroup2 ') === true && mount?.startsWith('/') === true && !mount.includes('\\')) return mount
  }
  return null
}

/** The path of the line `0::/…`; a path that leaves its root (seen from another namespace) counts as the root. */
export function parseCgroupPath(text: string): string | null {
  const path = /^0::(\/\S*)$/m.exec(text)?.[1]
  if (path === undefined) return null
  return path.split('/').includes('..') ? '/' : path
}

/** `200000 100000` → 2 cores; null for `max` and for anything else. */
export function parseCpuMax(text: string): number | null {
  const match = /^(\d{1,15}) (\d{1,15})\s*$/.exec(text)
  const [quotaUs, periodUs] = [Number(match?.[1]), Number(match?.[2])]
  return quotaUs > 0 && periodUs > 0 ? quotaUs / periodUs : null
}

/** A number of bytes; null for `max` and for anything else. */
export function parseByteLimit(text: string): number | null {
  const digits = /^(\d{1,19})\s*$/.exec(text)?.[1]
  return digits === undefined ? null : Number(digits)
}

export interface PortReading {
  /** Null where listening was not tried. */
  readonly canListen: Fact<boolean>
  /** First and last ephemeral port. */
  readonly range: Fact<readonly [first: number, last: number]>
  /** Of the range without those reserved: so many sockets may lead to one address and port. */
  readonly usable: Fact<number>
  readonly tcpInUse: Fact<number>
  readonly timeWait: Fact<number>
}

export async function readPorts(
  read: ReadText,
  listen: () => Promise<Fact<boolean>> = listenOnLoopback,
): Promise<PortReading> {
  const unknown = (path: string) => ({ value: null, reason: `${path} is not readable on ${platform()}` })
  const rangeFile = '/proc/sys/net/ipv4/ip_local_port_range'
  const range = parsePortRange(read(rangeFile) ?? '')
  const reserved = parsePortList(read('/proc/sys/net/ipv4/ip_local_reserved_ports') ?? '')
  const sockets = parseSockstat(read('/proc/net/sockstat') ?? '')
  const socketFact = (value: number | undefined): Fact<number> =>
    value === undefined ? unknown('/proc/net/sockstat') : { value }
  return {
    canListen: await listen(),
    range: range === null ? unknown(rangeFile) : { value: range },
    usable: range === null ? unknown(rangeFile) : { value: usablePorts(range, reserved) },
    tcpInUse: socketFact(sockets?.inUse),
    timeWait: socketFact(sockets?.timeWait),
  }
}

export function parsePortRange(text: string): readonly [number, number] | null {
  const match = /^\s*(\d{1,5})\s+(\d{1,5})\s*$/.exec(text)
  const [first, last] = [Number(match?.[1]), Number(match?.[2])]
  return first >= 1 && last >= first && last <= 65_535 ? [first, last] : null
}

/** `8080,9000-9010` → [[8080, 8080], [9000, 9010]]; what is not such a part is left out. */
export function parsePortList(text: string): (readonly [number, number])[] {
  return text.split(',').flatMap((part) => {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim())
    const first = Number(match?.[1])
    const last = match?.[2] === undefined ? first : Number(match[2])
    return last >= first ? [[first, last] as const] : []
  })
}

/** The kernel keeps reserved ports as a set of bits, so the parts of the list never overlap. */
function usablePorts(
  [first, last]: readonly [number, number],
  reserved: readonly (readonly [number, number])[],
): number {
  const taken = reserved.map(([from, to]) => Math.max(0, Math.min(to, last) - Math.max(from, first) + 1))
  return Math.max(
    0,
    taken.reduce((left, count) => left - count, last - first + 1),
  )
}

/** Counts of /proc/net/sockstat: sockets of TCP in use, and those that wait out their last packets. */
export function parseSockstat(text: string): { readonly inUse: number; readonly timeWait: number } | null {
  const match = /^TCP: inuse (\d{1,9}) orphan \d+ tw (\d{1,9}) /m.exec(text)
  return match === null ? null : { inUse: Number(match[1]), timeWait: Number(match[2]) }
}

/** Opens a port that the system picks on 127.0.0.1 and closes it again. */
export function listenOnLoopback(): Promise<Fact<boolean>> {
  return new Promise((resolve) => {
    const server = createServer()
    const done = (fact: Fact<boolean>): void => {
      clearTimeout(timer)
      server.close(() => resolve(fact))
      // A server that never listened has nothing to close.
      if (fact.value !== true) resolve(fact)
    }
    const timer = setTimeout(
      () => done({ value: false, reason: `no answer within ${listenTimeoutMs} ms` }),
      listenTimeoutMs,
    )
    server.once('error', (error) => done({ value: false, reason: error.message }))
    server.listen(0, '127.0.0.1', () => done({ value: true }))
  })
}
