/**
 * The tables of a PostgreSQL store: makes them once, refuses what is not a store, and counts the boot.
 *
 * A store is a schema of its own, so several may share a database, and what is not ours is never touched. All of it is one
 * transaction under the store's advisory lock, so of two processes that open a new store at once one makes it.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { PoolClient } from 'pg'
import type { Durability } from '../../measurement/vocabulary.ts'
import { LighthouseError } from '../../platform/errors.ts'
import type { Connections } from './postgres-connections.ts'

/** What the parts of one store are called in SQL. */
export interface StoreNames {
  readonly namespace: string
  readonly events: string
  readonly sequence: string
  readonly meta: string
  readonly nonces: string
  /** For LISTEN and NOTIFY; its payload is the last sequence of a batch. */
  readonly channel: string
  /** Arguments of pg_advisory_xact_lock: who holds it may append. */
  readonly lock: string
}

export interface StoreState {
  readonly bootEpoch: number
  readonly secret: Uint8Array
  readonly indexedByAgent: boolean
  readonly lastSequence: number
}

const schemaVersion = 1
/** The first that knows MATERIALIZED, on which the order of the parts of an append rests. */
const smallestServer = 120_000
/** 'LHES', so that the lock is not taken for another program's. */
const lockClass = 0x4c484553

/** Throws LighthouseError('USAGE') for a name that would need quoting. */
export function storeNames(namespace: string): StoreNames {
  if (!/^[a-z_][a-z0-9_]{0,39}$/.test(namespace) || namespace.startsWith('pg_')) {
    throw new LighthouseError('USAGE', `The namespace ${JSON.stringify(namespace)} of the store is not usable.`, {
      suggestions: ['Use at most 40 lower-case letters, digits and underscores, not beginning with pg_ or a digit.'],
    })
  }
  return {
    namespace,
    events: `${namespace}.events`,
    sequence: `${namespace}.event_sequence`,
    meta: `${namespace}.meta`,
    nonces: `${namespace}.nonces`,
    channel: `lighthouse_${namespace}`,
    lock: `${lockClass}, ${createHash('sha256').update(namespace).digest().readInt32BE(0)}`,
  }
}

/** The sequence is no identity column: an append takes its numbers as one block, in the order of its rows. */
function schemaOf(names: StoreNames): string {
  return `
    CREATE SCHEMA IF NOT EXISTS ${names.namespace};
    CREATE SEQUENCE ${names.sequence} AS bigint CACHE 1;
    CREATE TABLE ${names.events} (
      sequence bigint PRIMARY KEY, agent text NOT NULL, source text NOT NULL, kind integer NOT NULL,
      exchange text NOT NULL, form smallint NOT NULL, body bytea NOT NULL, produced_at_ms double precision NOT NULL,
      batch bigint NOT NULL
    );
    CREATE TABLE ${names.meta} (key text PRIMARY KEY, value text NOT NULL);
    CREATE TABLE ${names.nonces} (agent integer NOT NULL, nonce text NOT NULL, PRIMARY KEY (agent, nonce));
    INSERT INTO ${names.meta} (key, value) VALUES ('schemaVersion', '${schemaVersion}');
  `
}

interface Found {
  readonly version: number
  readonly encoding: string
  readonly fsync: string
  readonly standby: boolean
}

async function checkServer(client: PoolClient, shown: string, durability: Durability): Promise<void> {
  const refuse = (what: string, todo: string): never => {
    throw new LighthouseError('STORE', `Cannot open the event store ${shown}: ${what}.`, { suggestions: [todo] })
  }
  const { rows } = await client.query<Found>(
    `SELECT current_setting('server_version_num')::int AS version, current_setting('server_encoding') AS encoding,
       current_setting('fsync') AS fsync, pg_is_in_recovery() AS standby`,
  )
  const found = rows[0] as Found
  if (found.standby) refuse('the server is a standby', 'Name the primary server; a standby takes no rows.')
  if (found.version < smallestServer) refuse('the server is too old', 'Use PostgreSQL 12 or newer.')
  if (found.encoding !== 'UTF8') {
    refuse(`the database is in ${found.encoding}`, 'Create one with ENCODING UTF8; other encodings lose characters.')
  }
  if (durability === 'fsync' && found.fsync !== 'on') {
    refuse('the server runs with fsync off', 'Switch fsync on in the server, or ask for the durability os.')
  }
}

async function createOrCheck(client: PoolClient, names: StoreNames, shown: string): Promise<void> {
  const { rows } = await client.query<{ isStore: boolean; relations: number }>(
    `SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL AS "isStore",
       (SELECT count(*)::int FROM pg_class WHERE relnamespace = to_regnamespace($3)) AS relations`,
    [names.meta, names.events, names.namespace],
  )
  const found = rows[0]
  if (found?.isStore !== true) {
    if (found?.relations !== 0) {
      throw new LighthouseError(
        'STORE',
        `Cannot open the event store ${shown}: ${names.namespace} holds other tables.`,
        {
          suggestions: ['Name another namespace; this one was left as it is.'],
        },
      )
    }
    await client.query(schemaOf(names))
  }
  const version = await readMeta(client, names, 'schemaVersion')
  if (version !== String(schemaVersion)) {
    throw new LighthouseError(
      'STORE',
      `Cannot open the event store ${shown}: its schema is version ${version} and this Lighthouse knows ${schemaVersion}.`,
      { suggestions: ['Use the Lighthouse that made it, or another namespace; this one was left as it is.'] },
    )
  }
}

export async function readMeta(client: PoolClient, names: StoreNames, key: string): Promise<string | null> {
  const { rows } = await client.query<{ value: string }>(`SELECT value FROM ${names.meta} WHERE key = $1`, [key])
  return rows[0]?.value ?? null
}

async function boot(client: PoolClient, names: StoreNames): Promise<void> {
  await client.query(
    `INSERT INTO ${names.meta} AS old (key, value) VALUES ('bootEpoch', '1')
     ON CONFLICT (key) DO UPDATE SET value = (old.value::bigint + 1)::text`,
  )
  await client.query(`INSERT INTO ${names.meta} (key, value) VALUES ('secret', $1) ON CONFLICT (key) DO NOTHING`, [
    randomBytes(32).toString('hex'),
  ])
  // Frames of an earlier epoch are refused by their epoch, so their nonces need not be kept.
  await client.query(`DELETE FROM ${names.nonces}`)
}

/**
 * Makes the store where there is none, and counts the boot unless this is a `second` connection of the same engine.
 * Rejects with LighthouseError('STORE') where the server or the namespace may not be used, and leaves them as they were.
 */
export function setUpStore(
  connections: Connections,
  names: StoreNames,
  durability: Durability,
  connection: 'first' | 'second',
): Promise<StoreState> {
  const { shown } = connections.address
  return connections.transaction(async (client) => {
    await checkServer(client, shown, durability)
    await client.query(`SELECT pg_advisory_xact_lock(${names.lock})`)
    await createOrCheck(client, names, shown)
    if (connection === 'first') await boot(client, names)
    const secret = await readMeta(client, names, 'secret')
    if (secret === null) {
      throw new LighthouseError('STORE', `The event store ${shown} was opened as a second connection without a first.`)
    }
    const { rows } = await client.query<{ last: string | null; indexed: boolean }>(
      `SELECT max(sequence) AS last, to_regclass($1) IS NOT NULL AS indexed FROM ${names.events}`,
      [`${names.namespace}.events_by_agent`],
    )
    return {
      bootEpoch: Number(await readMeta(client, names, 'bootEpoch')),
      secret: new Uint8Array(Buffer.from(secret, 'hex')),
      indexedByAgent: rows[0]?.indexed === true,
      lastSequence: Number(rows[0]?.last ?? 0),
    }
  })
}
