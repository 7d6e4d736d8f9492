/**
 * From flags of `migrate rehearse` to a bridge, a load and a migration that is carried out on them.
 */
import type { Carrying } from './migration-carrier.ts'
import { openMovingLoad, type MovingLoadFlagValues } from './moving-load-request.ts'
import { beginWith, readPlan, runnerParts, writeIncidents } from './migration-carrier.ts'
import type { MigrationAccount } from '../measurement/migration-account.ts'
import { openMigration } from '../migration/folders.ts'
import type { PlantedRegression } from '../suites/moving-load.ts'
import { rehearse } from '../suites/rehearsal.ts'

export interface RehearsalFlags extends MovingLoadFlagValues {
  readonly agents?: number | undefined
  readonly rate?: number | undefined
  readonly deadline?: number | undefined
  readonly output?: string | undefined
  readonly 'plant-from'?: number | undefined
  readonly 'plant-stall'?: number | undefined
}

const defaults = { agents: 200, ratePerSecond: 500, deadlineMs: 10_000, stallMs: 1500 } as const
/** Long enough that the pauses between rounds are few, short enough that the end of a plan need not wait long for one. */
const roundDurationMs = 15_000

export async function rehearsePlan(
  fileOrName: string,
  flags: RehearsalFlags,
  { signal, tell }: Carrying,
): Promise<{ readonly folder: string; readonly account: MigrationAccount }> {
  const read = readPlan(fileOrName)
  const planted: PlantedRegression | null =
    flags['plant-from'] === undefined
      ? null
      : { fromPercentage: flags['plant-from'], stallMs: flags['plant-stall'] ?? defaults.stallMs }
  const sizes = {
    agents: flags.agents ?? defaults.agents,
    ratePerSecond: flags.rate ?? defaults.ratePerSecond,
    deadlineMs: flags.deadline ?? defaults.deadlineMs,
    roundDurationMs,
    durability: 'os',
  } as const
  const load = await openMovingLoad(sizes, read.plan.evidence.intervalMs, flags, tell)
  try {
    const system = { kind: 'bridge', address: load.engine.url } as const
    const folder = await beginWith(read, flags.output ?? 'migrations', system, 'here')
    const open = openMigration(folder)
    tell(`migration ${open.replay.begun.id} in ${folder}`)
    const by = {
      actor: 'lighthouse migrate rehearse',
      reason: planted === null ? 'a rehearsal' : 'a rehearsal with a planted regression',
    }
    const parts = runnerParts(open, {}, by, tell)
    const { account } = await rehearse({ open, load, planted, parts }, signal)
    writeIncidents(open, tell)
    return { folder, account }
  } finally {
    await load.close()
  }
}
