/**
 * One decision over several runs: the worst of them. Between runs REQUIRES_REMEDIATION goes before NEEDS_FURTHER_REVIEW, the other way
 * round than within one: there a run that may not be trusted can miss nothing, here a bar that a trusted run missed stays missed,
 * whatever another run could not say. What was asked for and did not end as planned leaves NEEDS_FURTHER_REVIEW at best.
 */
import { exitCodes } from '../platform/errors.ts'
import type { Decision } from './verdict.ts'

/** Worst first. */
const severity: readonly Decision[] = [
  'EMERGENCY_STOP',
  'REQUIRES_REMEDIATION',
  'NEEDS_FURTHER_REVIEW',
  'CONDITIONALLY_APPROVED',
  'APPROVED',
]

export interface DecisionPart {
  /** What the part is called in reasons and conditions. */
  readonly name: string
  /** Null when nothing was decided. */
  readonly decision: Decision | null
  readonly reasons: readonly string[]
  readonly conditions: readonly { readonly id: string; readonly text: string }[]
  /** Why the part did not end as planned; empty when it did. */
  readonly open: string
}

export interface CombinedDecision {
  readonly decision: Decision
  readonly exitCode: number
  readonly reasons: readonly string[]
  readonly conditions: readonly { readonly id: string; readonly text: string }[]
}

/** Reasons of one part that are repeated over all. */
const mostReasons = 3

export function worseDecision(left: Decision, right: Decision): Decision {
  return severity.indexOf(left) <= severity.indexOf(right) ? left : right
}

/** What one part contributes. */
export function partDecision({ decision, open }: Pick<DecisionPart, 'decision' | 'open'>): Decision {
  if (decision === null) return 'NEEDS_FURTHER_REVIEW'
  return open === '' ? decision : worseDecision(decision, 'NEEDS_FURTHER_REVIEW')
}

/** `doubts`: what else leaves the decision open. Without any part nothing is approved. */
export function combineDecisions(parts: readonly DecisionPart[], doubts: readonly string[]): CombinedDecision {
  const all = parts.length === 0 ? ['no suite was asked for', ...doubts] : doubts
  const start = (all.length > 0 ? 'NEEDS_FURTHER_REVIEW' : 'APPROVED') as Decision
  const decision = parts.map(partDecision).reduce(worseDecision, start)
  // What decides comes first; the others follow in a line each.
  const deciding = parts.filter((part) => partDecision(part) === decision)
  const others = parts.filter((part) => partDecision(part) !== decision)
  return {
    decision,
    exitCode: exitCodes[decision],
    reasons: [
      ...(decision === 'NEEDS_FURTHER_REVIEW' ? all : []),
      ...deciding.flatMap(reasonsOf),
      ...others.map((part) => `${part.name}: ${partDecision(part)}${part.open === '' ? '' : `, ${part.open}`}`),
      ...(decision === 'NEEDS_FURTHER_REVIEW' ? [] : all),
    ],
    conditions: parts.flatMap(({ name, conditions }) =>
      conditions.map(({ id, text }) => ({ id: `${name}.${id}`, text })),
    ),
  }
}

function reasonsOf(part: DecisionPart): string[] {
  const { name, decision, reasons, open } = part
  const said = decision === partDecision(part) ? reasons : []
  const more = said.length - mostReasons
  return [
    ...(open === '' ? [] : [`${name}: ${open}`]),
    ...said.slice(0, mostReasons).map((reason) => `${name}: ${reason}`),
    ...(more > 0 ? [`${name}: and ${more} more`] : []),
  ]
}
