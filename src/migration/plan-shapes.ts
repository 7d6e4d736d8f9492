/**
 * Parts of a plan's file that stand by themselves: durations, and what has to be there before a phase ends.
 */
import { z } from 'zod'
import { durationWords } from '../measurement/derive-targets.ts'
import { suites } from '../measurement/vocabulary.ts'
import { comparisonShape, readComparison } from './comparison-plan.ts'
import type { ComparisonRules, Requirement } from './plan.ts'

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const longestMs = 365 * unitMs.d

/** As text in the file, in ms when it is read. */
export const planDuration = z
  .string()
  .regex(/^\d{1,6}(\.\d{1,3})?(ms|s|m|h|d)$/, 'must be a duration such as 10s, 48h or 7d')
  .transform((text) => {
    const match = /^([\d.]+)(ms|s|m|h|d)$/.exec(text)
    return Number(match?.[1]) * unitMs[(match?.[2] ?? 'ms') as keyof typeof unitMs]
  })
  .refine((ms) => ms > 0 && ms <= longestMs, 'must be above zero and at most a year')

export const requirementShape = z.union([
  z.strictObject({ comparison: comparisonShape }),
  z.strictObject({
    certificate: z.strictObject({
      suite: z.enum(suites).optional(),
      decision: z.enum(['APPROVED', 'CONDITIONALLY_APPROVED']).default('APPROVED'),
      minAgents: z.int().min(1).optional(),
      minRate: z.number().gt(0).optional(),
      maxAge: planDuration.optional(),
      sameCommit: z.boolean().default(true),
    }),
  }),
  z.strictObject({
    run: z.strictObject({
      suite: z.enum(suites),
      decision: z.enum(['valid', 'APPROVED', 'CONDITIONALLY_APPROVED']).default('valid'),
      maxAge: planDuration.optional(),
    }),
  }),
])

export function readRequirement(entry: z.infer<typeof requirementShape>, usual: ComparisonRules): Requirement {
  if ('comparison' in entry) return readComparison(entry.comparison, usual)
  const age = (ms: number | undefined): string => (ms === undefined ? '' : `, at most ${durationWords(ms)} old`)
  if ('run' in entry) {
    const { suite, decision, maxAge } = entry.run
    const title = `a run of ${suite} that is ${decision}${age(maxAge)}`
    return { kind: 'run', title, suite, decision, maxAgeMs: maxAge ?? null }
  }
  const { suite, decision, minAgents, minRate, maxAge, sameCommit } = entry.certificate
  const scope = [
    ...(minAgents === undefined ? [] : [`at least ${minAgents} agents`]),
    ...(minRate === undefined ? [] : [`at least ${minRate} exchanges/s`]),
    ...(sameCommit ? ['this commit'] : []),
  ]
  const title = `a valid certificate${suite === undefined ? '' : ` of ${suite}`} that says ${decision}${scope.map((each) => `, ${each}`).join('')}${age(maxAge)}`
  return {
    kind: 'certificate',
    title,
    suite: suite ?? null,
    decision,
    minAgents: minAgents ?? null,
    minRate: minRate ?? null,
    maxAgeMs: maxAge ?? null,
    sameCommit,
  }
}
