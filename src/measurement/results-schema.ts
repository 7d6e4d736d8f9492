/**
 * The schema of `results.json`, schema version 1, and of what `bench --json` prints: the contract with whoever reads
 * results in another language. `docs/*.schema.json` are made from it, and the compiler holds it equal to `ResultsDocument`:
 * none of the three can change without the others. A run is never believed because it fits: a verifier derives the
 * results again (certificates/meaning.ts).
 *
 * Unknown members are refused and sizes are bounded as in `evidence-schemas.ts`; bounds here follow from those of the
 * evidence, targets and claims that results are derived from.
 */
import { z } from 'zod'
import { decisions, targetVerdicts } from '../statistics/verdict.ts'
import { burstSchema } from './burst-schema.ts'
import { memorySchema } from './memory-schema.ts'
import { amount, caseName, count, environmentSchema, knownSchemaVersion } from './evidence-schemas.ts'
import { label, line, reasons, text, type Holds } from './evidence-schemas.ts'
import type { ResultsDocument } from './results-document.ts'
import { contentionSchema } from './contention-schema.ts'
import { coordinationResultSchema } from './coordination-result-schema.ts'
import { enduranceSchema } from './endurance-schema.ts'
import { caseSchema, engineSchema } from './results-engine-schema.ts'
import { recoverySchema, scalingSchema } from './results-suite-schema.ts'
import { suites } from './vocabulary.ts'

/** Sentences with the reasons of a round, or of what was skipped, within them. */
const passage = z.string().max(250_000)
const mostRounds = 20_000

const comparisonSchema = z
  .strictObject({
    baseline: label,
    candidate: label,
    metric: z.enum(['roundTrip', 'delivery', 'serviceTime']),
    quantile: z.enum(['p50', 'p95', 'p99']),
    ratio: amount
      .nullable()
      .describe(
        'Baseline over candidate, the median of the ratios per round: 30 means thirty times faster; null: no ratio',
      ),
    low: amount.nullable().describe('Low end of its 95 % interval; null: fewer than 6 rounds gave a ratio'),
    high: amount.nullable().describe('High end of its 95 % interval; null: fewer than 6 rounds gave a ratio'),
    rounds: count.describe('Paired rounds that gave a ratio'),
    verdict: z.enum(['faster', 'slower', '~', 'NOT_DEMONSTRATED']).describe('~: no difference was shown'),
  })
  .describe('Another engine against the candidate, round by round')

const savingSchema = z
  .strictObject({
    arm: label,
    against: label,
    metric: z.enum(['serviceTimeP50', 'serviceTimeP99', 'cpuUsPerExchange']),
    ratio: amount
      .nullable()
      .describe(
        'Arm over candidate, the median of the ratios per round: 1.2 means that the candidate saves a sixth; null: no ratio',
      ),
    low: amount.nullable().describe('Low end of its 95 % interval; null: fewer than 6 rounds gave a ratio'),
    high: amount.nullable().describe('High end of its 95 % interval; null: fewer than 6 rounds gave a ratio'),
    rounds: count.describe('Paired rounds that gave a ratio'),
    verdict: z.enum(['saves', 'costs', '~', 'NOT_DEMONSTRATED']).describe('~: no difference was shown'),
  })
  .describe('Another arm of the candidate’s own engine against the candidate: what an option that differs is worth')

const targetSchema = z.strictObject({
  expression: text.describe('In the grammar of targets, e.g. candidate.roundTrip.p99 < 300ms'),
  title: text,
  verdict: z.enum(targetVerdicts),
  mandatory: z.boolean(),
  value: amount.nullable().describe('In the unit of this target; null: nothing was measured'),
  low: amount.nullable().describe('One-sided 95 % lower bound in the same unit; null: no bound'),
  high: amount.nullable().describe('One-sided 95 % upper bound in the same unit; null: no bound'),
  n: count.describe('What the verdict counts: samples, exchanges, rounds or paired rounds'),
  required: line.describe('What the verdict needs, e.g. n >= 299'),
  unit: text.describe('ms, B (bytes), /s, x, agents; empty for a plain count and a share from 0 to 1'),
  reason: line.describe('Why the verdict is NOT_DEMONSTRATED; empty otherwise'),
})

const claimSchema = z.strictObject({
  id: label,
  source: line.describe('The document that claims it, and its words'),
  statement: line,
  value: z.number().nullable().describe('In the unit that `reason` names; null: nothing was measured'),
  low: z.number().nullable().describe('Low end of its two-sided 95 % interval in the same unit; null: no bound'),
  high: z.number().nullable().describe('High end of its two-sided 95 % interval in the same unit; null: no bound'),
  verdict: z.enum(['SHOWN', 'REFUTED', 'NOT_SHOWN']),
  reason: line.describe('Why; for NOT_SHOWN, what would show it'),
})

const worst = (words: string) => amount.nullable().describe(`${words}, of the worst valid round; null: no valid round`)

const generatorSchema = z
  .strictObject({
    valid: z.boolean(),
    reasons,
    achievedRatio: worst('Exchanges sent in time over those scheduled'),
    latenessP99Ms: worst('99th percentile of send lateness in ms'),
    eventLoopP99Ms: worst('99th percentile of the delay of the event loop in ms'),
    cpuPercent: worst('CPU in percent of one core'),
  })
  .describe('The load generator, and whether the run as a whole is valid')

const invalidRoundSchema = z.strictObject({
  round: count.describe('Place in the plan, counted from 0; within its case where there are several'),
  engine: label,
  reasons: z.array(line).max(200),
  case: caseName.exactOptional().describe('Absent in a run of one load'),
})

export const resultsSchema = z.strictObject({
  schemaVersion: z.literal(knownSchemaVersion),
  runId: text,
  suite: z.enum(suites),
  profile: z.enum(['smoke', 'standard', 'full']),
  scope: line.describe('What the decision covers, in words'),
  decision: z.enum(decisions).describe('About the candidate, the last engine, within `scope`'),
  exitCode: count
    .max(255)
    .describe(
      'Of the decision: 0, 20, 21, 22 or 23; a run that was cut short or was allowed its conditions leaves with another',
    ),
  decisionReasons: z.array(passage).max(200_000).describe('What led to the decision, one line each'),
  conditions: z.array(z.strictObject({ id: label, text: line })).max(100),
  notAssessed: z
    .array(z.strictObject({ what: passage, command: line }))
    .max(2000)
    .describe('What this run cannot say, each with the command that would show it'),
  seed: text,
  engines: z.array(engineSchema).max(64).describe('Under the load that the decision is about; the candidate is last'),
  comparisons: z.array(comparisonSchema).max(1000),
  savings: z.array(savingSchema).max(200).describe('Empty unless another arm is of the candidate’s engine'),
  targets: z.array(targetSchema).max(100),
  claims: z.array(claimSchema).max(200),
  generator: generatorSchema,
  ledger: z
    .strictObject({ state: z.enum(['COMPLETE', 'UNKNOWN']), reasons: z.array(passage).max(mostRounds) })
    .describe('Whether every exchange is accounted for'),
  invalidRounds: z.array(invalidRoundSchema).max(mostRounds).describe('Attempts at rounds that do not count'),
  plannedRounds: count.describe('Per engine, of the load that the decision is about'),
  cases: z
    .array(caseSchema)
    .max(1000)
    .exactOptional()
    .describe('Every load of a suite that has several, in the order of play; absent in a run of one load'),
  scaling: scalingSchema.exactOptional().describe('Absent unless the suite is scaling'),
  recovery: recoverySchema.exactOptional().describe('Absent unless the suite is failure-recovery'),
  burst: burstSchema.exactOptional().describe('Absent unless the suite is burst'),
  memory: memorySchema.exactOptional().describe('Absent unless the suite is memory-pressure'),
  contention: contentionSchema.exactOptional().describe('Absent unless the suite is contention'),
  coordination: coordinationResultSchema.exactOptional().describe('Absent unless the suite is coordination'),
  endurance: enduranceSchema.exactOptional().describe('Absent unless the suite is endurance'),
  environment: environmentSchema.describe('Where the run was made; no host name, user name or absolute path'),
})

/** Does not compile unless the schema accepts exactly the interface. */
const schemaMatches: Holds<typeof resultsSchema, ResultsDocument> = true
void schemaMatches

const path = z.string().min(1).max(4096)

/** What `bench … --json` prints: the results, and where they were put. */
export const printedResultsSchema = resultsSchema.extend({
  runDirectory: path.describe('Folder of the run, absolute or from where the command was started'),
  certificate: path.nullable().describe('The certificate (Markdown) in that folder; null: none was issued'),
})

function publish(schema: z.ZodType, name: string, title: string, description: string): object {
  const { $schema, ...members } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    override: ({ jsonSchema }) => {
      // A tuple bounds only its length from above otherwise.
      if (jsonSchema.prefixItems !== undefined) jsonSchema.items = false
    },
  })
  return { $schema, $id: `urn:lighthouse-harness:${name}:v${knownSchemaVersion}`, title, description, ...members }
}

const units =
  'Units end the names of members: Ms, Us (µs), Bytes, Percent, PerSecond. null is never zero: it means not known or not demonstrated.'

/** JSON Schema, draft 2020-12, by name of the file in `docs/`; each stands alone, so that no reference has to be resolved. */
export function publishedSchemas(): Readonly<Record<string, object>> {
  return {
    'results.schema.json': publish(
      resultsSchema,
      'results',
      'Results of a Lighthouse run',
      `The results.json of a run directory, which \`lighthouse report --json\` prints as well. ${units}`,
    ),
    'results-output.schema.json': publish(
      printedResultsSchema,
      'results-output',
      'Printed results of a Lighthouse run',
      `What \`lighthouse bench … --json\` prints: results.json, and where the run and its certificate are. ${units}`,
    ),
  }
}
