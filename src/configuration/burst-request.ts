/**
 * From flags to a BurstRequest: the sizes of the three profiles, given values over them. What all suites share comes from the
 * comparison's own reader of flags.
 */
import { fileURLToPath } from 'node:url'
import type { Settings } from '../command-flags.ts'
import { readTargetsFile } from '../measurement/targets-file.ts'
import { LighthouseError } from '../platform/errors.ts'
import { shippedFile } from '../platform/modules.ts'
import type { BurstSizes } from '../suites/burst.ts'
import type { BurstRequest } from '../suites/run-burst.ts'
import { comparisonRequest, type ComparisonFlags } from './comparison-request.ts'
import type { ProfileName } from './profiles.ts'

interface ProfileSizes extends BurstSizes {
  readonly warmupMs: number
}

/**
 * 400 exchanges/s before the burst give a round the 1,000 that its p99 needs within 3 s. An aftermath of 7 s tells a recovery within
 * 5 s from a longer one, since the last two seconds only confirm.
 */
const load = { agents: 200, calmAgents: 20, ratePerSecond: 400 } as const

const sizes: Readonly<Record<ProfileName, ProfileSizes>> = {
  smoke: {
    ...load,
    steps: [],
    beforeMs: 1000,
    burstMs: 1000,
    afterMs: 3000,
    rounds: 1,
    controlRounds: 3,
    controlMs: 400,
    warmupMs: 0,
  },
  standard: {
    ...load,
    steps: [2, 5, 10],
    beforeMs: 3000,
    burstMs: 2000,
    afterMs: 7000,
    rounds: 8,
    controlRounds: 8,
    controlMs: 1000,
    warmupMs: 1000,
  },
  full: {
    ...load,
    steps: [2, 5, 10],
    beforeMs: 60_000,
    burstMs: 30_000,
    afterMs: 60_000,
    rounds: 8,
    controlRounds: 10,
    controlMs: 30_000,
    warmupMs: 5000,
  },
}

export interface BurstFlags extends ComparisonFlags {
  readonly 'calm-agents'?: number | undefined
  readonly steps?: string | undefined
  readonly 'before-duration'?: number | undefined
  readonly 'burst-duration'?: number | undefined
  readonly 'after-duration'?: number | undefined
  readonly rounds?: number | undefined
  readonly 'round-duration'?: number | undefined
  readonly warmup?: number | undefined
}

export function burstRequest(flags: BurstFlags, settings: Settings, projectFolder: string): BurstRequest {
  const { warmupMs, ...profile } = sizes[settings.profile]
  const { rounds: _rounds, roundDurationMs: _duration, ...shared } = comparisonRequest(flags, settings, projectFolder)
  const agents = flags.agents ?? profile.agents
  const ratePerSecond = flags.rate ?? profile.ratePerSecond
  const controlRounds = flags.rounds ?? profile.controlRounds
  const source = 'fixtures/targets/burst.yaml'
  return {
    ...shared,
    warmupMs: flags.warmup ?? warmupMs,
    workload: { ...shared.workload, agents, ratePerSecond },
    targets:
      flags.targets === undefined
        ? { source, items: readTargetsFile(fileURLToPath(shippedFile(source))) }
        : shared.targets,
    minimumRounds: settings.profile === 'smoke' ? 3 : Math.min(6, controlRounds),
    sizes: {
      agents,
      calmAgents: flags['calm-agents'] ?? profile.calmAgents,
      ratePerSecond,
      steps: flags.steps === undefined ? profile.steps : parseSteps(flags.steps),
      beforeMs: flags['before-duration'] ?? profile.beforeMs,
      burstMs: flags['burst-duration'] ?? profile.burstMs,
      afterMs: flags['after-duration'] ?? profile.afterMs,
      rounds: flags.rounds ?? profile.rounds,
      controlRounds,
      controlMs: flags['round-duration'] ?? profile.controlMs,
    },
  }
}

/** `2,5,10` → [2, 5, 10]; `none` → []. Throws USAGE for anything else. */
export function parseSteps(text: string): number[] {
  if (text.trim() === 'none') return []
  return text.split(',').map((part) => {
    const times = Number(part.trim())
    if (part.trim() !== '' && Number.isSafeInteger(times)) return times
    throw new LighthouseError('USAGE', `'${part.slice(0, 64)}' in the list of steps is not a whole number`, {
      suggestions: ['Separate multiples of the rate by commas, --steps 2,5,10; or --steps none.'],
    })
  })
}
