/**
 * The suites as `bench all` runs them, in their order: what each is asked, what it would do, and how it is run. Cheap ones first, so that
 * what is wrong with settings shows early; those that break engines or take hours last.
 */
import { readSettings, type GivenSettings } from '../command-flags.ts'
import type { Suite } from '../measurement/vocabulary.ts'
import type { CaseOutlinePlan } from '../reports/outline.ts'
import type { PlannedSuite } from '../suites/campaign.ts'
import type { RunEvents } from '../suites/run-events.ts'
import type { FinishedRun, SuiteRequest } from '../suites/run-frame.ts'
import type { ComparisonFlags } from './comparison-request.ts'

/** What `bench all` passes on; each suite takes what means something to it. */
export interface CampaignFlags extends ComparisonFlags, GivenSettings {
  readonly agents?: number | undefined
  readonly rate?: number | undefined
  readonly deadline?: number | undefined
  readonly 'time-budget'?: number | undefined
}

interface SuiteEntry {
  readonly suite: Suite
  /** Throws what is wrong with the settings, or with the machine, for this suite. */
  plan(flags: CampaignFlags, projectFolder: string): Promise<PlannedSuite>
}

type Outline = Omit<CaseOutlinePlan, 'engines'>

/** How a suite is run, with modules that are loaded only when it is. */
interface SuiteParts<R extends SuiteRequest, O extends Outline> {
  request(flags: CampaignFlags, projectFolder: string): R
  outline(request: R): O | Promise<O>
  run(request: R, outline: O, events: RunEvents, signal: AbortSignal): Promise<FinishedRun>
  /** What a dry run says of this suite alone. */
  notes?(outline: O): string[]
}

function entry<R extends SuiteRequest, O extends Outline>(
  suite: Suite,
  load: () => Promise<SuiteParts<R, O>>,
): SuiteEntry {
  return {
    suite,
    async plan(flags, projectFolder) {
      const parts = await load()
      const { caseOutlineLines } = await import('../reports/outline.ts')
      // The targets of readiness are the comparison's; every other suite has bars of its own.
      const given = suite === 'comparison' ? flags : { ...flags, targets: undefined }
      const request = parts.request(given, projectFolder)
      const outline = await parts.outline(request)
      const engines = request.arms.map(({ label, role }) => ({ label, role }))
      return {
        suite,
        request,
        rounds: outline.cases.reduce((sum, each) => sum + each.rounds, 0),
        durationMs: outline.durationMs,
        diskBytes: outline.diskBytes,
        // The last line says that nothing was started; it is said once, for all.
        lines: [...caseOutlineLines({ ...outline, engines }).slice(0, -1), ...(parts.notes?.(outline) ?? [])],
        run: (limits, events, signal) => parts.run({ ...request, ...limits }, outline, events, signal),
      }
    },
  }
}

/** Sizes that a suite has flags of its own for, or none. */
function without(flags: CampaignFlags, ...names: readonly (keyof CampaignFlags)[]): CampaignFlags {
  return { ...flags, ...Object.fromEntries(names.map((name) => [name, undefined])) }
}

export const suiteTable: readonly SuiteEntry[] = [
  entry('comparison', async () => {
    const { comparisonRequest } = await import('./comparison-request.ts')
    const { outlineComparison, runComparison } = await import('../suites/run-comparison.ts')
    return {
      request: (flags, folder) => comparisonRequest(flags, readSettings(flags), folder),
      async outline(request) {
        const { rounds, roundDurationMs, workload } = request
        const { agents, ratePerSecond } = workload
        const load = { name: 'comparison', agents, ratePerSecond, loadModel: 'open' as const, rounds, roundDurationMs }
        return { ...(await outlineComparison(request)), cases: [load], skippedCases: [] }
      },
      run: (request, _outline, events, signal) => runComparison(request, events, signal),
    }
  }),
  entry('scaling', async () => {
    const { scalingRequest } = await import('./scaling-request.ts')
    const { outlineScaling, runScaling } = await import('../suites/run-scaling.ts')
    return {
      request: (given, folder) => {
        const flags = without(given, 'agents', 'rate')
        return scalingRequest(flags, readSettings(flags), folder)
      },
      outline: outlineScaling,
      run: runScaling,
    }
  }),
  entry('burst', async () => {
    const { burstRequest } = await import('./burst-request.ts')
    const { outlineBurst, runBurst } = await import('../suites/run-burst.ts')
    return {
      request: (flags, folder) => burstRequest(flags, readSettings(flags), folder),
      outline: outlineBurst,
      run: runBurst,
    }
  }),
  entry('coordination', async () => {
    const { coordinationRequest } = await import('./coordination-request.ts')
    const { outlineCoordination, runCoordination } = await import('../suites/run-coordination.ts')
    return {
      request: (given, folder) => {
        const flags = without(given, 'agents', 'pattern', 'workload')
        return coordinationRequest(flags, readSettings(flags), folder)
      },
      outline: outlineCoordination,
      run: runCoordination,
    }
  }),
  entry('contention', async () => {
    const { contentionRequest } = await import('./contention-request.ts')
    const { outlineContention, runContention } = await import('../suites/run-contention.ts')
    return {
      request: (given, folder) => {
        const agents = ['agents', 'rate', 'engines', 'transport', 'pattern', 'workload'] as const
        const remote = ['ca', 'polling-url', 'elicitation-url', 'enrolment-key-file'] as const
        const flags = { ...without(given, ...agents, ...remote), host: 'process', 'start-postgres': false }
        return contentionRequest(flags, readSettings(flags), folder)
      },
      outline: outlineContention,
      run: runContention,
    }
  }),
  entry('memory-pressure', async () => {
    const { memoryRequest } = await import('./memory-request.ts')
    const { outlineMemory, runMemory } = await import('../suites/run-memory.ts')
    return {
      request: (given, folder) => {
        const flags = { ...without(given, 'warmup'), host: 'process' }
        return memoryRequest(flags, readSettings(flags), folder)
      },
      outline: outlineMemory,
      run: runMemory,
    }
  }),
  entry('failure-recovery', async () => {
    const { recoveryRequest } = await import('./recovery-request.ts')
    const { outlineRecovery, runRecovery } = await import('../suites/run-recovery.ts')
    return {
      request: (given, folder) => {
        const flags = { ...without(given, 'warmup'), host: 'process' }
        return recoveryRequest(flags, readSettings(flags), folder)
      },
      outline: outlineRecovery,
      run: runRecovery,
    }
  }),
  entry('endurance', async () => {
    const { enduranceRequest } = await import('./endurance-request.ts')
    const { outlineEndurance, runEndurance } = await import('../suites/run-endurance.ts')
    const { bytes } = await import('../reports/numbers.ts')
    return {
      // Rounds follow from its duration.
      request: (given, folder) => enduranceRequest(without(given, 'rounds', 'round-duration'), folder),
      outline: outlineEndurance,
      run: runEndurance,
      notes: ({ storeBytes }) => [`Stores:    grow to about ${bytes(storeBytes)}, and are removed in the end`],
    }
  }),
]

/** In the order of play. */
export const campaignSuites: readonly Suite[] = suiteTable.map(({ suite }) => suite)
