/**
 * What a PostgreSQL store can be told, the bounds of its waits among it, and what it cannot be: options that cannot be met
 * are refused before anything connects.
 */
import type { Durability } from '../../measurement/vocabulary.ts'
import type { Clock } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import { largestPool, type ConnectionLimits } from './postgres-connections.ts'

export interface StoreLimits extends ConnectionLimits {
  /** How long an append whose connection broke tries to find out what became of it. */
  readonly settleWithinMs: number
}

export interface PostgresOptions extends Partial<StoreLimits> {
  /** postgresql://user:password@host:port/database, with ?sslmode=disable|require|verify-full. */
  readonly url: string
  /** `memory` is refused. */
  readonly durability: Durability
  readonly indexedByAgent: boolean
  /** The schema that holds the store; `lighthouse` by default. Made when it is missing. */
  readonly namespace?: string
  /** `second`: another connection of the same engine, which must not count as a new boot. */
  readonly connection?: 'first' | 'second'
  readonly clock?: Clock
}

const defaultLimits: StoreLimits = {
  poolSize: 10,
  connectTimeoutMs: 5000,
  statementTimeoutMs: 10_000,
  lockTimeoutMs: 5000,
  settleWithinMs: 10_000,
}
/** An index over a long log takes longer than any statement of a run. */
export const indexWithinMs = 600_000

/** The limits with their defaults. Throws LighthouseError('USAGE') for options that cannot be met. */
export function checkOptions(options: PostgresOptions): StoreLimits {
  const refuse = (what: string, todo: string): never => {
    throw new LighthouseError('USAGE', what, { suggestions: [todo] })
  }
  if (options.durability === 'memory') {
    refuse(
      'PostgreSQL cannot keep an event store in memory.',
      'Ask for durability os or fsync, or use the embedded store.',
    )
  }
  const limits = {
    poolSize: options.poolSize ?? defaultLimits.poolSize,
    connectTimeoutMs: options.connectTimeoutMs ?? defaultLimits.connectTimeoutMs,
    statementTimeoutMs: options.statementTimeoutMs ?? defaultLimits.statementTimeoutMs,
    lockTimeoutMs: options.lockTimeoutMs ?? defaultLimits.lockTimeoutMs,
    settleWithinMs: options.settleWithinMs ?? defaultLimits.settleWithinMs,
  }
  for (const [name, value] of Object.entries(limits)) {
    const [highest, unit] = name === 'poolSize' ? [largestPool, 'connections'] : [indexWithinMs, 'ms']
    // To the server as to the driver zero would mean no bound at all.
    if (!Number.isInteger(value) || value < 1 || value > highest) {
      refuse(`${name} is ${value}, and must be 1 to ${highest} ${unit}.`, `Choose 1 to ${highest}.`)
    }
  }
  return limits
}
