/** A past decision and what it rested on, for the terminal. */
import type { DecisionExplanation, GateEvidenceRecord, TripStanding } from '../measurement/migration-document.ts'
import { utcTimestamp } from '../measurement/utc-time.ts'
import { count } from './numbers.ts'
import type { Cell, Line, Section, Tone } from './report-model.ts'
import { renderPage, type TerminalStyle } from './terminal.ts'

/** Ends in a line feed. */
export function renderDecision(explanation: DecisionExplanation, style: TerminalStyle): string {
  const { id, plan, line, atWallMs, text, because, gates, trips, others, intervals, histograms } = explanation
  const sections: Section[] = [
    {
      title: 'Because',
      lines: [{ text: `line ${because.line}: ${because.text}` }],
    },
    {
      title: explanation.phase === null ? 'Gates' : `Gates of ${explanation.phase}`,
      table: {
        head: ['gate', 'verdict', 'deliveries', 'missed', 'dispersion', 'for it', 'against it'],
        rows: gates.map(gateRow),
      },
      lines: gates.length === 0 ? [] : gateNotes(explanation),
    },
    {
      title: 'Trips',
      table: { head: ['trip', 'evidence', 'missed in the phase', 'missed in the window'], rows: trips.map(tripRow) },
      lines: [],
    },
    {
      title: 'Checked',
      lines: [
        {
          text: `${count(intervals)} intervals and ${count(histograms)} histograms were counted again, every decision up to this one was come to again, and the chain of the journal holds`,
          tone: 'good',
        },
        { text: `plan digest ${explanation.planSha256}` },
      ],
    },
    {
      title: 'All decisions',
      lines: others.map((other): Line => ({ text: `line ${other.line}: ${other.text}` })),
    },
  ]
  const shown = sections.filter(({ lines, table }) => lines.length > 0 || (table?.rows.length ?? 0) > 0)
  const scope = `${id}, plan ${plan}, line ${line}, ${utcTimestamp(atWallMs)}`
  return renderPage({ headline: `DECISION: ${text}`, tone: 'plain', scope, summary: [], sections: shown }, style)
}

function gateRow({
  title,
  expression,
  verdict,
  trials,
  hits,
  phi,
  logFor,
  logAgainst,
  reason,
}: GateEvidenceRecord): Cell[] {
  const tone: Tone = verdict === 'MET' ? 'good' : verdict === 'NOT_MET' ? 'bad' : 'doubt'
  return [
    { text: title, ...(title === expression ? {} : { detail: expression }) },
    { text: verdict, detail: reason, tone },
    { text: count(trials) },
    { text: count(hits) },
    { text: phi.toFixed(2) },
    { text: odds(logFor) },
    { text: odds(logAgainst) },
  ]
}

/** Evidence as so many to one. */
function odds(log: number | null): string {
  if (log === null) return '–'
  const power = log / Math.LN10
  if (power >= 6) return `10^${Math.floor(power)} : 1`
  return power < -2 ? 'none' : `${Number(Math.exp(log).toPrecision(2))} : 1`
}

function gateNotes({ needed }: DecisionExplanation): Line[] {
  return [
    {
      text: `A gate holds at evidence of ${count(Math.round(needed.promote))} : 1 at the first attempt; counts were divided by the dispersion first.`,
    },
  ]
}

function tripRow({ expression, fires, trials, hits, windowTrials, windowHits }: TripStanding): Cell[] {
  return [
    { text: expression },
    { text: fires ? 'shown not to hold' : 'not shown', tone: fires ? 'bad' : 'plain' },
    { text: `${count(hits)} of ${count(trials)}` },
    { text: `${count(windowHits)} of ${count(windowTrials)}` },
  ]
}
