/** What a dry run prints: the plan, how long it takes, and what it writes. */
import { bytes, count } from './numbers.ts'

export interface OutlinePlan {
  readonly engines: readonly { readonly label: string; readonly role: string }[]
  readonly agents: number
  readonly ratePerSecond: number
  readonly rounds: number
  readonly roundDurationMs: number
  readonly exchangesPerEngine: number
  readonly host: string
  readonly hostNote: string | null
  readonly durationMs: number
  readonly diskBytes: number
}

export interface CaseOutlinePlan extends Pick<OutlinePlan, 'engines' | 'host' | 'durationMs' | 'diskBytes'> {
  readonly cases: readonly {
    readonly name: string
    readonly agents: number
    readonly ratePerSecond: number
    readonly loadModel: 'open' | 'closed'
    readonly rounds: number
    readonly roundDurationMs: number
    /** Labels of those that take part, where not all do. */
    readonly engines?: readonly string[]
  }[]
  readonly skippedCases: readonly { readonly name: string; readonly reason: string }[]
}

const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`
const fromTwoHours = 7_200_000
const hours = (ms: number): string => (ms < fromTwoHours ? seconds(ms) : `${Math.round(ms / 360_000) / 10} h`)

const engineWords = { engines: 'Engines:', engine: 'engine', agents: 'agents', exchanges: 'exchanges' } as const
/** Of suites that put load on stores themselves. */
export const storeWords = { engines: 'Stores: ', engine: 'store', agents: 'writers', exchanges: 'writes' } as const

/** Of a suite with several loads. */
export function caseOutlineLines(
  plan: CaseOutlinePlan,
  words: typeof engineWords | typeof storeWords = engineWords,
): string[] {
  return [
    `${words.engines}   ${plan.engines.map(({ label, role }) => `${label} (${role})`).join(', ')}`,
    ...plan.cases.map(
      (each) =>
        `Load:      ${each.name}: ${count(each.agents)} ${words.agents}, ${Number(each.ratePerSecond.toPrecision(4))} ${words.exchanges}/s, ` +
        `${each.loadModel} loop, ${each.rounds} × ${seconds(each.roundDurationMs)} per ${words.engine}` +
        (each.engines === undefined ? '' : `: ${each.engines.join(', ')}`),
    ),
    ...plan.skippedCases.map(({ name, reason }) => `SKIPPED:   ${name}: ${reason}`),
    `Host:      ${plan.host}`,
    `Duration:  about ${hours(plan.durationMs)}`,
    `Disk:      up to about ${bytes(plan.diskBytes)}`,
    'Nothing was started.',
  ]
}

export function outlineLines(plan: OutlinePlan): string[] {
  return [
    `Engines:   ${plan.engines.map(({ label, role }) => `${label} (${role})`).join(', ')}`,
    `Load:      ${count(plan.agents)} agents, ${plan.ratePerSecond} exchanges/s, open loop`,
    `Rounds:    ${plan.rounds} of ${seconds(plan.roundDurationMs)} per engine, interleaved; about ${count(plan.exchangesPerEngine)} exchanges per engine`,
    `Host:      ${plan.host}${plan.hostNote === null ? '' : ` (${plan.hostNote})`}`,
    `Duration:  about ${hours(plan.durationMs)}`,
    `Disk:      up to about ${bytes(plan.diskBytes)}`,
    'Nothing was started.',
  ]
}
