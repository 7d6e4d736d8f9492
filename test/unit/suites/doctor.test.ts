/** Planted machines: each flips exactly the checks it should, the suites it should, and the exit code. */
import { describe, expect, it } from 'vitest'
import { needsOfProfiles } from '../../../src/configuration/doctor-request.ts'
import { profileNames, profiles } from '../../../src/configuration/profiles.ts'
import type { DoctorDocument } from '../../../src/measurement/doctor-document.ts'
import type { MachineReading } from '../../../src/measurement/read-machine.ts'
import { suites } from '../../../src/measurement/vocabulary.ts'
import { diagnose, judgeSuite } from '../../../src/suites/doctor.ts'
import { diagnosed, healthyMachine, plantedNeeds } from './planted-machine.ts'

const { clock, cpus, descriptors, memory, noise, output, ports, temporary, tools } = healthyMachine

/** Checks that are not OK, as `name STATE`. */
function flipped({ checks }: DoctorDocument): string[] {
  return checks.filter(({ state }) => state !== 'OK').map(({ name, state }) => `${name} ${state}`)
}

/** Suites that are not whole, as `suite profile: STATE agents`. */
function doubted({ suites }: DoctorDocument): string[] {
  return suites
    .filter(({ state }) => state !== 'CAN_BE_VALID')
    .map(({ suite, profile, state, fittingAgents }) => `${suite} ${profile}: ${state} ${fittingAgents ?? 'none'}`)
}

const every = ['smoke', 'standard', 'full'].flatMap((profile) => [
  `comparison ${profile}`,
  `scaling ${profile}`,
  `failure-recovery ${profile}`,
])
const agentsOf: Readonly<Record<string, number>> = {
  'comparison smoke': 100,
  'scaling smoke': 50,
  'failure-recovery smoke': 20,
  'comparison standard': 100,
  'scaling standard': 15_000,
  'failure-recovery standard': 1000,
  'comparison full': 15_000,
  'scaling full': 15_000,
  'failure-recovery full': 1000,
}

function stopped(names: readonly string[]): string[] {
  return names.map((name) => `${name}: CANNOT_BE_VALID ${agentsOf[name] ?? 'none'}`)
}

describe('a healthy machine', () => {
  it('can hold every suite at every profile', () => {
    const document = diagnosed({})
    expect(flipped(document)).toEqual([])
    expect(document.suites.map(({ suite, profile }) => `${suite} ${profile}`)).toEqual(every)
    expect(doubted(document)).toEqual([])
    expect(document.suites.flatMap(({ unknown, reasons }) => [...unknown, ...reasons])).toEqual([])
    expect(document.exitCode).toBe(0)
  })

  it('says beforehand that 15,000 agents need processes', () => {
    const note = diagnosed({ descriptors: { soft: { value: 5000 }, hard: { value: 5000 } } }).suites[0]?.notes
    expect(note).toEqual([])
    const [smoke] = diagnosed({ descriptors: { soft: { value: 1024 }, hard: { value: 1024 } } }).suites
    expect(smoke?.notes[0]).toMatch(/host process instead of thread: 100 agents/)
  })
})

describe.each<[string, Partial<MachineReading>, string[], string[], number]>([
  [
    'one core',
    { cpus: { logical: 1, usable: 1, quotaCores: null } },
    ['cores LIMITED'],
    stopped(every.filter((name) => !name.endsWith('smoke'))),
    24,
  ],
  [
    'a quota of one and a half cores',
    { cpus: { ...cpus, usable: 1.5, quotaCores: 1.5 } },
    ['cores LIMITED'],
    stopped(every.filter((name) => !name.endsWith('smoke'))),
    24,
  ],
  [
    '1,024 descriptors',
    { descriptors: { soft: { value: 1024 }, hard: { value: 1024 } } },
    ['descriptors LIMITED'],
    [
      'scaling standard: LIMITED 100',
      'failure-recovery standard: CANNOT_BE_VALID none',
      'comparison full: CANNOT_BE_VALID none',
      'scaling full: LIMITED 100',
      'failure-recovery full: CANNOT_BE_VALID none',
    ],
    20,
  ],
  [
    '512 descriptors',
    { descriptors: { soft: { value: 512 }, hard: { value: 4096 } } },
    ['descriptors LIMITED'],
    every.map((name) => `${name}: CANNOT_BE_VALID none`),
    24,
  ],
  ['a full disk', { output: { ...output, freeBytes: { value: 1000 } } }, ['disk LIMITED'], stopped(every), 24],
  [
    'a temporary folder that holds the stores of all but full',
    { temporary: { ...temporary, freeBytes: { value: 2 ** 30 } } },
    ['disk LIMITED'],
    stopped(['comparison full', 'scaling full']),
    0,
  ],
  [
    'a disk that runs cannot be written to',
    { output: { ...output, writable: { value: false, reason: 'EACCES: permission denied' } } },
    ['disk FAILED'],
    stopped(every),
    24,
  ],
  [
    'a temporary folder that cannot be written',
    { temporary: { ...temporary, writable: { value: false, reason: 'EROFS: read-only file system' } } },
    ['disk FAILED'],
    stopped(every),
    24,
  ],
  ['steal of 20 %', { noise: { ...noise, stealPercent: 20 } }, ['steal FAILED'], stopped(every), 24],
  ['foreign CPU of 40 %', { noise: { ...noise, foreignCpuPercent: 40 } }, ['foreignCpu FAILED'], stopped(every), 24],
  [
    // 5 ms bound the comparison (p50 < 50 ms) and 30 ms the scaling suite (p99 < 300 ms).
    'timers that are late by 30 ms',
    { clock: { ...clock, sendLatenessP99Ms: { value: 30 } } },
    ['timers FAILED'],
    stopped(every.filter((name) => name.startsWith('comparison'))),
    24,
  ],
  [
    'timers that are late by 31 ms',
    { clock: { ...clock, sendLatenessP99Ms: { value: 31 } } },
    ['timers FAILED'],
    stopped(every),
    24,
  ],
  [
    'a range of 1,000 ports',
    { ports: { ...ports, range: { value: [40_000, 40_999] }, usable: { value: 1000 } } },
    ['ports LIMITED'],
    [
      'scaling standard: LIMITED 100',
      'failure-recovery standard: CANNOT_BE_VALID none',
      'comparison full: CANNOT_BE_VALID none',
      'scaling full: LIMITED 100',
      'failure-recovery full: CANNOT_BE_VALID none',
    ],
    20,
  ],
  [
    'a loopback on which nothing can listen',
    { ports: { ...ports, canListen: { value: false, reason: 'listen EPERM' } } },
    ['ports FAILED'],
    stopped(every),
    24,
  ],
  [
    'clocks of different rates',
    { clock: { ...clock, agreement: { value: { state: 'different-rates', gainedMs: 200 } } } },
    ['clock FAILED'],
    stopped(every),
    24,
  ],
  [
    'a wall clock that was set',
    { clock: { ...clock, agreement: { value: { state: 'stepped', gainedMs: 3600 } } } },
    ['clock LIMITED'],
    [],
    0,
  ],
  ['a clock of 4 µs', { clock: { ...clock, smallestStepNs: { value: 4000 } } }, ['clock LIMITED'], [], 0],
  ['a clock of 10 ms', { clock: { ...clock, smallestStepNs: { value: 1e7 } } }, ['clock FAILED'], stopped(every), 24],
  [
    'a slow fsync',
    { output: { ...output, sync: { value: { appends: 50, medianMs: 26, maxMs: 80 } } } },
    ['fsync LIMITED'],
    [],
    0,
  ],
  [
    'half a gibibyte of memory',
    { memory: { ...memory, availableBytes: { value: 2 ** 29 } } },
    ['memory LIMITED'],
    [
      'failure-recovery smoke: CANNOT_BE_VALID none',
      'scaling standard: LIMITED 2500',
      'failure-recovery standard: CANNOT_BE_VALID none',
      'comparison full: CANNOT_BE_VALID none',
      'scaling full: LIMITED 2500',
      'failure-recovery full: CANNOT_BE_VALID none',
    ],
    20,
  ],
  ['an old Node', { node: { ...healthyMachine.node, version: '24.1.0' } }, ['node FAILED'], stopped(every), 24],
  [
    'no server and no packet loss',
    { tools: tools.map((tool) => (tool.name === 'prlimit' ? tool : { ...tool, state: 'missing' as const })) },
    ['git LIMITED', 'postgresql LIMITED', 'cgroupMemory LIMITED', 'networkNamespace LIMITED', 'netem LIMITED'],
    [],
    0,
  ],
])('a machine with %s', (_name, planted, checks, verdicts, exitCode) => {
  const document = diagnosed(planted)

  it('flips these checks, these suites, and the exit code', () => {
    expect(flipped(document)).toEqual(checks)
    expect(doubted(document)).toEqual(verdicts)
    expect(document.exitCode).toBe(exitCode)
  })

  it('says why, and what to do', () => {
    for (const check of document.checks.filter(({ state }) => state !== 'OK')) {
      expect(check.reason).not.toBeNull()
      expect(check.advice.length).toBeGreaterThan(0)
    }
    for (const { reasons } of document.suites.filter(({ state }) => state !== 'CAN_BE_VALID')) {
      expect(reasons.length).toBeGreaterThan(0)
      for (const { check, advice } of reasons) {
        expect(checks.some((flip) => flip.startsWith(`${check} `))).toBe(true)
        expect(advice.length).toBeGreaterThan(0)
      }
    }
  })
})

describe('what is not known', () => {
  const unknown = { value: null, reason: 'not known on darwin' }
  const elsewhere: Partial<MachineReading> = {
    platform: 'darwin',
    descriptors: { soft: unknown, hard: unknown },
    memory: { totalBytes: unknown, availableBytes: unknown, limitBytes: null },
    ports: { ...ports, range: unknown, usable: unknown, tcpInUse: unknown, timeWait: unknown },
    noise: { stealPercent: null, foreignCpuPercent: null, reason: 'not known on darwin' },
    tools: tools.map(({ name }) => ({ name, state: 'unknown', detail: 'not known on darwin' })),
  }

  it('is UNKNOWN with the reason, never OK and never a limit, and named beside each verdict', () => {
    const document = diagnosed(elsewhere)
    const names = ['descriptors', 'memory', 'ports', 'steal', 'foreignCpu']
    expect(flipped(document)).toEqual([...names, ...tools.map(({ name }) => name)].map((name) => `${name} UNKNOWN`))
    expect(document.checks.filter(({ state }) => state === 'UNKNOWN').map(({ reason }) => reason)).toEqual(
      Array.from({ length: 11 }, () => 'not known on darwin'),
    )
    expect(doubted(document)).toEqual([])
    for (const suite of document.suites) expect(suite.unknown).toEqual(names)
  })

  it('does not hide what is known to be too small', () => {
    const document = diagnosed({ ...elsewhere, cpus: { logical: 1, usable: 1, quotaCores: null } })
    expect(document.exitCode).toBe(24)
  })

  it('an unlimited number of descriptors is no unknown', () => {
    const none = { value: null, reason: 'unlimited' }
    const document = diagnosed({ descriptors: { soft: none, hard: none } })
    expect(flipped(document)).toEqual([])
    expect(document.checks.find(({ name }) => name === 'descriptors')?.reading).toBe('unlimited')
  })
})

describe('the profile that is asked about', () => {
  const planted = { descriptors: { soft: { value: 3000 }, hard: { value: 20_000 } } }

  it('decides the exit code', () => {
    expect(diagnosed(planted, 'smoke').exitCode).toBe(0)
    expect(diagnosed(planted, 'standard').exitCode).toBe(20)
    expect(diagnosed(planted, 'full').exitCode).toBe(24)
  })

  it('alone decides the checks when no other is shown', () => {
    const document = diagnose({ ...healthyMachine, ...planted }, plantedNeeds(['smoke']), 'smoke')
    expect(flipped(document)).toEqual([])
    expect(document.suites.map(({ profile }) => profile)).toEqual(['smoke', 'smoke', 'smoke'])
  })

  it('counts what fault proxies hold in one process: 2 × (1,000 + 512) + 400', () => {
    const recovery = (soft: number) =>
      diagnosed({ descriptors: { soft: { value: soft }, hard: { value: soft } } }).suites.find(
        ({ suite, profile }) => suite === 'failure-recovery' && profile === 'standard',
      )?.state
    expect([recovery(3424), recovery(3423)]).toEqual(['CAN_BE_VALID', 'CANNOT_BE_VALID'])
  })

  it('gets advice that fits: raise what may be raised, or fewer agents', () => {
    const full = diagnosed(planted).suites.find(({ suite, profile }) => suite === 'comparison' && profile === 'full')
    expect(full?.reasons[0]?.advice).toEqual([
      'Raise the limit in this shell: ulimit -n 15912.',
      'Or use fewer agents: lighthouse bench compare --profile full --agents 2088.',
    ])
    const fixed = { descriptors: { soft: descriptors.soft, hard: descriptors.hard } }
    expect(diagnosed(fixed).checks.find(({ name }) => name === 'descriptors')?.advice).toEqual([])
    const hard = diagnosed({ descriptors: { soft: { value: 1024 }, hard: { value: 1024 } } })
    expect(hard.checks.find(({ name }) => name === 'descriptors')?.advice[0]).toMatch(/^Let an administrator/)
  })
})

describe('the table of needs', () => {
  const needs = needsOfProfiles(['smoke', 'standard', 'full'], '.')

  it('has one row per suite and profile, with the sizes of the profiles', () => {
    expect(needs.map(({ suite }) => suites.includes(suite))).toEqual(needs.map(() => true))
    for (const each of needs.filter(({ suite }) => suite === 'comparison')) {
      expect(each.levels.map(({ agents }) => agents)).toEqual([profiles[each.profile].agents])
      expect(each.host).toBe(profiles[each.profile].host)
    }
    for (const profile of profileNames) {
      const own = needs.filter((each) => each.profile === profile).map(({ suite }) => suite)
      expect(new Set(own).size).toBe(own.length)
      expect(own.slice(0, 2)).toEqual(['comparison', 'scaling'])
    }
    for (const { levels } of needs) {
      const agents = levels.map((level) => level.agents)
      expect(agents).toEqual([...new Set(agents)].sort((a, b) => a - b))
      expect(agents.length).toBeGreaterThan(0)
    }
    const commands = needs.map(({ command }) => command)
    expect(commands).toContain('lighthouse bench compare')
    expect(commands).toContain('lighthouse bench scale --profile full')
  })

  it('asks for more at every profile', () => {
    for (const suite of ['comparison', 'scaling', 'burst']) {
      const sizes = needs.filter((each) => each.suite === suite)
      for (const [index, each] of sizes.slice(1).entries()) {
        expect(each.durationMs).toBeGreaterThan(sizes[index]?.durationMs ?? Infinity)
        expect(each.outputBytes).toBeGreaterThan(sizes[index]?.outputBytes ?? Infinity)
        expect(each.storeBytes).toBeGreaterThan(sizes[index]?.storeBytes ?? Infinity)
      }
    }
  })

  it('counts the free bytes of one file system once', () => {
    const full = needs.find(({ suite, profile }) => suite === 'comparison' && profile === 'full')
    if (full === undefined) throw new Error('no such row')
    const free = { value: full.outputBytes + full.storeBytes - 1 }
    const machine = (device: number): MachineReading => ({
      ...healthyMachine,
      output: { ...output, freeBytes: free },
      temporary: { ...temporary, freeBytes: free, device },
    })
    expect(judgeSuite(full, machine(2), []).state).toBe('CAN_BE_VALID')
    expect(judgeSuite(full, machine(1), []).reasons.map(({ check }) => check)).toEqual(['disk'])
  })

  it('leaves cases out by name where their tool is missing', () => {
    const row = needs[0]
    if (row === undefined) throw new Error('no row')
    const optionalTools = [{ tool: 'netem' as const, cases: 'partition-netem' }]
    const machine = {
      ...healthyMachine,
      tools: tools.map((tool) => (tool.name === 'netem' ? { ...tool, state: 'missing' as const } : tool)),
    }
    const verdict = judgeSuite({ ...row, optionalTools }, machine, [])
    expect(verdict.state).toBe('CAN_BE_VALID')
    expect(verdict.skippedCases).toEqual(['partition-netem (SKIPPED: netem)'])
    expect(judgeSuite({ ...row, optionalTools }, healthyMachine, []).skippedCases).toEqual([])
  })
})
