/**
 * From flags to a RecoveryRequest: the sizes of the three profiles, given values over them. What all suites share comes from the
 * comparison's own reader of flags.
 */
import { fileURLToPath } from 'node:url'
import type { Settings } from '../command-flags.ts'
import { readTargetsFile } from '../measurement/targets-file.ts'
import { LighthouseError } from '../platform/errors.ts'
import { shippedFile } from '../platform/modules.ts'
import { nearestWord } from '../statistics/nearest-word.ts'
import { faultNames, type FaultName } from '../suites/fault-kinds.ts'
import { seedOf } from '../suites/resume.ts'
import type { RecoverySizes } from '../suites/recovery.ts'
import type { RecoveryRequest } from '../suites/run-recovery.ts'
import { comparisonRequest, type ComparisonFlags } from './comparison-request.ts'
import type { ProfileName } from './profiles.ts'

/** Smoke: one fault of the process, one of the network, one of the event loop. */
const smokeFaults: readonly FaultName[] = ['crash', 'reset-all', 'stall']
const standardFaults: readonly FaultName[] = [
  'crash',
  'crash-after-commit',
  'graceful-stop',
  'pause',
  'reset-all',
  'unreachable',
  'black-hole',
  'one-way-loss',
]

const sizes: Readonly<Record<ProfileName, Omit<RecoverySizes, 'payloadBytes' | 'deadlineMs'>>> = {
  smoke: {
    faults: smokeFaults,
    agents: 20,
    // The control must hold the 299 exchanges that a bound of p99 needs.
    ratePerSecond: 260,
    repeat: 1,
    beforeMs: 1000,
    faultMs: 500,
    afterMs: 3000,
    controlRounds: 3,
    controlMs: 500,
    together: true,
  },
  standard: {
    faults: standardFaults,
    agents: 1000,
    ratePerSecond: 200,
    repeat: 1,
    beforeMs: 5000,
    faultMs: 3000,
    afterMs: 25_000,
    controlRounds: 6,
    controlMs: 3000,
    together: false,
  },
  full: {
    faults: faultNames,
    agents: 1000,
    ratePerSecond: 1000,
    repeat: 6,
    beforeMs: 20_000,
    faultMs: 10_000,
    afterMs: 90_000,
    controlRounds: 10,
    controlMs: 30_000,
    together: false,
  },
}

export interface RecoveryFlags extends ComparisonFlags {
  readonly faults?: string | undefined
  readonly repeat?: number | undefined
  readonly resume?: string | undefined
  readonly 'fault-duration'?: number | undefined
  readonly rounds?: number | undefined
  readonly 'round-duration'?: number | undefined
}

export function recoveryRequest(flags: RecoveryFlags, settings: Settings, projectFolder: string): RecoveryRequest {
  const profile = sizes[settings.profile]
  const seed = flags.seed ?? (flags.resume === undefined ? undefined : seedOf(flags.resume))
  const shared = comparisonRequest({ ...flags, seed }, settings, projectFolder)
  const faults = flags.faults === undefined ? profile.faults : parseFaults(flags.faults)
  const agents = flags.agents ?? profile.agents
  const source = 'fixtures/targets/recovery.yaml'
  const controlRounds = flags.rounds ?? profile.controlRounds
  const { payloadBytes, deadlineMs } = shared.workload
  return {
    ...shared,
    workload: { ...shared.workload, agents, ratePerSecond: flags.rate ?? profile.ratePerSecond },
    targets:
      flags.targets === undefined
        ? { source, items: readTargetsFile(fileURLToPath(shippedFile(source))) }
        : shared.targets,
    resume: flags.resume ?? null,
    minimumRounds: settings.profile === 'smoke' ? 3 : Math.min(6, controlRounds),
    sizes: {
      ...profile,
      faults,
      agents,
      ratePerSecond: flags.rate ?? profile.ratePerSecond,
      repeat: flags.repeat ?? profile.repeat,
      faultMs: flags['fault-duration'] ?? profile.faultMs,
      controlRounds,
      controlMs: flags['round-duration'] ?? profile.controlMs,
      payloadBytes,
      deadlineMs,
      // Repeats are of one fault each, so that every one has an engine and a ledger of its own.
      together: profile.together && flags.repeat === undefined && flags.faults === undefined,
    },
  }
}

/** `crash,pause` or `all`. Throws USAGE for a name that is no fault, with the nearest that is, and for one named twice. */
export function parseFaults(text: string): FaultName[] {
  if (text.trim() === 'all') return [...faultNames]
  const names = text.split(',').map((part) => {
    const name = faultNames.find((each) => each === part.trim())
    if (name !== undefined) return name
    const near = nearestWord(part.trim(), faultNames)
    throw new LighthouseError('USAGE', `there is no fault '${part.trim().slice(0, 64)}'`, {
      suggestions: [near === null ? `Faults: ${faultNames.join(', ')}; or all.` : `Did you mean '${near}'?`],
    })
  })
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice === undefined) return names
  throw new LighthouseError('USAGE', `the fault ${twice} is named twice`, {
    suggestions: ['Use --repeat to inject it more than once.'],
  })
}
