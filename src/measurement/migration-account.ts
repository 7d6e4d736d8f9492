/**
 * The account of a load that ran while agents were moved: what became of every exchange, on both legs, whichever path its agents were on. It lies beside the
 * journal when the load was Lighthouse's own; a live system has only what it counts itself.
 */
import { z } from 'zod'
import { exitCodes, LighthouseError } from '../platform/errors.ts'
import { countsSchema } from './evidence-schemas.ts'
import type { MigrationStatus } from './migration-document.ts'
import type { ExchangeCounts } from './results-document.ts'

export const accountFile = 'account.json'
export const largestAccountBytes = 8 * 2 ** 20

const text = (longest: number) => z.string().max(longest)
const schema = z.strictObject({
  schemaVersion: z.literal(1),
  /** Id of the migration that ran meanwhile. */
  migration: text(100),
  load: z.strictObject({
    agents: z.int().min(2),
    ratePerSecond: z.number().gt(0),
    payloadBytes: z.int().min(1),
    deadlineMs: z.number().gt(0),
    roundDurationMs: z.number().gt(0),
    seed: text(200),
  }),
  /** What was broken on purpose; null when nothing was. */
  planted: z.strictObject({ fromPercentage: z.number().min(0).max(100), stallMs: z.number().gt(0) }).nullable(),
  rounds: z
    .array(
      z.strictObject({
        round: z.int().min(0),
        startedAtMs: z.number().min(0),
        counts: countsSchema,
        ledger: z.strictObject({ state: z.enum(['COMPLETE', 'UNKNOWN']), reasons: z.array(text(2000)).max(100) }),
      }),
    )
    .max(20_000),
})
export type MigrationAccount = z.infer<typeof schema>

/** Throws LighthouseError('RUN_DIRECTORY') for what is no account. */
export function parseAccount(data: Uint8Array): MigrationAccount {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data))
  } catch {
    throw new LighthouseError('RUN_DIRECTORY', `${accountFile} is not JSON`)
  }
  const read = schema.safeParse(value)
  if (read.success) return read.data
  const issue = read.error.issues[0]
  throw new LighthouseError(
    'RUN_DIRECTORY',
    `${accountFile} is not as a rehearsal writes it: ${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? ''}`,
  )
}

/** Of all rounds together. */
export function totalOf({ rounds }: Pick<MigrationAccount, 'rounds'>): ExchangeCounts {
  const total: Record<string, number> = {}
  for (const { counts } of rounds)
    for (const [name, value] of Object.entries(counts)) total[name] = (total[name] ?? 0) + value
  return { ...noExchanges, ...total }
}

const noExchanges: ExchangeCounts = {
  scheduled: 0,
  completed: 0,
  refused: 0,
  timedOut: 0,
  lost: 0,
  duplicated: 0,
  wireDuplicates: 0,
  phantom: 0,
  misdelivered: 0,
  reordered: 0,
  doubleTerminal: 0,
  corrupt: 0,
  late: 0,
  unexpected: 0,
}

const promises = [
  'lost',
  'duplicated',
  'misdelivered',
  'phantom',
  'corrupt',
  'unexpected',
  'doubleTerminal',
  'reordered',
] as const

/** What a bridge promises never happens and did, with its count. What a round lost that did not close is not known. */
export function brokenPromises({ rounds }: Pick<MigrationAccount, 'rounds'>): string[] {
  const closed = rounds.filter(({ ledger }) => ledger.state === 'COMPLETE')
  const total = { ...totalOf({ rounds }), lost: totalOf({ rounds: closed }).lost }
  return promises.flatMap((name) => (total[name] > 0 ? [`${total[name]} ${name}`] : []))
}

/** A broken promise goes before whatever the plan came to, and an account that did not close before that. */
export function exitCodeOfRehearsal(account: MigrationAccount, status: MigrationStatus['status']): number {
  if (brokenPromises(account).length > 0) return exitCodes.EMERGENCY_STOP
  if (status === 'rolledBack') return exitCodes.REQUIRES_REMEDIATION
  const closed = account.rounds.length > 0 && account.rounds.every(({ ledger }) => ledger.state === 'COMPLETE')
  return status === 'completed' && closed ? exitCodes.APPROVED : exitCodes.NEEDS_FURTHER_REVIEW
}
