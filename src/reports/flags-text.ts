/** The flags of a bridge for the terminal. Actors and reasons are anybody's text; the page escapes them. */
import type { BridgeStatus, FlagHistory, FlagRecord, Flags } from '../measurement/flags-document.ts'
import { utcTimestamp } from '../measurement/utc-time.ts'
import { count } from './numbers.ts'
import type { Line, Section } from './report-model.ts'
import { renderPage, type TerminalStyle } from './terminal.ts'

/** Lists are shown so far; `--json` has them whole. */
const shownNames = 10
/** Buckets as uneven as this by chance alone would be one case in a thousand. */
const suspiciousP = 0.001

/** Ends in a line feed. */
export function renderFlags(status: BridgeStatus, style: TerminalStyle): string {
  const { flags, agents } = status
  const headline = flags.enabled ? `PUSH FOR ${percent(flags.percentage)} OF AGENTS` : 'PUSH IS NOT ENABLED'
  const sections: Section[] = [
    { title: 'Flags', lines: flagLines(flags) },
    { title: 'Agents', lines: agentLines(status) },
    { title: 'Last change', lines: [{ text: recordText(status) }] },
  ]
  const scope = `Revision ${status.revision}, ${count(agents.known)} ${agents.known === 1 ? 'agent' : 'agents'} known`
  return renderPage({ headline, tone: 'plain', scope, summary: [], sections }, style)
}

function flagLines(flags: Flags): Line[] {
  const { enabled, percentage, optIn, optOut, fallback, dualMode, deprecation, legacyOff } = flags
  return [
    {
      text: enabled
        ? `push is enabled for ${percent(percentage)} of agents`
        : `push is not enabled (${percent(percentage)} is set)`,
    },
    { text: `opt-in: ${names(optIn)}; opt-out: ${names(optOut)}` },
    {
      text: fallback
        ? 'an agent that cannot open push may poll (fallback)'
        : 'an agent that cannot open push may not poll (no fallback)',
    },
    {
      text: dualMode
        ? 'both paths are open to every agent (dual mode)'
        : 'each agent has the path it is assigned alone (no dual mode)',
    },
    { text: `the old path is ${legacyOff ? 'closed (legacy off)' : deprecation ? 'open and deprecated' : 'open'}` },
  ]
}

function agentLines({ agents, buckets, draining, oldPath }: BridgeStatus): Line[] {
  const { known, assignedPush, connectedPush, polling } = agents
  const share = known === 0 ? '' : ` (${percent(Math.round((assignedPush / known) * 10_000) / 100)} of those known)`
  const even: Line =
    buckets === null
      ? { text: 'too few to say whether buckets are even' }
      : {
          text: `buckets: chi-squared ${buckets.statistic.toFixed(1)} with ${buckets.degrees} degrees, p ${buckets.p.toPrecision(2)}`,
          ...(buckets.p < suspiciousP ? { tone: 'doubt' as const } : {}),
        }
  return [
    { text: `assigned push: ${count(assignedPush)}${share}` },
    { text: `connected by push: ${count(connectedPush)}; polling: ${count(polling)}` },
    { text: `polls held: ${count(oldPath.held)} of at most ${count(oldPath.room)}` },
    ...(draining ? [{ text: 'agents that were told to change their path are still doing so' }] : []),
    even,
  ]
}

export function renderFlagHistory(history: FlagHistory, style: TerminalStyle): string {
  const { records } = history
  const lines = records.toReversed().map((record, index): Line => {
    const before = records[records.length - 2 - index]
    return { text: `${record.revision}: ${recordText(record)}: ${changeText(before?.flags ?? null, record.flags)}` }
  })
  const headline = `${count(records.length)} ${records.length === 1 ? 'RECORD' : 'RECORDS'}, CHAIN INTACT`
  const scope = `Last hash ${records.at(-1)?.hash ?? 'none'}`
  return renderPage({ headline, tone: 'good', scope, summary: [], sections: [{ title: 'Newest first', lines }] }, style)
}

function recordText({ atWallMs, actor, reason }: Pick<FlagRecord, 'atWallMs' | 'actor' | 'reason'>): string {
  return `${utcTimestamp(atWallMs).slice(0, 19).replace('T', ' ')} UTC, ${actor}: ${reason}`
}

function changeText(before: Flags | null, after: Flags): string {
  const changed = (Object.keys(after) as (keyof Flags)[]).filter(
    (name) => before === null || JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  )
  return changed.map((name) => `${name} ${valueText(after[name])}`).join(', ') || 'nothing was changed'
}

function valueText(value: Flags[keyof Flags]): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  return typeof value === 'number' ? percent(value) : names(value)
}

function names(list: readonly string[]): string {
  if (list.length === 0) return 'nobody'
  const rest = list.length - shownNames
  return `${list.slice(0, shownNames).join(' ')}${rest > 0 ? ` and ${count(rest)} more` : ''}`
}

function percent(value: number): string {
  return `${value} %`
}
