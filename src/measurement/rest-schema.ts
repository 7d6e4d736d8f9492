/** Checks of what belongs to endurance runs in `run.json` and `round.json`. */
import { z } from 'zod'
import type { ProcessReading } from './process-reading.ts'
import type { EnduranceCasePlan, RestReading } from './rest-evidence.ts'

const count = z.int().min(0)
const amount = z.number().min(0)

const processSchema = z.strictObject({
  startedAtMs: count,
  heapUsedBytes: count,
  heapLimitBytes: count,
  externalBytes: count,
  nativeBytes: count,
  rssBytes: count,
  allocatedBytes: count.nullable(),
  descriptors: count.nullable(),
})

export const restReadingSchema = z.strictObject({
  atMs: amount,
  tookMs: amount,
  engine: processSchema,
  openConnections: count,
  storeBytes: count.nullable(),
  walBytes: count.nullable(),
  diskFreeBytes: count.nullable(),
  load: processSchema,
  main: processSchema,
})

export const endurancePlanSchema = z.strictObject({
  everyMs: amount,
  leastWarmUpMs: amount,
  longestTtlMs: z
    .record(z.string().max(200), amount)
    .refine((record) => Object.keys(record).length <= 64, { error: 'has more than 64 members' }),
})

/** `readonly` taken off at every depth, since schemas infer mutable values. */
type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type Holds<Schema extends z.ZodType, Contract> = Same<Mutable<z.infer<Schema>>, Mutable<Contract>>

/** Does not compile unless every schema accepts exactly its interface. */
const schemasMatch: readonly [
  Holds<typeof processSchema, ProcessReading>,
  Holds<typeof restReadingSchema, RestReading>,
  Holds<typeof endurancePlanSchema, EnduranceCasePlan>,
] = [true, true, true]
void schemasMatch
