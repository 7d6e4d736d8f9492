/** URLs of PostgreSQL stores: what is read from them, what is refused, and that no message repeats a password. */
import { inspect } from 'node:util'
import * as fc from 'fast-check'
import { DatabaseError } from 'pg'
import { describe, expect, test } from 'vitest'
import { parsePostgresAddress } from '../../../src/engines/event-store/postgres-address.ts'
import { isUncertain, postgresError } from '../../../src/engines/event-store/postgres-errors.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'

function refusal(url: string): LighthouseError {
  try {
    parsePostgresAddress(url)
  } catch (error) {
    expect(error).toBeInstanceOf(LighthouseError)
    return error as LighthouseError
  }
  throw new Error(`accepted: ${url}`)
}

/** As the server reports it. */
function databaseError(code: string, message = 'refused'): DatabaseError {
  return Object.assign(new DatabaseError(message, 0, 'error'), { code })
}

describe('an address', () => {
  test('is read part by part, with what is missing left to the environment', () => {
    expect(parsePostgresAddress('postgresql://me:p%40ss@db.example:6000/events?sslmode=require')).toMatchObject({
      host: 'db.example',
      port: 6000,
      user: 'me',
      password: 'p@ss',
      database: 'events',
      ssl: { rejectUnauthorized: false },
      shown: 'postgresql://me@db.example:6000/events',
    })
    expect(parsePostgresAddress('postgres://localhost')).toMatchObject({
      host: 'localhost',
      port: 5432,
      user: undefined,
      password: undefined,
      database: undefined,
      shown: 'postgresql://localhost:5432/',
    })
    expect(parsePostgresAddress('postgresql:///events?host=/run/postgresql').host).toBe('/run/postgresql')
    expect(parsePostgresAddress('postgresql://[::1]:5433/events').host).toBe('::1')
  })

  test('encrypts to every server that is not on this machine unless told otherwise', () => {
    const ssl = (url: string): unknown => parsePostgresAddress(url).ssl
    expect(['localhost', '127.0.0.9', '[::1]'].map((host) => ssl(`postgresql://${host}/events`))).toEqual([
      false,
      false,
      false,
    ])
    expect(['db.example', '10.0.0.1', '127.0.0.1.example'].map((host) => ssl(`postgresql://${host}/events`))).toEqual(
      Array.from({ length: 3 }, () => ({ rejectUnauthorized: true })),
    )
    expect(ssl('postgresql://db.example/events?sslmode=disable')).toBe(false)
    expect(ssl('postgresql://localhost/events?sslmode=verify-full')).toEqual({ rejectUnauthorized: true })
  })

  test.each([
    'mysql://me:hunter2@host/events',
    'me:hunter2@host/events',
    'postgresql://me:hunter2#x@host/events',
    'postgresql://me:12/hunter2@host/events',
    'postgresql://me:12?hunter2@host/events',
    'postgresql://me:hunter2@host/events?options=-c%20synchronous_commit%3Doff',
    'postgresql://me:hunter2@host/events?statement_timeout=0',
    'postgresql://me:hunter2@host/events?sslmode=hunter2',
    'postgresql://me:hunter2%zz@host/events',
    'postgresql:///events',
  ])('%s is refused without being repeated', (url) => {
    const error = refusal(url)
    expect([error.code, error.suggestions.length]).toEqual(['USAGE', 1])
    expect(inspect(error, { depth: 20, showHidden: true }).replace(error.stack ?? '', error.message)).not.toContain(
      'hunter2',
    )
  })

  test('no text that went through it holds the password, encoded or not', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 3, unit: 'grapheme' }), (password) => {
        fc.pre(!'*** before and behind'.includes(password))
        const encoded = encodeURIComponent(password)
        const address = parsePostgresAddress(`postgresql://me:${encoded}@localhost/events`)
        expect(address.password).toBe(password)
        const text = address.redact(`before ${password} and ${encoded} behind`)
        expect(text.split(password).length + text.split(encoded).length).toBe(2)
      }),
    )
  })
})

describe('an error', () => {
  const address = parsePostgresAddress('postgresql://me:hunter2@localhost/events')

  test('says what was wrong, where and what to do, for the server, the driver and the network alike', () => {
    const cases = [
      [databaseError('53100'), /disk of the server is full/],
      [databaseError('53300'), /takes no more connections/],
      [databaseError('XX000', 'odd hunter2 failure'), /odd \*\*\* failure/],
      [Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }), /nobody listens there/],
      [new Error('Connection terminated unexpectedly'), /the connection broke/],
      ['hunter2', /\*\*\*/],
    ] as const
    for (const [cause, message] of cases) {
      const error = postgresError('read', address, cause)
      expect([error.code, error.message]).toEqual(['STORE', expect.stringMatching(message)])
      expect(error.message).toMatch(/^Cannot read the event store postgresql:\/\/me@localhost:5432\/events: /)
      expect([error.suggestions.length, inspect(error, { depth: 20 }).includes('hunter2')]).toEqual([1, false])
    }
    const own = new LighthouseError('STORE', 'own')
    expect(postgresError('read', address, own)).toBe(own)
  })

  test('leaves the outcome open exactly when it is no refusal by the server', () => {
    const outcomes = [databaseError('23505'), databaseError('57014'), databaseError('55P03')].map(isUncertain)
    expect(outcomes).toEqual([false, false, false])
    const open = [databaseError('57P01'), databaseError('57P02'), databaseError('08006'), new Error('EPIPE')]
    // A network code looks like an SQLSTATE and is none.
    expect([...open, Object.assign(new Error('write'), { code: 'EPIPE' })].map(isUncertain)).toEqual(
      Array(5).fill(true),
    )
  })
})
