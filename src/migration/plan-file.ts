/**
 * Reads a plan from YAML and says what is wrong with it, by line.
 *
 * What can never be decided is refused here and not found out after days: a gate that nothing measures, a share that never
 * grows, a rollback bar that is tighter than the gate before it.
 */
import { z } from 'zod'
import { parseDeclaration, readDeclarationText, usage } from '../measurement/declaration-file.ts'
import { oneLine } from '../measurement/targets-file.ts'
import { LighthouseError } from '../platform/errors.ts'
import {
  boundOf,
  durationOf,
  parseTarget,
  printTarget,
  type TargetExpression,
} from '../statistics/target-expression.ts'
import { checkComparisons, comparisonShape, usualComparison } from './comparison-plan.ts'
import type { Bar, MigrationPlan, Phase } from './plan.ts'
import { hookKeys, hooksShape, readHooks } from './plan-hooks.ts'
import { planDuration, readRequirement, requirementShape } from './plan-shapes.ts'

/** A thousand agents are told within a second, move within another, and look at their path twice a second. */
const usualSettleMs = 5000

/** Beyond it there is too little room above for evidence that it is exceeded. */
const highestErrorRate = 0.5

const barShape = z.union([oneLine(200), z.strictObject({ title: oneLine(80).optional(), expression: oneLine(200) })])
const alpha = z.number().gt(0).max(0.1)
const phaseShape = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be small letters, digits and hyphens'),
  percentage: z
    .number()
    .min(0)
    .max(100)
    .refine((value) => Number(value.toFixed(2)) === value, 'must be in steps of 0.01'),
  soak: planDuration,
  gates: z.array(barShape).max(20).default([]),
  requires: z.array(requirementShape).max(20).default([]),
  switches: z
    .strictObject({
      deprecation: z.boolean().exactOptional(),
      dualMode: z.boolean().exactOptional(),
      legacyOff: z.boolean().exactOptional(),
    })
    .default({}),
  approval: z.boolean().default(false),
})
const planShape = z.strictObject({
  name: oneLine(80),
  hooks: hooksShape.optional(),
  evidence: z
    .strictObject({
      interval: planDuration.default(10_000),
      settle: planDuration.optional(),
      promoteAlpha: alpha.default(0.01),
      rollbackAlpha: alpha.default(0.001),
      window: planDuration.default(3_600_000),
      minimumIntervals: z.int().min(1).max(100).default(2),
      coverage: z.number().gt(0).max(1).default(0.95),
      patience: z.number().min(1).max(100).default(2),
    })
    .prefault({}),
  trips: z.array(barShape).max(20).default([]),
  counted: z
    .strictObject({
      lost: z.int().min(1).default(1),
      securityViolations: z.int().min(1).default(1),
      failedHealthChecks: z.int().min(1).default(3),
    })
    .prefault({}),
  investigate: z.array(barShape).max(20).default([]),
  comparison: comparisonShape.default({}),
  rollback: z.enum(['full', 'stepped']).default('full'),
  phases: z.array(phaseShape).min(1).max(40),
  watchAfter: planDuration.optional(),
})
const keys = [
  ...['name', 'evidence', 'trips', 'counted', 'investigate', 'phases', 'percentage', 'soak', 'gates', 'approval'],
  ...['settle', 'interval', 'promoteAlpha', 'rollbackAlpha', 'window', 'minimumIntervals', 'coverage', 'patience'],
  ...['requires', 'switches', 'rollback', 'watchAfter', 'deprecation', 'dualMode', 'legacyOff', 'certificate', 'run'],
  ...['suite', 'decision', 'minAgents', 'minRate', 'maxAge', 'sameCommit'],
  ...['comparison', 'quantile', 'margin'],
  ...['lost', 'securityViolations', 'failedHealthChecks', 'expression', 'title'],
  ...hookKeys,
]

/** Throws LighthouseError('USAGE') that names file, line and remedy. */
export function readPlanFile(path: string): MigrationPlan {
  return parsePlan(readDeclarationText(path), path)
}

/** `file` names the text in errors. */
export function parsePlan(text: string, file: string): MigrationPlan {
  const { value, where } = parseDeclaration(text, file, planShape, keys)
  const bars = (list: typeof value.trips, path: readonly PropertyKey[]): Bar[] =>
    list.map((entry, index) => readBar(entry, where([...path, index])))
  const comparison = { ...usualComparison, ...value.comparison }
  const phases = value.phases.map(({ name, percentage, soak, gates, approval, switches, requires }, index): Phase => ({
    name,
    percentage,
    soakMs: soak,
    approval,
    switches,
    requires: requires.map((each) => readRequirement(each, comparison)),
    gates: bars(gates, ['phases', index, 'gates']),
  }))
  const { interval, window, settle, ...rules } = value.evidence
  const plan: MigrationPlan = {
    name: value.name,
    hooks: value.hooks === undefined ? null : readHooks(value.hooks),
    evidence: {
      ...rules,
      intervalMs: interval,
      windowMs: window,
      settleMs: settle ?? Math.max(interval, usualSettleMs),
    },
    trips: bars(value.trips, ['trips']),
    counted: value.counted,
    investigate: bars(value.investigate, ['investigate']),
    comparison,
    rollback: value.rollback,
    phases,
    watchAfterMs: value.watchAfter ?? Math.max(...phases.map(({ soakMs }) => soakMs)),
  }
  checkPhases(plan, (index) => where(['phases', index]))
  checkComparisons(plan, (index) => where(['phases', index, 'requires']))
  checkEvidence(plan, where(['evidence']))
  return plan
}

function readBar(entry: z.infer<typeof barShape>, place: string): Bar {
  const text = typeof entry === 'string' ? entry : entry.expression
  let target: TargetExpression
  try {
    target = parseTarget(text, [])
  } catch (error) {
    if (!(error instanceof LighthouseError)) throw error
    throw new LighthouseError('USAGE', `${place}: ${error.message}`, { suggestions: error.suggestions })
  }
  const { kind } = target.measure
  if (kind !== 'errorRate' && kind !== 'agents' && !(kind === 'latency' && target.measure.series === 'delivery')) {
    throw usage(
      `${place}: a migration does not measure ${printTarget(target).split(' ', 1)[0] ?? kind}`,
      'Use delivery.p50 … delivery.p999, errorRate or agents, of candidate or baseline.',
    )
  }
  const bound = boundOf(target)
  if (kind === 'errorRate' && bound === 0)
    throw usage(`${place}: no number of observations shows a rate of zero`, 'Write a bound above zero, such as 0.1%.')
  if (kind === 'errorRate' && bound >= highestErrorRate)
    throw usage(
      `${place}: an error rate of ${bound * 100} % is no bar`,
      `Write a bound below ${highestErrorRate * 100} %.`,
    )
  if (kind === 'latency' && bound === 0)
    throw usage(`${place}: nothing takes no time at all`, 'Write a bound above zero, such as 300ms.')
  const expression = printTarget(target)
  return { title: (typeof entry === 'string' ? null : entry.title) ?? expression, expression, target }
}

function checkPhases(plan: MigrationPlan, where: (index: number) => string): void {
  const names = new Set<string>()
  for (const [index, phase] of plan.phases.entries()) {
    if (names.has(phase.name)) throw usage(`${where(index)}: there are two phases ${phase.name}`, 'Name each once.')
    names.add(phase.name)
    const before = plan.phases[index - 1]
    if (before !== undefined && phase.percentage < before.percentage) {
      throw usage(
        `${where(index)}: ${phase.name} has ${phase.percentage} % after ${before.percentage} % in ${before.name}`,
        'Shares only grow; going back is what trips and rollback are for.',
      )
    }
    if (phase.soakMs < plan.evidence.intervalMs)
      throw usage(
        `${where(index)}: ${phase.name} soaks for less than one interval`,
        'Make the soak longer, or the interval shorter.',
      )
    const longest = phase.gates.find(({ target }) => (durationOf(target) ?? 0) > phase.soakMs * plan.evidence.patience)
    if (longest !== undefined)
      throw usage(
        `${where(index)}: "${longest.title}" asks for more time than ${phase.name} is ever granted`,
        'Make the soak longer.',
      )
    if (
      phase.percentage > 0 &&
      !phase.gates.some(({ target }) => target.subject === 'candidate' && target.measure.kind !== 'agents')
    )
      throw usage(
        `${where(index)}: nothing about how the new path does ends ${phase.name}`,
        'Give it a gate such as candidate.delivery.p99 < 300ms.',
      )
    if (phase.percentage === 0 && phase.gates.some(({ target }) => target.subject === 'candidate'))
      throw usage(
        `${where(index)}: nobody is on the new path in ${phase.name}`,
        'Gates of a phase with 0 % are about baseline.',
      )
    if (phase.percentage === 100 && phase.gates.some(({ target }) => target.subject === 'baseline'))
      throw usage(
        `${where(index)}: nobody is on the old path in ${phase.name}`,
        'Gates of a phase with 100 % are about candidate.',
      )
  }
}

function checkEvidence({ evidence, trips, investigate, phases }: MigrationPlan, place: string): void {
  if (evidence.windowMs < evidence.intervalMs * evidence.minimumIntervals)
    throw usage(`${place}: a window holds fewer than minimumIntervals intervals`, 'Make the window longer.')
  for (const { title, target } of [...trips, ...investigate]) {
    if (target.measure.kind === 'agents')
      throw usage(
        `the trip "${title}" is about a number of agents`,
        'Trips are about latency and errors; agents belong in gates.',
      )
    if (target.subject !== 'candidate')
      throw usage(`the trip "${title}" is about the old path`, 'Going back helps the new path alone: write candidate.')
    if (target.over !== null)
      throw usage(`the trip "${title}" names a time`, 'Trips look all the time; leave "over" out.')
  }
  if (phases.every(({ percentage }) => percentage === 0))
    throw usage('no phase puts anybody on the new path', 'Add one.')
  for (const trip of trips) for (const { gates } of phases) for (const gate of gates) checkTighter(trip, gate)
}

/** A trip that a system meeting its gate would set off. */
function checkTighter(trip: Bar, gate: Bar): void {
  const [one, other] = [trip.target.measure, gate.target.measure]
  if (gate.target.subject !== 'candidate' || one.kind !== other.kind) return
  if (one.kind === 'latency' && other.kind === 'latency' && one.quantile !== other.quantile) return
  if (boundOf(trip.target) < boundOf(gate.target))
    throw usage(
      `the trip "${trip.title}" is tighter than the gate "${gate.title}"`,
      'A trip is wider than what promotes.',
    )
}
