/**
 * What each suite needs of a machine at each profile: a table with one row per suite, worked out from the same request that the
 * suite itself would be given, so that no size is stated twice. A suite is added by its row here and its request in
 * `configuration/doctor-request.ts`.
 */
import { latenessBoundMs } from '../measurement/derive-rounds.ts'
import type { SuiteNeeds } from '../measurement/doctor-document.ts'
import type { ToolName } from '../measurement/machine-tools.ts'
import type { CasePlan } from '../measurement/round-evidence.ts'
import type { Profile } from '../measurement/targets-file.ts'
import type { Suite } from '../measurement/vocabulary.ts'
import { drainGraceMs } from './arm-timing.ts'
import { estimateBurst, planBurst } from './burst.ts'
import { estimateContention, planContention } from './contention.ts'
import { estimateDiskBytes, estimateMs } from './comparison-plan.ts'
import { estimateCoordination, planCoordination } from './coordination.ts'
import {
  bytesBesidePayload,
  commandLineBytes,
  copiesPerRow,
  hostBytes,
  levelNeeds,
  levelsOf,
  storeBytes,
  type Row,
} from './machine-needs.ts'
import { enduranceRow, memoryRow, recoveryRow } from './process-requirements.ts'
import type { BurstRequest } from './run-burst.ts'
import type { ComparisonRequest } from './run-comparison.ts'
import type { ContentionRequest } from './run-contention.ts'
import type { CoordinationRequest } from './run-coordination.ts'
import type { EnduranceRequest } from './run-endurance.ts'
import type { MemoryRequest } from './run-memory.ts'
import type { SuiteRequest } from './run-frame.ts'
import type { RecoveryRequest } from './run-recovery.ts'
import type { ScalingRequest } from './run-scaling.ts'
import { estimateScalingMs, planScaling } from './scaling.ts'

/** The request of every suite at one profile. */
export interface SuiteRequests {
  readonly comparison: ComparisonRequest
  readonly scaling: ScalingRequest
  readonly recovery: RecoveryRequest
  readonly burst: BurstRequest
  readonly contention: ContentionRequest
  readonly memory: MemoryRequest
  readonly coordination: CoordinationRequest
  readonly endurance: EnduranceRequest
}

/** In the order in which they are shown; the first decides the doctor's exit code. */
const table: readonly {
  readonly suite: Suite
  readonly command: string
  readonly request: (requests: SuiteRequests) => SuiteRequest
  readonly row: (requests: SuiteRequests) => Row
}[] = [
  {
    suite: 'comparison',
    command: 'lighthouse bench compare',
    request: ({ comparison }) => comparison,
    row: ({ comparison }) => comparisonRow(comparison),
  },
  {
    suite: 'scaling',
    command: 'lighthouse bench scale',
    request: ({ scaling }) => scaling,
    row: ({ scaling }) => scalingRow(scaling),
  },
  {
    suite: 'failure-recovery',
    command: 'lighthouse bench recovery',
    request: ({ recovery }) => recovery,
    row: ({ recovery }) => recoveryRow(recovery),
  },
  {
    suite: 'burst',
    command: 'lighthouse bench burst',
    request: ({ burst }) => burst,
    row: ({ burst }) => burstRow(burst),
  },
  {
    suite: 'contention',
    command: 'lighthouse bench contention',
    request: ({ contention }) => contention,
    row: ({ contention }) => contentionRow(contention),
  },
  {
    suite: 'memory-pressure',
    command: 'lighthouse bench memory',
    request: ({ memory }) => memory,
    row: ({ memory }) => memoryRow(memory),
  },
  {
    suite: 'coordination',
    command: 'lighthouse bench coordination',
    request: ({ coordination }) => coordination,
    row: ({ coordination }) => coordinationRow(coordination),
  },
  {
    suite: 'endurance',
    command: 'lighthouse bench endurance',
    request: ({ endurance }) => endurance,
    row: ({ endurance }) => enduranceRow(endurance),
  },
]

/** What a missing tool leaves out, by tool: said also where no suite has such a case yet. */
export const toolUses: Readonly<Record<ToolName, string>> = {
  git: 'naming the commit in runs and certificates',
  postgresql: 'contention on PostgreSQL',
  prlimit: 'engines whose files, memory or descriptors are limited',
  cgroupMemory: 'engines at a memory limit',
  networkNamespace: 'networks that are cut',
  netem: 'networks that lose, delay and reorder packets',
}

export function suiteNeeds(requests: SuiteRequests): SuiteNeeds[] {
  return table.map(({ suite, command, request, row }) => {
    const { profile, targets } = request(requests)
    return {
      suite,
      command: profile === 'standard' ? command : `${command} --profile ${profile}`,
      profile,
      cores: coresNeeded(profile),
      latenessBoundMs: latenessBoundMs(targets.items, profile),
      ...row(requests),
    }
  })
}

/** Engine and load need one each, or latencies hold the other's turns; a smoke run only shows that the parts work. */
function coresNeeded(profile: Profile): number {
  return profile === 'smoke' ? 1 : 2
}

function comparisonRow(request: ComparisonRequest): Row {
  const { arms, workload, rounds, roundDurationMs, warmupMs, host } = request
  const { agents, ratePerSecond, payloadBytes } = workload
  const exchanges = (ratePerSecond * (rounds * roundDurationMs + warmupMs)) / 1000
  const grace = arms.map((arm) => ({ drainGraceMs: drainGraceMs(arm) }))
  return {
    levels: [levelNeeds(agents, arms.length, host)],
    host,
    enginesAtOnce: arms.length,
    proxiesAtOnce: 0,
    outputBytes: estimateDiskBytes(arms.length, rounds, roundDurationMs),
    storeBytes: arms.length * storeBytes(request, exchanges, payloadBytes),
    durationMs: estimateMs({ arms: grace, agents, rounds, roundDurationMs, warmupMs }),
    optionalTools: [],
  }
}

/** Searches go far above a level's own rate, up to what this kind of machine carries at all (docs/performance.md). */
const fastestProbePerSecond = 16_000

/** Engines follow one another, and each level starts them anew. */
function scalingRow(request: ScalingRequest): Row {
  const { arms, sizes, seed, warmupMs, workload, host } = request
  const labels = arms.map(({ label }) => label)
  const plan = planScaling(sizes, labels, seed, null)
  const exchangesAt = (agents: number): number =>
    plan.cases
      .filter((each) => each.agents === agents)
      .reduce((sum, { searchBoundsMs, ratePerSecond, rounds, roundDurationMs }) => {
        const rate = searchBoundsMs === undefined ? ratePerSecond : fastestProbePerSecond
        return sum + (rate * (rounds * roundDurationMs + warmupMs)) / 1000
      }, 0)
  const grace = arms.map((arm) => ({ drainGraceMs: drainGraceMs(arm) }))
  return {
    levels: sizes.levels.map((agents) => levelNeeds(agents, 1, host)),
    host,
    enginesAtOnce: 1,
    proxiesAtOnce: 0,
    outputBytes: plan.cases.reduce(
      (sum, each) => sum + estimateDiskBytes(arms.length, each.rounds, each.roundDurationMs),
      0,
    ),
    storeBytes: storeBytes(request, Math.max(...sizes.levels.map(exchangesAt)), workload.payloadBytes),
    durationMs: estimateScalingMs(plan, grace, warmupMs, request),
    optionalTools: [],
  }
}

/** All engines are up throughout; a store grows over all cases. */
function burstRow(request: BurstRequest): Row {
  const { arms, sizes, seed, warmupMs, workload, host } = request
  const plan = planBurst(
    sizes,
    arms.map(({ label }) => label),
    seed,
  )
  const grace = arms.map((arm) => ({ drainGraceMs: drainGraceMs(arm) }))
  const { durationMs, diskBytes } = estimateBurst(plan, grace, sizes, warmupMs)
  const exchanges = plan.cases.reduce((sum, { phases, rounds, ratePerSecond, roundDurationMs }) => {
    const stretches = phases ?? [{ ratePerSecond, durationMs: roundDurationMs }]
    const ofRound = stretches.reduce((all, each) => all + (each.ratePerSecond * each.durationMs) / 1000, 0)
    return sum + rounds * ofRound
  }, 0)
  return {
    levels: [levelNeeds(sizes.agents, arms.length, host)],
    host,
    enginesAtOnce: arms.length,
    proxiesAtOnce: 0,
    outputBytes: diskBytes,
    storeBytes: arms.length * storeBytes(request, exchanges, workload.payloadBytes),
    durationMs,
    optionalTools: [],
  }
}

/** Writers are no sockets: an embedded store has none, and a server's are its pool. Every row is in the log and in the index by inbox too. */
function contentionRow({ arms, sizes, seed, warmupMs, workload }: ContentionRequest): Row {
  const plan = planContention(sizes, arms, seed)
  const { durationMs, diskBytes } = estimateContention(plan, arms, warmupMs)
  const writes = plan.cases.reduce(
    (sum, { rounds, ratePerSecond, roundDurationMs }) => sum + (rounds * ratePerSecond * roundDurationMs) / 1000,
    0,
  )
  const memoryBytes = commandLineBytes + arms.length * 2 * hostBytes.process
  return {
    levels: [{ agents: sizes.writers.at(-1) ?? 0, portsPerAddress: 0, memoryBytes }],
    host: 'process',
    enginesAtOnce: arms.length,
    proxiesAtOnce: 0,
    outputBytes: diskBytes,
    storeBytes: arms.length * Math.ceil(writes) * copiesPerRow * (workload.payloadBytes + bytesBesidePayload),
    durationMs,
    optionalTools: [
      { tool: 'postgresql', cases: 'stores on a PostgreSQL server that the run starts (--start-postgres)' },
    ],
  }
}

/** Pattern after pattern, each on engines of its own. */
function coordinationRow(request: CoordinationRequest): Row {
  const { arms, sizes, seed, warmupMs, host } = request
  const labels = arms.map(({ label }) => label)
  const plan = planCoordination(sizes, labels, seed, { host, startedArms: arms.length, descriptorLimit: null })
  const grace = arms.map((arm) => ({ drainGraceMs: drainGraceMs(arm) }))
  const { durationMs, diskBytes } = estimateCoordination(plan, grace, warmupMs)
  const storeOf = ({ ratePerSecond, rounds, roundDurationMs, coordination }: CasePlan): number => {
    const exchanges = (ratePerSecond * (rounds * roundDurationMs + warmupMs)) / 1000
    return arms.length * storeBytes(request, exchanges, coordination?.payloadBytes ?? 0)
  }
  return {
    levels: levelsOf(plan.cases, arms.length, host),
    host,
    enginesAtOnce: arms.length,
    proxiesAtOnce: 0,
    outputBytes: diskBytes,
    storeBytes: Math.max(...plan.cases.map(storeOf)),
    durationMs,
    optionalTools: [],
  }
}
