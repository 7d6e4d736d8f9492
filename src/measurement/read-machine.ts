/**
 * Everything that the doctor knows of a machine before it judges: limits, ports, disk, memory and tools as they stand, and over
 * a window of two seconds the clock, its timers, and how much of the machine others take. No engine is started and
 * nothing is left behind. The timed parts follow one another, since each would disturb the next.
 */
import { platform, tmpdir } from 'node:os'
import { readFileSync } from 'node:fs'
import type { Clock, Scheduler } from '../platform/clock.ts'
import { shippedFile } from '../platform/modules.ts'
import { compareClocks, sendLatenessMs, smallestStepNs, watchTimer, type ClockAgreement } from './clock-probe.ts'
import { probeDisk, type DiskReading } from './disk-probe.ts'
import {
  readCpus,
  readDescriptors,
  readMemory,
  readPorts,
  readSystemText,
  type CpuReading,
  type DescriptorReading,
  type MemoryReading,
  type PortReading,
} from './machine-limits.ts'
import { noiseBetween, readMachineCpu, type MachineNoise } from './machine-noise.ts'
import { readTools, systemTools, type ToolReading } from './machine-tools.ts'
import type { Fact } from './results-document.ts'

export interface NodeReading {
  readonly version: string
  /** Least major version that this program runs on; null where its description cannot be read. */
  readonly neededMajor: number | null
  readonly v8: string
  readonly sqlite: string | null
}

export interface ClockReading {
  /** Of the kernel, such as `tsc`. */
  readonly source: Fact<string>
  readonly smallestStepNs: Fact<number>
  readonly agreement: Fact<ClockAgreement>
  /** How late a send due at a random instant leaves, from timers of 1 ms; 99th percentile. */
  readonly sendLatenessP99Ms: Fact<number>
  readonly timers: number
}

export interface MachineReading {
  readonly platform: string
  readonly node: NodeReading
  readonly descriptors: DescriptorReading
  readonly cpus: CpuReading
  readonly memory: MemoryReading
  readonly ports: PortReading
  readonly noise: MachineNoise
  readonly clock: ClockReading
  readonly output: DiskReading
  /** Where engines keep their stores while they run. */
  readonly temporary: Pick<DiskReading, 'freeBytes' | 'device' | 'writable'>
  readonly tools: readonly ToolReading[]
  /** Length of the timed window; 0 where it was left out. */
  readonly windowMs: number
}

export interface ReadingOptions {
  readonly outputFolder: string
  /** False leaves out what takes time: clock rates, timers, steal, foreign CPU, fsync. */
  readonly timed: boolean
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly signal: AbortSignal
  readonly windowMs?: number
}

const defaultWindowMs = 2000
const syncAppends = 50
const syncLimitMs = 3000
const clockSourceFile = '/sys/devices/system/clocksource/clocksource0/current_clocksource'

export async function readMachine(options: ReadingOptions): Promise<MachineReading> {
  const { outputFolder, timed, clock, signal } = options
  const read = readSystemText
  const windowMs = timed ? (options.windowMs ?? defaultWindowMs) : 0
  const tools = await readTools(systemTools())
  const ports = await readPorts(read)
  const window = windowMs === 0 ? leftOut : await watch(options, windowMs)
  const temporary = await probeDisk(tmpdir(), null)
  return {
    platform: platform(),
    node: readNode(),
    descriptors: readDescriptors(read),
    cpus: readCpus(read),
    memory: readMemory(read),
    ports,
    noise: window.noise,
    clock: {
      ...window.clock,
      source: readClockSource(),
      smallestStepNs: known(smallestStepNs(clock), 'it stood still'),
    },
    output: await probeDisk(outputFolder, timed ? { clock, appends: syncAppends, limitMs: syncLimitMs, signal } : null),
    temporary: { freeBytes: temporary.freeBytes, device: temporary.device, writable: temporary.writable },
    tools,
    windowMs,
  }
}

type Window = { readonly noise: MachineNoise; readonly clock: Omit<ClockReading, 'source' | 'smallestStepNs'> }

const skipped = 'not measured: --quick leaves it out'
const leftOut: Window = {
  noise: { stealPercent: null, foreignCpuPercent: null, reason: skipped },
  clock: {
    agreement: { value: null, reason: skipped },
    sendLatenessP99Ms: { value: null, reason: skipped },
    timers: 0,
  },
}

async function watch({ clock, scheduler, signal }: ReadingOptions, windowMs: number): Promise<Window> {
  const before = readMachineCpu()
  const ownBefore = process.cpuUsage()
  const ticks = await watchTimer(clock, scheduler, windowMs, signal)
  const own = process.cpuUsage(ownBefore)
  const elapsedMs = ((ticks.at(-1)?.nowNs ?? 0) - (ticks[0]?.nowNs ?? 0)) / 1e6
  const noise = noiseBetween(before, readMachineCpu(), own.user + own.system, elapsedMs)
  const cutShort = elapsedMs < windowMs ? 'interrupted' : null
  return {
    noise,
    clock: {
      agreement: known(cutShort === null ? compareClocks(ticks) : null, cutShort ?? 'too few readings'),
      sendLatenessP99Ms: known(cutShort === null ? sendLatenessMs(ticks, 0.99) : null, cutShort ?? 'too few timers'),
      timers: ticks.length - 1,
    },
  }
}

function known<T>(value: T | null, reason: string): Fact<T> {
  return value === null ? { value, reason } : { value }
}

function readClockSource(): Fact<string> {
  const name = readSystemText(clockSourceFile)?.trim()
  return name === undefined || name === '' ? { value: null, reason: `not known on ${platform()}` } : { value: name }
}

function readNode(): NodeReading {
  const { node, v8, sqlite } = process.versions as Record<string, string | undefined>
  return { version: node ?? '', neededMajor: neededMajor(), v8: v8 ?? '', sqlite: sqlite ?? null }
}

function neededMajor(): number | null {
  try {
    const description = JSON.parse(readFileSync(shippedFile('package.json'), 'utf8')) as {
      engines?: { node?: unknown }
    }
    const digits = /\d+/.exec(String(description.engines?.node))?.[0]
    return digits === undefined ? null : Number(digits)
  } catch {
    return null
  }
}
