/**
 * Turns what PostgreSQL, its driver and the network report into a LighthouseError('STORE') that says what to do, and
 * decides which failures leave open whether a statement took effect.
 * SQLSTATE codes: https://www.postgresql.org/docs/current/errcodes-appendix.html.
 */
import { DatabaseError } from 'pg'
import { LighthouseError } from '../../platform/errors.ts'
import type { PostgresAddress } from './postgres-address.ts'

const unreachable = 'Check that PostgreSQL runs there and that host and port are right; then try again.'
const notStored = 'The rows of this batch were not stored.'

const advice: Readonly<Record<string, readonly [what: string, todo: string]>> = {
  '22021': ['a text holds a character that PostgreSQL refuses', notStored],
  '25006': ['it is read-only', 'Name the primary server; a standby takes no rows.'],
  '28000': ['this user may not log in', 'Check user and database in the URL, and pg_hba.conf of the server.'],
  '28P01': ['the password is wrong', 'Check user and password in the URL.'],
  '3D000': ['the database does not exist', 'Create it with createdb, or name another.'],
  '42501': ['this user lacks a permission', 'GRANT CREATE ON DATABASE to this user, or let the owner open the store.'],
  '53100': ['the disk of the server is full', `Free disk space. ${notStored}`],
  '53200': ['the server is out of memory', `Lower the load or raise the memory of the server. ${notStored}`],
  '53300': ['the server takes no more connections', 'Lower the pool size, or raise max_connections of the server.'],
  '55P03': [
    'another appender or an index build held the store beyond the lock time-out',
    `Look in pg_locks for who holds it, or raise the lock time-out. ${notStored}`,
  ],
  '57014': [
    'the statement took longer than the statement time-out',
    'Look at the load of the server, or raise the statement time-out.',
  ],
  '57P01': ['the server ended the connection', 'Try again; the store connects anew by itself.'],
  '57P02': ['a process of the server crashed', 'Look into the log of the server; the store connects anew by itself.'],
  '57P03': ['the server is starting or stopping', 'Try again once it is up; the store connects anew by itself.'],
  ECONNREFUSED: ['nobody listens there', unreachable],
  ECONNRESET: ['the connection was reset', 'Try again; the store connects anew by itself.'],
  ENOTFOUND: ['the host is not known', 'Check the host in the URL.'],
  ENOENT: ['there is no such socket', unreachable],
}

/** What the driver and its pool say instead of a code. */
const phrases: readonly (readonly [phrase: RegExp, what: string, todo: string])[] = [
  [
    /timeout exceeded when trying to connect/,
    'every connection of the pool stayed busy beyond the connect time-out',
    'Raise the pool size or lower the load; nothing was sent to the server.',
  ],
  [/connection timeout|timeout expired/, 'the server did not answer within the connect time-out', unreachable],
  [/Query read timeout/, 'the server did not answer in time', 'Look at the network and the load of the server.'],
  [
    /Connection terminated|not queryable|connection error/,
    'the connection broke',
    'Try again; the store connects anew by itself.',
  ],
  [
    /does not support SSL/,
    'the server speaks no TLS',
    'Switch TLS on in the server, or append ?sslmode=disable where the network is trusted.',
  ],
]

function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : ''
  return typeof code === 'string' ? code : ''
}

/**
 * Whether a statement that ended so may have taken effect nevertheless. A refusal by the server rolls back; a connection
 * that ended (class 57P comes from the server's own end of it) says nothing of what was under way.
 */
export function isUncertain(error: unknown): boolean {
  return !(error instanceof DatabaseError) || /^(08|57P)/.test(codeOf(error))
}

/** `action` completes "Cannot … the event store". The cause is a copy of its message: driver errors hold their client. */
export function postgresError(action: string, address: PostgresAddress, error: unknown): LighthouseError {
  if (error instanceof LighthouseError) return error
  const message = address.redact(error instanceof Error ? error.message : String(error))
  const code = codeOf(error)
  const phrase = phrases.find(([pattern]) => pattern.test(message))
  const known = advice[code] ?? (phrase === undefined ? undefined : ([phrase[1], phrase[2]] as const))
  return new LighthouseError('STORE', `Cannot ${action} the event store ${address.shown}: ${known?.[0] ?? message}.`, {
    cause: new Error(code === '' ? message : `${code}: ${message}`),
    suggestions: [known?.[1] ?? 'Look into the log of the server for the cause shown.'],
  })
}
