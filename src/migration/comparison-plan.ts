/**
 * What a plan says of comparing its groups: by which quantile, and how much worse the new path may be.
 */
import { z } from 'zod'
import { usage } from '../measurement/declaration-file.ts'
import { quantileNames, quantileTitle } from '../statistics/target-expression.ts'
import type { ComparisonRules, MigrationPlan, Requirement } from './plan.ts'

export const usualComparison: ComparisonRules = { quantile: 'p99', margin: 1.1 }

export const comparisonShape = z.strictObject({
  quantile: z.enum(quantileNames).exactOptional(),
  margin: z
    .number()
    .gt(1, 'must be above 1: no number of observations shows that nothing differs')
    .max(10)
    .exactOptional(),
})

/** What the entry leaves out is the plan's. */
export function readComparison(entry: z.infer<typeof comparisonShape>, usual: ComparisonRules): Requirement {
  const { quantile, margin } = { ...usual, ...entry }
  const title = `${quantileTitle(quantile)} of the new path shown to be less than ${margin} times that of the old one`
  return { kind: 'comparison', title, quantile, margin }
}

/** A phase in which there is nobody to compare with would never end. */
export function checkComparisons({ phases }: MigrationPlan, where: (index: number) => string): void {
  for (const [index, { name, percentage, requires }] of phases.entries()) {
    if (!requires.some(({ kind }) => kind === 'comparison')) continue
    if (percentage === 0 || percentage === 100)
      throw usage(
        `${where(index)}: with ${percentage} % there is nobody to compare with in ${name}`,
        'Compare the groups in a phase in which there are two.',
      )
  }
}
