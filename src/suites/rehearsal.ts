/**
 * A plan rehearsed: a bridge and a load of its own, moved by the very runner that moves a live system, with or without a regression that is planted on purpose.
 *
 * It answers what a plan is worth before anybody's agents are touched: do its gates come together at this load, do its trips act on what they are
 * there for, does everybody come back, and is nothing lost on the way.
 */
import { join } from 'node:path'
import { AdminClient } from '../engines/bridge/admin-client.ts'
import { writeDurably } from '../measurement/durable-write.ts'
import { accountFile, type MigrationAccount } from '../measurement/migration-account.ts'
import type { JournalLine } from '../migration/journal.ts'
import { writeRequest } from '../migration/requests.ts'
import { seededRandom } from '../platform/random.ts'
import { BridgeSystem } from '../migration/bridge-system.ts'
import type { OpenMigration } from '../migration/folders.ts'
import { MigrationRunner, type RunEnd, type RunnerParts } from '../migration/runner.ts'
import type { MeasuredInterval, StreamPlace } from '../migration/system.ts'
import type { MovingLoad, PlantedRegression } from './moving-load.ts'

/** A bridge cannot tell what was lost; the load that owns both ends of every exchange can. */
export class AccountedSystem extends BridgeSystem {
  private readonly load: MovingLoad

  constructor(client: AdminClient, address: string, load: MovingLoad) {
    super(client, address)
    this.load = load
  }

  override async measure(place: StreamPlace | null): Promise<readonly MeasuredInterval[]> {
    const intervals = await super.measure(place)
    // With the interval in which it was found, since a round's account closes when the round has drained.
    return intervals.map((interval, index) => ({ ...interval, lost: index === 0 ? this.load.takeLost() : 0 }))
  }
}

export interface Rehearsal {
  readonly open: OpenMigration
  readonly load: MovingLoad
  readonly planted: PlantedRegression | null
  readonly parts: Omit<RunnerParts, 'folder' | 'journal' | 'replay' | 'system'>
}

export interface RehearsalEnd {
  readonly end: RunEnd
  readonly account: MigrationAccount
}

/** What waits for a person on a live system waits for nobody in a rehearsal. */
function approve(folder: string, { by, clock }: Rehearsal['parts']): void {
  const request = { type: 'approved', actor: by.actor, reason: by.reason, mode: 'full' } as const
  writeRequest(folder, request, clock.wallMs(), seededRandom(`${folder}/approvals`))
}

/** Runs until the migration ends, then lets the load come to its end. The lock is given back. */
export async function rehearse({ open, load, planted, parts }: Rehearsal, signal: AbortSignal): Promise<RehearsalEnd> {
  const { folder, journal, replay, lock } = open
  const client = new AdminClient({ url: load.engine.url, adminKey: load.adminKey })
  const over = new AbortController()
  const either = AbortSignal.any([signal, over.signal])
  try {
    const system = new AccountedSystem(client, load.engine.url, load)
    const onLine = (line: JournalLine): void => {
      parts.onLine(line)
      const { entry } = line
      if (entry.kind !== 'decision') return
      if (entry.decision.kind === 'awaitApproval') approve(folder, parts)
      // Nobody will look, so nothing more is going to happen.
      if (entry.decision.kind === 'hold') over.abort()
    }
    const runner = new MigrationRunner({ ...parts, onLine, folder, journal, replay, system })
    const loading = load.run(signal)
    // A load that fails ends the rehearsal; what it says is told when it is awaited.
    loading.catch(() => over.abort())
    const planting = planted === null ? Promise.resolve() : load.plant(planted, either)
    planting.catch(() => over.abort())
    const end = await runner.run(either)
    over.abort()
    load.stop()
    await planting
    await loading
    const account = load.account(replay.begun.id, planted)
    writeDurably(join(folder, accountFile), `${JSON.stringify(account)}\n`)
    return { end, account }
  } finally {
    over.abort()
    lock.release()
    await client.close()
  }
}
