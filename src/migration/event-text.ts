/** A line of a journal as somebody who watches reads it; null for what comes too often to be read. */
import { utcTimestamp } from '../measurement/utc-time.ts'
import type { JournalLine } from './journal.ts'
import { decisionText } from './status.ts'
import type { Decision } from './state-machine.ts'

export function eventText({ line, entry }: JournalLine): string | null {
  const text = textOf(entry)
  return text === null || entry.kind === 'begun' || entry.kind === 'decision'
    ? text
    : `${utcTimestamp(entry.atWallMs)} line ${line}: ${text}`
}

function textOf(entry: JournalLine['entry']): string | null {
  switch (entry.kind) {
    case 'begun':
      return `${entry.id}: plan ${entry.planSha256.slice(0, 12)}, ${entry.system.kind} at ${entry.system.address}`
    case 'watching':
      return 'watching'
    case 'decision':
      return `  ⇒ ${decisionText(entry.decision as unknown as Decision)}`
    case 'step':
      return `${entry.step}${entry.ok ? '' : ' (not as it should be)'}: ${entry.detail}`
    case 'input':
      return inputText(entry.input)
  }
}

function inputText(input: Extract<JournalLine['entry'], { kind: 'input' }>['input']): string | null {
  switch (input.type) {
    case 'observed':
      return null
    case 'checked':
      return input.healthy ? 'healthy again' : `health check failed: ${input.reason}`
    case 'looked':
      return input.findings.map(({ title, found }) => `${title}: ${found ? 'found' : 'not found'}`).join('; ')
    default:
      return `${input.type === 'rollbackAsked' ? `rollback (${input.mode}) asked` : input.type} by ${input.by.actor}: ${input.by.reason}`
  }
}
