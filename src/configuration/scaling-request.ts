/**
 * From flags to a ScalingRequest: the sizes of the three profiles, given values over them. What all suites share comes from
 * the comparison's own reader of flags.
 */
import { fileURLToPath } from 'node:url'
import type { Settings } from '../command-flags.ts'
import { readTargetsFile } from '../measurement/targets-file.ts'
import { LighthouseError } from '../platform/errors.ts'
import { shippedFile } from '../platform/modules.ts'
import type { ScalingRequest } from '../suites/run-scaling.ts'
import type { ScalingSizes } from '../suites/scaling.ts'
import { comparisonRequest, type ComparisonFlags } from './comparison-request.ts'
import type { ProfileName } from './profiles.ts'
import { sleepIntervalMs } from '../engines/sleep-interval.ts'
import type { ArmSpec } from '../suites/comparison-plan.ts'

interface ProfileSizes extends Omit<ScalingSizes, 'boundsMs'> {
  readonly coolDownMs: number
  readonly staggerMs: number
  readonly warmupMs: number
}

/** The readiness assessment's bound of p99. */
const pushBoundMs = 300

const standardLevels = [10, 50, 100, 500, 1000, 2500, 5000, 10_000, 15_000]

/** `full` is what the analysis certificate asks for: five minutes a level, half a minute between levels. */
const sizes: Readonly<Record<ProfileName, ProfileSizes>> = {
  smoke: {
    levels: [10, 50],
    // The last level must offer the 299 exchanges that a bound of p99 needs.
    ratePerAgentPerSecond: 5,
    rounds: 1,
    judgedRounds: 3,
    roundDurationMs: 600,
    pairDurationMs: 1500,
    probes: 0,
    probeDurationMs: 1000,
    coolDownMs: 0,
    staggerMs: 0,
    warmupMs: 0,
  },
  standard: {
    levels: standardLevels,
    ratePerAgentPerSecond: 0.1,
    rounds: 3,
    judgedRounds: 6,
    roundDurationMs: 5000,
    // A polling exchange takes a second: time for about a hundred, one after the other.
    pairDurationMs: 110_000,
    probes: 6,
    probeDurationMs: 2000,
    coolDownMs: 0,
    staggerMs: 0,
    warmupMs: 1000,
  },
  full: {
    levels: standardLevels,
    ratePerAgentPerSecond: 0.1,
    rounds: 10,
    judgedRounds: 10,
    roundDurationMs: 30_000,
    pairDurationMs: 120_000,
    probes: 10,
    probeDurationMs: 10_000,
    coolDownMs: 30_000,
    staggerMs: 10_000,
    warmupMs: 5000,
  },
}

export interface ScalingFlags extends ComparisonFlags {
  readonly 'agents-list'?: string | undefined
  readonly 'rate-per-agent'?: number | undefined
  readonly 'cool-down'?: number | undefined
  readonly stagger?: number | undefined
  readonly probes?: number | undefined
  readonly rounds?: number | undefined
  readonly 'round-duration'?: number | undefined
  readonly warmup?: number | undefined
  readonly host?: string | undefined
}

export function scalingRequest(flags: ScalingFlags, settings: Settings, projectFolder: string): ScalingRequest {
  const profile = sizes[settings.profile]
  const { rounds: _rounds, roundDurationMs: _duration, ...shared } = comparisonRequest(flags, settings, projectFolder)
  const source = 'fixtures/targets/scaling.yaml'
  return {
    ...shared,
    // Memory of a thread cannot be told from its neighbours', and memory is half of the question.
    host: flags.host === 'thread' ? 'thread' : 'process',
    warmupMs: flags.warmup ?? profile.warmupMs,
    targets:
      flags.targets === undefined
        ? { source, items: readTargetsFile(fileURLToPath(shippedFile(source))) }
        : shared.targets,
    coolDownMs: flags['cool-down'] ?? profile.coolDownMs,
    staggerMs: flags.stagger ?? profile.staggerMs,
    minimumRounds: settings.profile === 'smoke' ? 3 : Math.min(6, flags.rounds ?? profile.judgedRounds),
    sizes: {
      levels: flags['agents-list'] === undefined ? profile.levels : parseLevels(flags['agents-list']),
      ratePerAgentPerSecond: flags['rate-per-agent'] ?? profile.ratePerAgentPerSecond,
      rounds: flags.rounds ?? profile.rounds,
      judgedRounds: flags.rounds ?? profile.judgedRounds,
      roundDurationMs: flags['round-duration'] ?? profile.roundDurationMs,
      pairDurationMs: profile.pairDurationMs,
      probes: flags.probes ?? profile.probes,
      probeDurationMs: profile.probeDurationMs,
      boundsMs: Object.fromEntries(shared.arms.map((arm) => [arm.label, boundOf(arm)])),
    },
  }
}

/** What an engine has to keep p99 below in the search for its knee: the readiness bound, or what a sleeping loop can reach at all. */
function boundOf(arm: Pick<ArmSpec, 'name' | 'options'>): number {
  const sleepMs = sleepIntervalMs(arm)
  return sleepMs > 0 ? 3 * sleepMs : pushBoundMs
}

/** `10,50,1e3` → [10, 50, 1000]. Throws USAGE for anything that is not a list of whole numbers. */
export function parseLevels(text: string): number[] {
  return text.split(',').map((part) => {
    const agents = Number(part.trim())
    if (part.trim() !== '' && Number.isSafeInteger(agents) && agents >= 2 && agents <= 1_000_000) return agents
    throw new LighthouseError('USAGE', `'${part}' in the list of agents is not a whole number from 2 to 1000000`, {
      suggestions: ['Separate numbers by commas: --agents-list 10,50,100.'],
    })
  })
}
