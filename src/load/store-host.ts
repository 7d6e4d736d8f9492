/**
 * Entry module of the process that writes to and reads from one store: one store, and rounds on it one after the other. The URL of a server,
 * with its password, arrives in the `start` message and nowhere else.
 */
import type { ContendedStore } from '../engines/event-store/contended-store.ts'
import { openContendedPostgres, type ContendedPostgresOptions } from '../engines/event-store/contended-postgres.ts'
import { openContendedSqlite, type ContendedSqliteOptions } from '../engines/event-store/contended-sqlite.ts'
import { LighthouseError } from '../platform/errors.ts'
import { servePeer } from '../platform/peer.ts'
import { StoreSession, type StoreRoundReport, type StoreRoundRequest } from './store-session.ts'
import { systemGauge, systemTiming } from './timing.ts'

export type StoreStartRequest = { readonly clockOrigin: number } & (
  | { readonly kind: 'sqlite'; readonly options: ContendedSqliteOptions }
  | { readonly kind: 'postgres'; readonly options: ContendedPostgresOptions }
)

let session: StoreSession | null = null

function running(): StoreSession {
  if (session === null) throw new LighthouseError('INTERNAL', 'the store host was asked before it was started')
  return session
}

function open(request: StoreStartRequest): Promise<ContendedStore> {
  return request.kind === 'sqlite' ? openContendedSqlite(request.options) : openContendedPostgres(request.options)
}

const parent = servePeer({
  async start(payload): Promise<void> {
    const request = payload as StoreStartRequest
    if (session !== null) throw new LighthouseError('INTERNAL', 'the store host was started twice')
    session = new StoreSession({
      store: await open(request),
      timing: systemTiming(request.clockOrigin),
      gauge: systemGauge(),
      onProgress: (progress) => parent.telemetry('progress', progress),
    })
  },
  round(payload): Promise<StoreRoundReport> {
    return running().playRound(payload as StoreRoundRequest)
  },
  /** Answered at once; the round under way then ends with a report marked as interrupted. */
  abort(): void {
    session?.abort()
  },
  async close(): Promise<void> {
    await session?.close()
    session = null
  },
})
