/**
 * From flags to a CoordinationRequest: which patterns, in the sizes of their workload files and of the three profiles, given values
 * over them. What all suites share comes from the comparison's own reader of flags.
 */
import { fileURLToPath } from 'node:url'
import type { Settings } from '../command-flags.ts'
import { exchangesPerInstance } from '../load/coordination.ts'
import type { NamedCoordination } from '../load/coordination-file.ts'
import { parseCoordination } from '../load/workload-file.ts'
import { coordinationKinds, type CoordinationKind } from '../measurement/coordination-evidence.ts'
import { readTargetsFile, type Target } from '../measurement/targets-file.ts'
import { LighthouseError } from '../platform/errors.ts'
import { shippedFile } from '../platform/modules.ts'
import { nearestWord } from '../statistics/nearest-word.ts'
import { parseTarget } from '../statistics/target-expression.ts'
import type { CoordinationSizes } from '../suites/coordination.ts'
import type { CoordinationRequest } from '../suites/run-coordination.ts'
import { comparisonRequest, workloadText, type ComparisonFlags } from './comparison-request.ts'
import type { ProfileName } from './profiles.ts'

interface ProfileSizes extends Omit<CoordinationSizes, 'patterns'> {
  readonly patterns: readonly CoordinationKind[]
  readonly warmupMs: number
}

const sizes: Readonly<Record<ProfileName, ProfileSizes>> = {
  smoke: {
    patterns: ['pipeline', 'fan-out'],
    rounds: 1,
    judgedRounds: 3,
    roundDurationMs: 700,
    warmupMs: 0,
  },
  standard: {
    patterns: ['quorum', 'review', 'expert-pool', 'hot-spot', 'pipeline', 'fan-out'],
    rounds: 6,
    judgedRounds: 6,
    roundDurationMs: 4000,
    warmupMs: 500,
  },
  full: {
    patterns: ['quorum', 'review', 'hot-spot', 'pipeline', 'fan-out', 'expert-pool'],
    rounds: 10,
    judgedRounds: 10,
    roundDurationMs: 30_000,
    warmupMs: 2000,
  },
}

/** A p99 needs 299 instances; three short smoke rounds must hold them. */
const smokeFanOutPerSecond = 190
/** What the analysis certificate asks for: 10,000 agents, and a pool of experts among them. */
const fullExpertPool = { workers: 10_000, experts: 100, instancesPerSecond: 1000 } as const

export interface CoordinationFlags extends Omit<ComparisonFlags, 'agents' | 'pattern'> {
  readonly patterns?: string | undefined
  readonly rounds?: number | undefined
  readonly 'round-duration'?: number | undefined
  readonly warmup?: number | undefined
}

/** Throws LighthouseError: USAGE or CONFIGURATION for patterns that cannot be played. */
export function coordinationRequest(
  flags: CoordinationFlags,
  settings: Settings,
  projectFolder: string,
): CoordinationRequest {
  const profile = sizes[settings.profile]
  const {
    rounds: _rounds,
    roundDurationMs: _duration,
    ...shared
  } = comparisonRequest({ ...flags, workload: undefined }, settings, projectFolder)
  const patterns = patternsOf(flags, settings.profile).map((each) => withFlags(each, flags))
  const source = 'fixtures/targets/coordination.yaml'
  const judgedRounds = flags.rounds ?? profile.judgedRounds
  return {
    ...shared,
    warmupMs: flags.warmup ?? profile.warmupMs,
    targets: flags.targets === undefined ? { source, items: shippedTargets(source, patterns) } : shared.targets,
    minimumRounds: settings.profile === 'smoke' ? 3 : Math.max(6, Math.ceil(0.8 * judgedRounds)),
    sizes: {
      patterns,
      rounds: flags.rounds ?? profile.rounds,
      judgedRounds,
      roundDurationMs: flags['round-duration'] ?? profile.roundDurationMs,
    },
  }
}

/** Bars of patterns that are not played stay to be seen, and bind nobody; a file of the user's own is never weakened. */
function shippedTargets(source: string, patterns: readonly NamedCoordination[]): Target[] {
  return readTargetsFile(fileURLToPath(shippedFile(source))).map((target) => {
    const { measure } = parseTarget(target.expression)
    const [section, name, figure] = measure.kind === 'figure' ? measure.path.split('.') : []
    const isOfOther = section === 'coordination' && figure !== undefined && patterns.every((each) => each.name !== name)
    return isOfOther ? { ...target, mandatoryIn: [] } : target
  })
}

function patternsOf(flags: CoordinationFlags, profile: ProfileName): NamedCoordination[] {
  if (flags.workload !== undefined && flags.patterns !== undefined) {
    throw new LighthouseError('USAGE', '--patterns and --workload both say what is played', {
      suggestions: ['Give --patterns for those that are shipped, or --workload for one of your own.'],
    })
  }
  if (flags.workload !== undefined) return [read(flags.workload)]
  const kinds = flags.patterns === undefined ? sizes[profile].patterns : parsePatterns(flags.patterns)
  return kinds.map((kind) => inProfile(read(kind), profile))
}

function read(nameOrFile: string): NamedCoordination {
  return parseCoordination(...workloadText(nameOrFile, coordinationKinds))
}

/** What the shipped files leave to the profile; a file of the user's own is played as it is. */
function inProfile({ name, plan }: NamedCoordination, profile: ProfileName): NamedCoordination {
  const { pattern } = plan
  if (profile === 'full' && pattern.kind === 'expert-pool') {
    const { workers, experts, instancesPerSecond } = fullExpertPool
    return { name, plan: { ...plan, instancesPerSecond, pattern: { ...pattern, workers, experts } } }
  }
  if (profile === 'smoke' && pattern.kind === 'fan-out') {
    return { name, plan: { ...plan, instancesPerSecond: smokeFanOutPerSecond } }
  }
  return { name, plan }
}

function withFlags({ name, plan }: NamedCoordination, flags: CoordinationFlags): NamedCoordination {
  const { rate } = flags
  return {
    name,
    plan: {
      ...plan,
      instancesPerSecond: rate === undefined ? plan.instancesPerSecond : rate / exchangesPerInstance(plan.pattern),
      deadlineMs: flags.deadline ?? plan.deadlineMs,
      payloadBytes: flags['payload-bytes'] ?? plan.payloadBytes,
    },
  }
}

/** `pipeline,fan-out` or `all`. Throws USAGE for a name that is no pattern, with the nearest that is. */
export function parsePatterns(text: string): CoordinationKind[] {
  if (text.trim() === 'all') return ['chain', ...sizes.standard.patterns]
  return text.split(',').map((part) => {
    const kind = coordinationKinds.find((each) => each === part.trim())
    if (kind !== undefined) return kind
    const near = nearestWord(part.trim(), coordinationKinds)
    throw new LighthouseError('USAGE', `there is no pattern '${part.trim().slice(0, 64)}'`, {
      suggestions: [near === null ? `Patterns: ${coordinationKinds.join(', ')}; or all.` : `Did you mean '${near}'?`],
    })
  })
}
