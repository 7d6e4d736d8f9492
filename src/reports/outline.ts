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

export function outlineLines(plan: OutlinePlan): string[] {
  const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`
  return [
    `Engines:   ${plan.engines.map(({ label, role }) => `${label} (${role})`).join(', ')}`,
    `Load:      ${count(plan.agents)} agents, ${plan.ratePerSecond} exchanges/s, open loop`,
    `Rounds:    ${plan.rounds} of ${seconds(plan.roundDurationMs)} per engine, interleaved; about ${count(plan.exchangesPerEngine)} exchanges per engine`,
    `Host:      ${plan.host}${plan.hostNote === null ? '' : ` (${plan.hostNote})`}`,
    `Duration:  about ${seconds(plan.durationMs)}`,
    `Disk:      up to about ${bytes(plan.diskBytes)}`,
    'Nothing was started.',
  ]
}
