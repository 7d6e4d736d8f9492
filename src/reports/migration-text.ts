/** Plans and simulations of migrations for the terminal. */
import type {
  PlanDocument,
  PlannedGate,
  PlannedHook,
  PlannedPhase,
  ScenarioResult,
  SimulationDocument,
} from '../measurement/simulation-document.ts'
import { count } from './numbers.ts'
import type { Cell, Line, Section } from './report-model.ts'
import { renderPage, type TerminalStyle } from './terminal.ts'

const unknown = '–'

/** Ends in a line feed. */
export function renderPlan(plan: PlanDocument, style: TerminalStyle): string {
  const { name, phases, trips, counted, investigate, hooks, shortestMs, planSha256 } = plan
  const sections: Section[] = [
    {
      title: 'Phases',
      table: { head: ['phase', 'on push', 'soak', 'then'], rows: phases.map(phaseRow) },
      lines: phases.flatMap(phaseLines),
    },
    {
      title: 'Gates, and how many deliveries show them',
      table: {
        head: ['phase', 'gate', 'if none misses', 'if half as many as allowed', 'in the soak'],
        rows: phases.flatMap((phase) => phase.gates.map((gate) => gateRow(phase, gate))),
      },
      lines: phases.flatMap(shortLines),
    },
    {
      title: 'What sends everybody back',
      lines: [
        ...trips.map((text): Line => ({ text: `shown not to hold: ${text}` })),
        { text: `exchanges that are acknowledged and lost: ${counted.lost}` },
        { text: `security violations: ${counted.securityViolations}` },
        { text: `health checks that fail in a row: ${counted.failedHealthChecks}` },
      ],
    },
    { title: 'What is told to somebody', lines: investigate.map((text) => ({ text: `shown not to hold: ${text}` })) },
    {
      title: 'Hooks: what is started and called, in place of a bridge',
      table: { head: ['hook', 'what', 'within', 'variables'], rows: hooks.map(hookRow) },
      lines: [],
    },
    { title: 'Digest', lines: [{ text: planSha256 }] },
  ]
  const shown = sections.filter((section) => section.lines.length > 0 || (section.table?.rows.length ?? 0) > 0)
  const scope = `${count(phases.length)} phases, ${lasting(shortestMs)} at least`
  return renderPage({ headline: `PLAN ${name}`, tone: 'plain', scope, summary: [], sections: shown }, style)
}

function phaseRow({ name, percentage, soakMs, approval }: PlannedPhase): Cell[] {
  return [
    { text: name },
    { text: `${percentage} %` },
    { text: lasting(soakMs) },
    { text: approval ? 'somebody approves' : 'by itself' },
  ]
}

function hookRow({ name, title, timeoutMs, variables }: PlannedHook): Cell[] {
  const names = variables.length === 0 ? unknown : variables.join(', ')
  return [{ text: name }, { text: title }, { text: lasting(timeoutMs) }, { text: names }]
}

function phaseLines({ name, requires, switches }: PlannedPhase): Line[] {
  return [
    ...requires.map((text): Line => ({ text: `${name} requires ${text}` })),
    ...(switches.length === 0 ? [] : [{ text: `${name} sets ${switches.join(', ')}` }]),
  ]
}

function gateRow({ name, deliveriesInSoak }: PlannedPhase, gate: PlannedGate): Cell[] {
  const { leastDeliveries, usualDeliveries, title, expression } = gate
  const number = (value: number | null): Cell => ({ text: value === null ? unknown : count(value) })
  return [
    { text: name },
    { text: title, ...(title === expression ? {} : { detail: expression }) },
    number(leastDeliveries),
    number(usualDeliveries),
    number(deliveriesInSoak),
  ]
}

/** Soaks in which the evidence cannot come together at the rate that was given. */
function shortLines({ name, deliveriesInSoak, gates }: PlannedPhase): Line[] {
  if (deliveriesInSoak === null) return []
  return gates
    .filter(({ usualDeliveries }) => usualDeliveries !== null && usualDeliveries > deliveriesInSoak)
    .map(({ title }): Line => ({
      text: `${name}: its soak is short for "${title}", unless fewer miss it`,
      tone: 'doubt',
    }))
}

export function renderSimulation(document: SimulationDocument, style: TerminalStyle): string {
  const { plan, phase, percentage, soakMs, intervalMs, runs, perSecond, agents, goals, scenarios, seed } = document
  const missed = goals.filter(({ shown }) => !shown).length
  const headline = missed === 0 ? 'ALL GOALS SHOWN (exit 0)' : `${missed} OF ${goals.length} GOALS NOT SHOWN (exit 23)`
  const scope = `Plan ${plan}, phase ${phase}: ${percentage} % of ${count(agents)} agents with ${perSecond}/s for ${lasting(soakMs)}, ${count(runs)} runs of each engine`
  const sections: Section[] = [
    {
      title: 'Engines that were planted',
      table: {
        head: ['engine', 'promoted', 'rolled back', 'held', 'exchanges until', 'time until'],
        rows: scenarios.map(scenarioRow),
      },
      lines: [
        {
          text: 'Shares with their one-sided 95 % bounds (Clopper-Pearson). Until: the median from the moment it went bad to the rollback.',
        },
        {
          text: `Shares that miss are planted as multiples of what each bar allows, evenly or, with stalls, all in one of so many intervals. Observations come every ${lasting(intervalMs)}, so no rollback is quicker.`,
        },
        { text: `Seed ${seed}; the same seed draws the same runs.` },
      ],
    },
    {
      title: 'Goals',
      lines: goals.map(({ title, found, shown }): Line => ({
        text: `${title}: ${found}`,
        tone: shown ? 'good' : 'doubt',
      })),
    },
  ]
  return renderPage({ headline, tone: missed === 0 ? 'good' : 'doubt', scope, summary: [], sections }, style)
}

function scenarioRow(result: ScenarioResult): Cell[] {
  const { scenario, promoted, rolledBack, held, promotedAtMost, rolledBackAtMost } = result
  const { medianExchangesToRollback: exchanges, medianMsToRollback: ms } = result
  return [
    { text: scenario.name },
    { text: count(promoted), detail: `at most ${percent(promotedAtMost)}` },
    { text: count(rolledBack), detail: `at most ${percent(rolledBackAtMost)}` },
    { text: count(held) },
    { text: exchanges === null ? unknown : count(exchanges) },
    { text: ms === null ? unknown : lasting(ms) },
  ]
}

function percent(share: number): string {
  return share >= 0.995 ? '100 %' : `${(share * 100).toPrecision(2)} %`
}

export function lasting(ms: number): string {
  if (ms < 120_000) return `${Math.round(ms / 100) / 10} s`
  if (ms < 7_200_000) return `${Math.round(ms / 6000) / 10} min`
  return ms < 172_800_001 ? `${Math.round(ms / 360_000) / 10} h` : `${Math.round(ms / 8_640_000) / 10} d`
}
