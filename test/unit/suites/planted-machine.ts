/** A machine on which every suite can be valid, and suites of fixed sizes; a test plants what it wants to be found. */
import { profileNames, type ProfileName } from '../../../src/configuration/profiles.ts'
import type { DoctorDocument, SuiteNeeds } from '../../../src/measurement/doctor-document.ts'
import type { MachineReading } from '../../../src/measurement/read-machine.ts'
import { diagnose } from '../../../src/suites/doctor.ts'
import { levelNeeds } from '../../../src/suites/machine-needs.ts'

const gibibyte = 2 ** 30

export const healthyMachine: MachineReading = {
  platform: 'linux',
  node: { version: '26.10.0', neededMajor: 26, v8: '14.6', sqlite: '3.53.4' },
  descriptors: { soft: { value: 20_000 }, hard: { value: 20_000 } },
  cpus: { logical: 4, usable: 4, quotaCores: null },
  memory: { totalBytes: { value: 16 * gibibyte }, availableBytes: { value: 12 * gibibyte }, limitBytes: null },
  ports: {
    canListen: { value: true },
    range: { value: [32_768, 60_999] },
    usable: { value: 28_232 },
    tcpInUse: { value: 12 },
    timeWait: { value: 3 },
  },
  noise: { stealPercent: 0, foreignCpuPercent: 2.5 },
  clock: {
    source: { value: 'tsc' },
    smallestStepNs: { value: 30 },
    agreement: { value: { state: 'agree', gainedMs: 0.2 } },
    sendLatenessP99Ms: { value: 1.2 },
    timers: 1890,
  },
  output: {
    folder: 'runs',
    freeBytes: { value: 100 * gibibyte },
    writable: { value: true },
    sync: { value: { appends: 50, medianMs: 0.25, maxMs: 1.5 } },
    device: 1,
  },
  temporary: { freeBytes: { value: 50 * gibibyte }, writable: { value: true }, device: 2 },
  tools: [
    { name: 'git', state: 'present', detail: 'git version 2.47.0' },
    { name: 'postgresql', state: 'present', detail: '/usr/lib/postgresql/17/bin' },
    { name: 'prlimit', state: 'present', detail: '/usr/bin/prlimit' },
    { name: 'cgroupMemory', state: 'present', detail: 'a memory cgroup can be made' },
    { name: 'networkNamespace', state: 'present', detail: 'unshare -Urn' },
    { name: 'netem', state: 'present', detail: 'tc netem' },
  ],
  windowMs: 2000,
}

interface Sizes {
  readonly agents: readonly number[]
  readonly durationMs: number
  readonly outputBytes: number
  readonly storeBytes: number
}

const mebibyte = 2 ** 20
const levels = [10, 50, 100, 500, 1000, 2500, 5000, 10_000, 15_000]
const size = (agents: readonly number[], seconds: number, output: number, store: number): Sizes => ({
  agents,
  durationMs: seconds * 1000,
  outputBytes: output * mebibyte,
  storeBytes: store * mebibyte,
})

/** The sizes of the suites when these tests were written; what the suites ask for today is not the question here. */
const sizes: Readonly<Record<ProfileName, readonly [comparison: Sizes, scaling: Sizes, recovery: Sizes]>> = {
  smoke: [size([100], 25.8, 0.2, 2.5), size([10, 50], 46.5, 0.2, 0.8), size([20], 39.4, 0.5, 7)],
  standard: [size([100], 100, 0.9, 16), size(levels, 1025, 9.3, 383), size([1000], 681, 8.8, 19)],
  full: [size([15_000], 650, 9.2, 8028), size(levels, 8490, 114, 2857), size([1000], 26_000, 380, 963)],
}

export function plantedNeeds(asked: readonly ProfileName[] = profileNames): SuiteNeeds[] {
  return asked.flatMap((profile) => {
    const [comparison, scaling, recovery] = sizes[profile]
    const flag = profile === 'standard' ? '' : ` --profile ${profile}`
    const usual = { profile, cores: profile === 'smoke' ? 1 : 2, proxiesAtOnce: 0, optionalTools: [] }
    const needs = (own: Omit<SuiteNeeds, keyof typeof usual | keyof Sizes | 'levels'>, of: Sizes): SuiteNeeds => {
      const { agents, ...rest } = of
      return {
        ...usual,
        ...own,
        ...rest,
        command: `${own.command}${flag}`,
        levels: agents.map((each) => levelNeeds(each, own.enginesAtOnce, own.host)),
      }
    }
    const broken = profile === 'smoke' ? 2 : 1
    return [
      needs(
        {
          suite: 'comparison',
          command: 'lighthouse bench compare',
          host: profile === 'full' ? 'process' : 'thread',
          enginesAtOnce: 2,
          latenessBoundMs: 5,
        },
        comparison,
      ),
      needs(
        {
          suite: 'scaling',
          command: 'lighthouse bench scale',
          host: 'process',
          enginesAtOnce: 1,
          latenessBoundMs: 30,
        },
        scaling,
      ),
      {
        ...needs(
          {
            suite: 'failure-recovery',
            command: 'lighthouse bench recovery',
            host: 'process',
            enginesAtOnce: 2 + broken,
            latenessBoundMs: 30,
          },
          recovery,
        ),
        proxiesAtOnce: broken,
      },
    ]
  })
}

/** All profiles, as the command asks without a flag. */
export function diagnosed(planted: Partial<MachineReading>, profile: ProfileName = 'standard'): DoctorDocument {
  return diagnose({ ...healthyMachine, ...planted }, plantedNeeds(), profile)
}
