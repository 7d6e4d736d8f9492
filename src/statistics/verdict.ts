/**
 * The words of judgement: what is said of one target, and what is decided of one run. They live at the bottom
 * so that every layer above means the same by them.
 */

/**
 * Of one target: `MET` and `NOT_MET` when the one-sided 95 % bound lies wholly inside or outside the target,
 * `MARGINAL` when neither does, `NOT_DEMONSTRATED` when the data cannot say.
 */
export const targetVerdicts = ['MET', 'MARGINAL', 'NOT_MET', 'NOT_DEMONSTRATED'] as const
export type TargetVerdict = (typeof targetVerdicts)[number]

/** Of one run, about the candidate. */
export const decisions = [
  'APPROVED',
  'CONDITIONALLY_APPROVED',
  'REQUIRES_REMEDIATION',
  'EMERGENCY_STOP',
  'NEEDS_FURTHER_REVIEW',
] as const
export type Decision = (typeof decisions)[number]
