/** The report of one time that agents went back, as Markdown. The text depends on the journal alone. */
import type { Incident } from '../measurement/migration-document.ts'
import { utcTimestamp } from '../measurement/utc-time.ts'
import { markdownPage } from './markdown.ts'
import { lasting } from './migration-text.ts'
import { count } from './numbers.ts'
import type { Cell, Line, Section } from './report-model.ts'
import { markdownLine } from './text.ts'

const modes = {
  full: 'everybody at once',
  stepped: 'by the shares of the phases before',
  canary: 'all but the canary',
} as const

/** Ends in a line feed. */
export function renderIncident(incident: Incident): string {
  const { id, plan, phase, percentage, mode, through, decidedAtWallMs, system } = incident
  const scope = `Migration ${markdownLine(id)} by plan ${markdownLine(plan)}, ${system.kind} at ${markdownLine(system.address)}: at ${utcTimestamp(decidedAtWallMs)} agents were sent back from phase ${markdownLine(phase)} (${percentage} %) to ${through.at(-1) ?? 0} %, ${modes[mode]}.`
  const sections: Section[] = [
    { title: 'Why', lines: whyLines(incident) },
    { title: 'What was done', table: stepTable(incident), lines: endLines(incident) },
    { title: 'What trips had seen', table: tripTable(incident), lines: [] },
    { title: 'The new path before it', table: beforeTable(incident), lines: [] },
    { title: 'What is to be done', lines: nextLines(incident) },
    { title: 'Evidence', lines: evidenceLines(incident) },
  ]
  const shown = sections.filter(({ lines, table }) => lines.length > 0 || (table?.rows.length ?? 0) > 0)
  return markdownPage({ headline: 'ROLLBACK INCIDENT', scope, summary: [], sections: shown })
}

function whyLines({ reasons, askedBy }: Incident): Line[] {
  const asked: Line[] =
    askedBy === null ? [{ text: 'A trip decided; nobody was asked.' }] : [{ text: `Asked for by ${askedBy.actor}.` }]
  return [...reasons.map((text): Line => ({ text, tone: 'bad' })), ...asked]
}

function stepTable({ steps, decidedAtWallMs }: Incident): NonNullable<Section['table']> {
  const rows = steps.map(({ atWallMs, step, ok, percentage, detail }): Cell[] => [
    { text: `+${lasting(Math.max(0, atWallMs - decidedAtWallMs))}` },
    { text: step },
    { text: `${percentage} %` },
    { text: ok ? 'as it should be' : 'not as it should be', tone: ok ? 'plain' : 'bad' },
    { text: detail },
  ])
  return { head: ['after', 'step', 'share', 'outcome', 'what was found'], rows }
}

function endLines({ movedMs, verifiedMs, verified, lost }: Incident): Line[] {
  return [
    {
      text:
        movedMs === null
          ? 'Not all agents that were to leave the new path have been seen to leave it.'
          : `All agents had left the new path ${lasting(movedMs)} after the decision.`,
    },
    {
      text:
        verified && verifiedMs !== null
          ? `The old path was seen to carry them ${lasting(verifiedMs)} after the decision.`
          : 'The old path has not been seen to carry them.',
    },
    { text: lost === null ? 'Lost exchanges: the system does not count them.' : `Lost exchanges: ${count(lost)}.` },
  ]
}

function tripTable({ trips }: Incident): NonNullable<Section['table']> {
  const rows = trips.map(({ expression, fires, trials, hits, windowTrials, windowHits }): Cell[] => [
    { text: expression },
    { text: fires ? 'shown not to hold' : 'not shown', ...(fires ? { tone: 'bad' as const } : {}) },
    { text: `${count(hits)} of ${count(trials)}` },
    { text: `${count(windowHits)} of ${count(windowTrials)}` },
  ])
  return { head: ['trip', 'evidence', 'missed in the phase', 'missed in the window'], rows }
}

function beforeTable({ before }: Incident): NonNullable<Section['table']> {
  const bounds = Array.from(new Set(before.flatMap(({ above }) => Object.keys(above)))).toSorted(
    (a, b) => Number(a) - Number(b),
  )
  const rows = before.map(({ fromMs, toMs, due, failed, above }): Cell[] => [
    { text: `${lasting(fromMs)} – ${lasting(toMs)}` },
    { text: count(due) },
    { text: count(failed) },
    ...bounds.map((bound): Cell => ({ text: count(above[bound] ?? 0) })),
  ])
  return { head: ['since the start', 'deliveries', 'failed', ...bounds.map((bound) => `above ${bound} ms`)], rows }
}

function nextLines({ id, line, verified, mode, lost }: Incident): Line[] {
  const lines: Line[] = [
    {
      text: 'Recompute the decision from the stored histograms:',
      command: `lighthouse migrate explain ${id} --line ${line}`,
    },
  ]
  if (!verified) lines.push({ text: 'Find out whether the old path carries; nothing here shows that it does.' })
  if ((lost ?? 0) > 0)
    lines.push({ text: 'Find out what was lost before anything else; nothing is promoted after a loss.' })
  lines.push({
    text:
      mode === 'canary'
        ? 'The canary is held. Resume when the cause is known and mended:'
        : 'Once the cause is known and mended, start a new migration; this one stays where it is.',
    ...(mode === 'canary' ? { command: `lighthouse migrate resume ${id} --actor NAME --reason TEXT` } : {}),
  })
  return lines
}

function evidenceLines({ planSha256, line, journalSha256 }: Incident): Line[] {
  return [
    { text: `Plan digest: ${planSha256}` },
    { text: `Decision: line ${line} of journal.jsonl` },
    { text: `Last line of the journal that this was written from: ${journalSha256}` },
  ]
}
