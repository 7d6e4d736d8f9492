/** Where a migration stands, for the terminal, and single events of it as they happen. Actors and reasons are anybody's text; the page escapes them. */
import type { DecisionRecord, GateStanding, MigrationStatus, TripStanding } from '../measurement/migration-document.ts'
import { utcTimestamp } from '../measurement/utc-time.ts'
import { lasting } from './migration-text.ts'
import { count } from './numbers.ts'
import type { Cell, Line, Section, Tone } from './report-model.ts'
import { renderPage, type TerminalStyle } from './terminal.ts'

/** The last ones; `--json` has all of them. */
const shownDecisions = 20

const words = {
  soaking: 'IN PHASE',
  awaitingApproval: 'SOMEBODY HAS TO APPROVE',
  held: 'HELD UNTIL SOMEBODY LOOKS',
  completed: 'COMPLETED',
  rolledBack: 'ROLLED BACK',
} as const
const tones: Readonly<Record<MigrationStatus['status'], Tone>> = {
  soaking: 'plain',
  awaitingApproval: 'doubt',
  held: 'doubt',
  completed: 'good',
  rolledBack: 'bad',
}

/** Ends in a line feed. */
export function renderMigration(status: MigrationStatus, style: TerminalStyle): string {
  const { phase, percentage, paused, plan, id, system } = status
  const where = phase === null ? '' : `: ${phase.name} (${phase.index} of ${phase.of})`
  const headline = `${words[status.status]}${status.status === 'completed' ? '' : where}${paused ? ', PAUSED' : ''}`
  const scope = `${id}, plan ${plan}, ${percentage} % of agents on the new path of the ${system.kind === 'bridge' ? 'bridge' : 'system'} at ${system.address}`
  const sections: Section[] = [
    { title: 'Phase', lines: phaseLines(status) },
    {
      title: 'Gates',
      table: { head: ['gate', 'verdict', 'deliveries', 'missed', 'still needed'], rows: status.gates.map(gateRow) },
      lines: status.requires.map(({ title, found, reason }): Line => ({
        text: `${title}: ${found ? 'found' : 'not found'}, ${reason}`,
        tone: found ? 'good' : 'doubt',
      })),
    },
    {
      title: 'What sends everybody back',
      table: {
        head: ['trip', 'in the phase', 'missed', 'in the window', 'missed'],
        rows: status.trips.map(tripRow),
      },
      lines: [],
    },
    { title: 'Decisions', lines: status.decisions.slice(-shownDecisions).flatMap(decisionLines) },
    { title: 'Journal', lines: journalLines(status) },
  ]
  const shown = sections.filter(({ lines, table }) => lines.length > 0 || (table?.rows.length ?? 0) > 0)
  return renderPage({ headline, tone: tones[status.status], scope, summary: [], sections: shown }, style)
}

function phaseLines({ phase, status, carriedOn, waitingRequests, paused, lost }: MigrationStatus): Line[] {
  const lines: Line[] = []
  if (phase !== null && status !== 'completed') {
    const { elapsedMs, soakMs, observedMs, attempt } = phase
    lines.push({
      text: `${lasting(elapsedMs)} have passed, ${lasting(observedMs)} of them observed; the soak is ${lasting(soakMs)}${attempt > 1 ? `; attempt ${attempt}` : ''}`,
    })
  }
  lines.push({
    text: lost === null ? 'lost: the system does not count it' : `lost: ${count(lost)}`,
    tone: (lost ?? 0) > 0 ? 'bad' : 'plain',
  })
  if (paused) lines.push({ text: 'paused: nothing is promoted; trips stay armed', tone: 'doubt' })
  const over = status === 'rolledBack' || status === 'completed'
  if (!carriedOn && !over)
    lines.push({
      text: 'no process carries it on: nothing is observed, and no trip is armed',
      tone: 'bad',
      command: 'lighthouse migrate start --resume latest',
    })
  if (waitingRequests > 0)
    lines.push({
      text: `${waitingRequests === 1 ? '1 request waits' : `${waitingRequests} requests wait`} to be taken`,
      tone: 'doubt',
    })
  return lines
}

function gateRow({ title, expression, verdict, trials, hits, forecastMs, reason }: GateStanding): Cell[] {
  const tone: Tone = verdict === 'MET' ? 'good' : verdict === 'NOT_MET' ? 'bad' : 'doubt'
  const needed = verdict === 'MET' ? '–' : forecastMs === null ? 'not foreseeable' : lasting(forecastMs)
  return [
    { text: title, ...(title === expression ? {} : { detail: expression }) },
    { text: verdict, detail: reason, tone },
    { text: count(trials) },
    { text: count(hits) },
    { text: needed },
  ]
}

function tripRow({ title, expression, trials, hits, windowTrials, windowHits }: TripStanding): Cell[] {
  return [
    { text: title, ...(title === expression ? {} : { detail: expression }) },
    { text: count(trials) },
    { text: count(hits) },
    { text: count(windowTrials) },
    { text: count(windowHits) },
  ]
}

function decisionLines({ line, atWallMs, kind, text, steps }: DecisionRecord): Line[] {
  const tone: Tone = kind === 'rollBack' ? 'bad' : kind === 'complete' ? 'good' : kind === 'enter' ? 'plain' : 'doubt'
  return [
    { text: `${utcTimestamp(atWallMs)} line ${line}: ${text}`, tone },
    ...steps.map(({ atWallMs: stepWallMs, step, ok, detail }): Line => ({
      text: `${utcTimestamp(stepWallMs)} ${step}${ok ? '' : ' (not as it should be)'}: ${detail}`,
      tone: ok ? 'plain' : 'doubt',
    })),
  ]
}

function journalLines({ folder, journal, observations, taken, unwatchedMs }: MigrationStatus): Line[] {
  return [
    { text: `${folder}: ${count(journal.lines)} lines, the last one ${journal.sha256}` },
    {
      text: `${count(observations)} intervals observed; taken up ${taken} ${taken === 1 ? 'time' : 'times'}${unwatchedMs > 0 ? `, ${lasting(unwatchedMs)} in which nobody watched` : ''}`,
    },
  ]
}
