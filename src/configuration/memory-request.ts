/**
 * From flags to a MemoryRequest: the sizes of the three profiles, given values over them. What all suites share comes from the
 * comparison's own reader of flags.
 */
import { fileURLToPath } from 'node:url'
import type { Settings } from '../command-flags.ts'
import { readTargetsFile } from '../measurement/targets-file.ts'
import { LighthouseError } from '../platform/errors.ts'
import { shippedFile } from '../platform/modules.ts'
import type { MemorySizes } from '../suites/memory-pressure.ts'
import type { MemoryRequest } from '../suites/run-memory.ts'
import { comparisonRequest, type ComparisonFlags } from './comparison-request.ts'
import type { ProfileName } from './profiles.ts'

interface ProfileSizes extends Omit<MemorySizes, 'deadlineMs' | 'payloadBytes'> {
  readonly minimumRounds: number
}

const minuteMs = 60_000

const sizes: Readonly<Record<ProfileName, ProfileSizes>> = {
  smoke: {
    idleAgents: [50, 150, 300],
    idleRounds: 1,
    settleMs: 40,
    // What is in flight is seen in the load that measures the need of the heap.
    payloads: [],
    inFlight: { agents: 20, ratePerSecond: 200, durationMs: 500 },
    inFlightRounds: 1,
    caps: [1.2],
    processCaps: [],
    pressure: { agents: 20, ratePerSecond: 600, durationMs: 330, payloadBytes: 10_000 },
    descriptors: null,
    slowReader: null,
    flood: null,
    sustained: null,
    // The control must hold the 299 exchanges that a bound of p99 needs.
    control: { agents: 20, ratePerSecond: 450, durationMs: 300 },
    controlRounds: 3,
    together: true,
    minimumRounds: 3,
  },
  standard: {
    idleAgents: [100, 250, 500, 1000],
    idleRounds: 3,
    settleMs: 500,
    payloads: [200, 2000, 20_000],
    inFlight: { agents: 100, ratePerSecond: 200, durationMs: 4000 },
    inFlightRounds: 3,
    caps: [1.5, 1.2, 1, 0.8],
    processCaps: [1.2, 1, 0.8],
    pressure: { agents: 50, ratePerSecond: 600, durationMs: 4000, payloadBytes: 20_000 },
    descriptors: { agents: 100, ratePerSecond: 100, durationMs: 8000 },
    // Longer than an engine may take to miss a heartbeat.
    slowReader: { agents: 50, ratePerSecond: 200, durationMs: 15_000 },
    flood: { agents: 10, ratePerSecond: 1000, durationMs: 20_000 },
    sustained: { agents: 50, ratePerSecond: 500, durationMs: minuteMs, readEveryMs: 5000 },
    control: { agents: 50, ratePerSecond: 200, durationMs: 3000 },
    controlRounds: 6,
    together: false,
    minimumRounds: 6,
  },
  full: {
    idleAgents: [1000, 2500, 5000, 10_000],
    idleRounds: 3,
    settleMs: 30_000,
    payloads: [200, 2000, 20_000],
    inFlight: { agents: 1000, ratePerSecond: 500, durationMs: 20_000 },
    inFlightRounds: 3,
    caps: [1.5, 1.2, 1, 0.8],
    processCaps: [1.5, 1.2, 1, 0.8],
    pressure: { agents: 200, ratePerSecond: 500, durationMs: 20_000, payloadBytes: 20_000 },
    descriptors: { agents: 1000, ratePerSecond: 500, durationMs: 30_000 },
    slowReader: { agents: 50, ratePerSecond: 500, durationMs: 60_000 },
    flood: { agents: 10, ratePerSecond: 1000, durationMs: minuteMs },
    sustained: { agents: 50, ratePerSecond: 500, durationMs: 30 * minuteMs, readEveryMs: 30_000 },
    control: { agents: 50, ratePerSecond: 500, durationMs: 30_000 },
    controlRounds: 10,
    together: false,
    minimumRounds: 8,
  },
}

export interface MemoryFlags extends ComparisonFlags {
  readonly 'agents-list'?: string | undefined
  readonly 'payload-list'?: string | undefined
  readonly caps?: string | undefined
  readonly sustained?: number | undefined
  readonly rounds?: number | undefined
  readonly 'round-duration'?: number | undefined
}

export function memoryRequest(flags: MemoryFlags, settings: Settings, projectFolder: string): MemoryRequest {
  const { minimumRounds, ...profile } = sizes[settings.profile]
  const agents = flags.agents ?? profile.control.agents
  const ratePerSecond = flags.rate ?? profile.control.ratePerSecond
  const shared = comparisonRequest({ ...flags, agents, rate: ratePerSecond }, settings, projectFolder)
  const source = 'fixtures/targets/memory.yaml'
  const controlRounds = flags.rounds ?? profile.controlRounds
  const { deadlineMs, payloadBytes } = shared.workload
  const control = { agents, ratePerSecond, durationMs: flags['round-duration'] ?? profile.control.durationMs }
  const sustained =
    flags.sustained === undefined
      ? profile.sustained
      : { ...(profile.sustained ?? sustainedOf(control)), durationMs: flags.sustained }
  return {
    ...shared,
    targets:
      flags.targets === undefined
        ? { source, items: readTargetsFile(fileURLToPath(shippedFile(source))) }
        : shared.targets,
    minimumRounds: Math.min(minimumRounds, controlRounds),
    sizes: {
      ...profile,
      idleAgents: flags['agents-list'] === undefined ? profile.idleAgents : parseAgents(flags['agents-list']),
      payloads: flags['payload-list'] === undefined ? profile.payloads : parsePayloads(flags['payload-list']),
      ...(flags.caps === undefined ? {} : { caps: parseCaps(flags.caps), processCaps: parseCaps(flags.caps) }),
      sustained,
      control,
      controlRounds,
      deadlineMs,
      payloadBytes,
    },
  }
}

function sustainedOf(control: MemorySizes['control']): NonNullable<MemorySizes['sustained']> {
  return { ...control, readEveryMs: 1000 }
}

/** Throws USAGE for what is no ascending list of at least two even numbers. */
export function parseAgents(text: string): number[] {
  const agents = ascending(text, 'agents-list', 'even numbers of agents, e.g. 100,500,1000', 2, 1_000_000)
  if (agents.length < 2) fail('agents-list', text, 'at least two numbers of agents: a slope takes two')
  if (agents.some((each) => each % 2 !== 0)) fail('agents-list', text, 'even numbers of agents, e.g. 100,500,1000')
  return agents
}

/** The largest stays below what a frame of any engine may hold. */
export function parsePayloads(text: string): number[] {
  const payloads = ascending(
    text,
    'payload-list',
    'sizes of a question from 200 to 30000 bytes, e.g. 200,2000',
    200,
    30_000,
  )
  if (payloads.some((each) => !Number.isInteger(each))) fail('payload-list', text, 'whole numbers of bytes')
  return payloads
}

/** `none`, or descending multiples of the need, down to a tenth of it. */
export function parseCaps(text: string): number[] {
  if (text.trim() === 'none') return []
  const what = 'multiples of the measured need from 0.1 to 10, e.g. 1.5,1,0.8; or none'
  const caps = text.split(',').map(Number)
  const named = new Set(caps.map((each) => Math.round(each * 100)))
  if (caps.length > 20 || caps.some((each) => !(each >= 0.1 && each <= 10)) || named.size < caps.length)
    fail('caps', text, what)
  return caps
}

function ascending(text: string, flag: string, what: string, least: number, most: number): number[] {
  const numbers = text.split(',').map(Number)
  const rising = numbers.every((each, index) => index === 0 || each > (numbers[index - 1] ?? 0))
  if (numbers.length > 20 || !rising || numbers.some((each) => !(each >= least && each <= most))) fail(flag, text, what)
  return numbers
}

function fail(flag: string, text: string, what: string): never {
  throw new LighthouseError('USAGE', `--${flag} ${text.slice(0, 64)} is not a list of ${what}`, {
    suggestions: [`Give ${what}.`],
  })
}
