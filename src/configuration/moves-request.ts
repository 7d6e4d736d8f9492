/**
 * From flags of `bench migration` to a bridge, a load and the moves of its agents.
 */
import type { Carrying } from './migration-carrier.ts'
import { openMovingLoad, type MovingLoadFlagValues } from './moving-load-request.ts'
import { beginWith, runnerParts, writeIncidents } from './migration-carrier.ts'
import type { ProfileName } from './profiles.ts'
import { brokenPromises, totalOf } from '../measurement/migration-account.ts'
import type { MovesDocument } from '../measurement/moves-document.ts'
import { openMigration, readMigration } from '../migration/folders.ts'
import { parsePlan } from '../migration/plan-file.ts'
import { statusOf } from '../migration/status.ts'
import { LighthouseError } from '../platform/errors.ts'
import { exitCodeOfMoves, movedShares, movesPlanText, runMoves } from '../suites/moves.ts'

export interface MovesFlags extends MovingLoadFlagValues {
  readonly profile?: ProfileName | undefined
  readonly agents?: number | undefined
  readonly rate?: number | undefined
  readonly dwell?: number | undefined
  readonly durability?: 'memory' | 'os' | 'fsync' | undefined
  readonly output?: string | undefined
}

interface Sizes {
  readonly agents: number
  readonly ratePerSecond: number
  readonly dwellMs: number
}

const profiles: Readonly<Record<ProfileName, Sizes>> = {
  smoke: { agents: 200, ratePerSecond: 200, dwellMs: 20_000 },
  standard: { agents: 1000, ratePerSecond: 1000, dwellMs: 30_000 },
  full: { agents: 10_000, ratePerSecond: 1000, dwellMs: 600_000 },
}
const deadlineMs = 10_000
/** At 5 % none of them is moved in 6 of 1,000 cases. */
const leastAgents = 100
/** Longer than a move, and short enough that memory holds one. */
const longestRoundMs = 60_000

export function movesSizes(flags: MovesFlags): Sizes & { readonly profile: ProfileName; readonly durationMs: number } {
  const profile = flags.profile ?? 'standard'
  const agents = flags.agents ?? profiles[profile].agents
  if (agents < leastAgents)
    throw new LighthouseError('USAGE', `the first share is 5 %, and of ${agents} agents that may be nobody`, {
      suggestions: [`Use --agents ${leastAgents} or more.`],
    })
  const dwellMs = flags.dwell ?? profiles[profile].dwellMs
  return {
    profile,
    agents,
    ratePerSecond: flags.rate ?? profiles[profile].ratePerSecond,
    dwellMs,
    // Going back is seen to carry, and the round under way comes to its end.
    durationMs: (movedShares.length + 1) * dwellMs + 10_000 + Math.min(dwellMs, longestRoundMs),
  }
}

export async function benchMoves(flags: MovesFlags, { signal, tell }: Carrying): Promise<MovesDocument> {
  const { profile, agents, ratePerSecond, dwellMs } = movesSizes(flags)
  const text = movesPlanText(dwellMs)
  const plan = parsePlan(text, 'moves')
  const roundDurationMs = Math.min(longestRoundMs, 2 * dwellMs)
  const sizes = { agents, ratePerSecond, deadlineMs, roundDurationMs, durability: flags.durability ?? ('os' as const) }
  const load = await openMovingLoad(sizes, plan.evidence.intervalMs, flags, tell)
  try {
    const system = { kind: 'bridge', address: load.engine.url } as const
    const folder = await beginWith({ text, source: 'moves', plan }, flags.output ?? 'migrations', system, 'here')
    const open = openMigration(folder)
    const by = { actor: 'lighthouse bench migration', reason: 'moves under load' }
    const measured = await runMoves(
      { profile, open, load, dwellMs, parts: runnerParts(open, {}, by, tell), tell },
      signal,
    )
    writeIncidents(open, tell)
    const migration = statusOf(readMigration(folder), { folder, carriedOn: false, waitingRequests: 0 })
    const { account } = measured
    return {
      schemaVersion: 1,
      profile,
      migration,
      load: account.load,
      ...measured,
      total: totalOf(account),
      broken: brokenPromises(account),
      exitCode: exitCodeOfMoves(measured),
    }
  } finally {
    await load.close()
  }
}
