/** The schema of what a memory run publishes, held equal to its interfaces by the compiler. */
import { z } from 'zod'
import { targetVerdicts } from '../statistics/verdict.ts'
import { amount, caseName, count, label, line, type Holds } from './evidence-schemas.ts'
import { leakSeries, pressureStates, type MemoryResult } from './memory-result.ts'

const end = (which: string) =>
  z.number().nullable().describe(`${which} end of its two-sided 95 % interval in the same unit; null: no bound`)

const slopeSchema = z
  .strictObject({
    value: z.number().nullable().describe('Bytes for each agent or exchange, by least squares; null: no line'),
    low: end('Low'),
    high: end('High'),
    n: count.describe('Readings'),
    shape: z.enum(['linear', 'curved', 'NOT_DEMONSTRATED']),
    bendPercent: z
      .number()
      .nullable()
      .describe(
        'Bend of a quadratic at mid-range against the line through its ends, in percent of its range; null: unknown',
      ),
    reason: line.describe('Why nothing was demonstrated; empty otherwise'),
  })
  .meta({ id: 'MemorySlope', description: 'How memory grows with agents or exchanges' })

const baseBytes = (what: string) =>
  amount.nullable().describe(`${what} of the process before agents came, median of the rounds; null: no valid round`)

const agentsSchema = z.strictObject({
  engine: label,
  baseLiveBytes: baseBytes('Live bytes'),
  baseRssBytes: baseBytes('Resident bytes'),
  idleLiveBytes: slopeSchema.describe('Live bytes of one idle agent'),
  idleRssBytes: slopeSchema.describe('Resident bytes of one idle agent'),
  residueLiveBytes: slopeSchema.describe('Live bytes that stayed for one agent that had gone'),
})

const inFlightSchema = z.strictObject({
  engine: label,
  payloadBytes: count.describe('Of a question'),
  liveBytes: slopeSchema.describe('Live bytes of one exchange that is asked and not answered'),
  mostOpen: count.describe('Most exchanges that were open at a reading'),
})

const copiesSchema = z
  .strictObject({
    engine: label,
    overheadBytes: z.number().nullable().describe('Live bytes of an open exchange without payload; null: no line'),
    copies: z.number().nullable().describe('Live bytes for each byte of payload; null: no line'),
    payloads: count,
  })
  .describe('Line through the costs of an open exchange by payload')

const timeMs = (words: string) => amount.nullable().describe(`${words}, in ms; null: it did not come`)
const roundTripP99Ms = amount.nullable().describe('Round trip p99 of what completed, in ms; null: nothing that counts')

const pressureSchema = z.strictObject({
  case: caseName,
  engine: label,
  state: z
    .enum(pressureStates)
    .describe('shed: refused with a hint when to come back; failed: exchanges failed without it, and it lived'),
  capOf: z.enum(['heap', 'process']).describe('process: all memory of the process, by a cgroup'),
  capFactor: amount.describe('Of the cap over the measured need'),
  capBytes: amount.nullable().describe('The cap in bytes; null: not recorded'),
  needBytes: amount
    .nullable()
    .describe(
      'Under the same load without a cap: highest settled heap, or most resident memory that is of no file; null: not recorded',
    ),
  firstShedMs: timeMs('First refusal with such a hint, from the round’s zero'),
  diedAtMs: timeMs('Death of the process, from the round’s zero'),
  restartMs: timeMs('Start after the death, on the same store and without the cap'),
  kernelKills: count
    .nullable()
    .describe('Kills for want of memory; null: a cap on the heap, or the kernel does not count'),
  shed: count.describe('Refusals with such a hint'),
  completed: count,
  failed: count.describe('Exchanges that were refused, timed out or lost'),
  lost: count,
  duplicated: count,
  roundTripP99Ms,
})

const told = (what: string) => count.nullable().describe(`New connections that were ${what}; null: not recorded`)

const descriptorsSchema = z.strictObject({
  engine: label,
  state: z.enum(['valid', 'did not bite', 'invalid']),
  served: told('served all the same'),
  refused: told('refused in words: 429 or 503'),
  closed: told('closed without a word'),
  silent: told('left without an answer'),
  servedAfter: told('served when descriptors were back'),
  wantedAfter: told('asked for then'),
  sessionsLost: count.describe('Open sessions that broke in the round'),
  failed: count.describe('Exchanges of connected agents that were refused, timed out or lost'),
  lost: count,
  roundTripP99Ms,
})

const peakBytes = (what: string) =>
  amount
    .nullable()
    .describe(`Highest settled reading in the round above that of the idle agents, in ${what} bytes; null: no reading`)
const controlP99Ms = amount.nullable().describe('Round trip p99 of the control, in ms; null: nothing that counts')

const slowReaderSchema = z.strictObject({
  engine: label,
  state: z.enum(['valid', 'did not bite', 'invalid']),
  fedBytes: count.nullable().describe('Of messages that the engine took for it; null: not recorded'),
  refusedMessages: count.nullable().describe('Messages for it that the engine refused; null: not recorded'),
  cutAfterMs: timeMs('Connection let go by the engine, from the subscription'),
  peakLiveBytes: peakBytes('live'),
  peakRssBytes: peakBytes('resident'),
  failed: count.describe('Exchanges of the others that were refused, timed out or lost'),
  lost: count,
  roundTripP99Ms,
  controlP99Ms,
})

const floodSchema = z.strictObject({
  engine: label,
  state: z.enum(['valid', 'invalid']),
  unanswered: count.describe('Questions whose deadline passed'),
  refused: count,
  shed: count.describe('Refusals with a hint when to come back'),
  firstShedMs: timeMs('First of them, from the round’s zero'),
  peakLiveBytes: peakBytes('live'),
  roundTripP99Ms,
  controlP99Ms,
  lost: count,
})

const perHour = (words: string) => z.number().nullable().describe(`${words}; null: too few readings`)

const leakSchema = z.strictObject({
  engine: label,
  series: z.enum(leakSeries),
  verdict: z.enum(targetVerdicts).describe('MET: growth beyond the allowance is excluded; NOT_MET: a leak'),
  reason: line,
  readings: count,
  bytesPerHour: perHour('Theil–Sen slope in bytes per hour'),
  lowBytesPerHour: perHour('Low end of its 99 % interval in bytes per hour'),
  highBytesPerHour: perHour('High end of its 99 % interval in bytes per hour'),
  minimumDetectableBytesPerHour: perHour('Steady leak that a run of this length and noise would show'),
})

export const memorySchema = z.strictObject({
  agents: z.array(agentsSchema).max(64).describe('What agents take, and what they leave behind'),
  inFlight: z.array(inFlightSchema).max(2000).describe('What an exchange takes until it is answered, by payload'),
  copies: z.array(copiesSchema).max(64),
  pressure: z.array(pressureSchema).max(2000).describe('Rounds under a cap on the heap or on the process'),
  descriptors: z.array(descriptorsSchema).max(64).describe('Rounds in which descriptors were short'),
  slowReaders: z.array(slowReaderSchema).max(64).describe('Rounds with a client that read nothing'),
  flood: z.array(floodSchema).max(64).describe('Rounds with questions to agents that never answer'),
  leaks: z.array(leakSchema).max(200).describe('Growth under a steady load'),
})

/** Does not compile unless the schema accepts exactly the interface. */
const schemaMatches: Holds<typeof memorySchema, MemoryResult> = true
void schemaMatches
