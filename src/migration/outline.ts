/**
 * What a plan asks for, before anything is started: how long it takes at least, and how many deliveries its gates need.
 */
import type { PlanDocument, PlannedGate, PlannedPhase } from '../measurement/simulation-document.ts'
import { EProcess } from '../statistics/e-process.ts'
import { allowedShare } from './evidence.ts'
import { hookTitle, hookVariables, listHooks } from './plan-hooks.ts'
import { planSha256, type Bar, type MigrationPlan, type Phase } from './plan.ts'

const farthestTrials = 1e12

/** `perSecond`: deliveries of all agents together; null when it is not known. */
export function outlinePlan(plan: MigrationPlan, perSecond: number | null): PlanDocument {
  const text = ({ title, expression }: Bar): string => (title === expression ? expression : `${title}: ${expression}`)
  return {
    schemaVersion: 1,
    name: plan.name,
    planSha256: planSha256(plan),
    phases: plan.phases.map((phase) => outlinePhase(plan, phase, perSecond)),
    trips: plan.trips.map(text),
    counted: plan.counted,
    investigate: plan.investigate.map(text),
    hooks: (plan.hooks === null ? [] : listHooks(plan.hooks)).map(({ name, hook }) => ({
      name,
      kind: hook.kind,
      title: hookTitle(hook),
      timeoutMs: hook.timeoutMs,
      variables: [...new Set(hookVariables(hook))],
    })),
    shortestMs: plan.phases.reduce((sum, { soakMs }) => sum + soakMs, 0),
  }
}

function outlinePhase(plan: MigrationPlan, phase: Phase, perSecond: number | null): PlannedPhase {
  const { name, percentage, soakMs, approval } = phase
  const gates = phase.gates.map((bar) => outlineGate(plan, bar))
  const share = percentage === 0 ? 1 : percentage / 100
  const deliveriesInSoak = perSecond === null ? null : Math.floor((perSecond * share * soakMs) / 1000)
  const requires = phase.requires.map(({ title }) => title)
  const switches = Object.entries(phase.switches).map(([flag, value]) => `${flag}=${String(value)}`)
  return { name, percentage, soakMs, approval, gates, requires, switches, deliveriesInSoak }
}

function outlineGate(plan: MigrationPlan, bar: Bar): PlannedGate {
  const { title, expression, target } = bar
  if (target.measure.kind === 'agents') return { title, expression, leastDeliveries: null, usualDeliveries: null }
  const p0 = allowedShare(bar)
  const needed = (p: number): number | null =>
    new EProcess(p0, 'below').trialsNeeded(p, plan.evidence.promoteAlpha, farthestTrials)
  return { title, expression, leastDeliveries: needed(0), usualDeliveries: needed(p0 / 2) }
}
