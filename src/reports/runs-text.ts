/** Listings of runs for the terminal. Names and texts of run directories may be anybody's; the page escapes them. */
import type { PruneReport, RunEntry, RunListing, RunOverview } from '../measurement/run-listing.ts'
import { bytes, count } from './numbers.ts'
import type { Line, Section, Tone } from './report-model.ts'
import { renderPage, type TerminalStyle } from './terminal.ts'

/** Ends in a line feed. */
export function renderListing(listing: RunListing, style: TerminalStyle): string {
  const { runs, outputFolder, notShown, others } = listing
  const summary: Line[] = []
  if (runs.length === 0 && notShown === 0)
    summary.push({ text: 'A run is made by', command: 'lighthouse bench compare' })
  if (notShown > 0) summary.push({ text: `${count(notShown)} more were not looked at` })
  if (others > 0) summary.push({ text: `${count(others)} other entries are not named like runs` })
  const headline = runs.length === 0 ? 'NO RUNS' : `${count(runs.length)} ${runs.length === 1 ? 'RUN' : 'RUNS'}`
  const sections: Section[] = runs.length === 0 ? [] : [{ title: 'Newest first', lines: runs.map(entryLine) }]
  return renderPage({ headline, tone: 'plain', scope: `In ${outputFolder}`, summary, sections }, style)
}

/** One sentence: as a table, ids and decisions would be broken at the width of a terminal. */
function entryLine(entry: RunEntry): Line {
  const state = stateText(entry)
  const { id, suite, profile, startedAt, durationMs, engines, certificates } = entry
  const parts = [
    ...(suite === null ? [] : [`${suite} ${profile ?? ''}`]),
    state,
    ...(startedAt === null ? [] : [startedText(entry)]),
    ...(durationMs === null ? [] : [lasted(durationMs)]),
    ...(engines.length === 0 ? [] : [engines.join(' against ')]),
    sizeText(entry),
    certificates.length === 0 ? 'no certificate' : certificates.join(' '),
  ]
  return { text: `${id}: ${parts.join(', ')}`, tone: tones[state] ?? (entry.state === 'unreadable' ? 'bad' : 'doubt') }
}

const tones: Readonly<Record<string, Tone>> = {
  APPROVED: 'good',
  CONDITIONALLY_APPROVED: 'doubt',
  NEEDS_FURTHER_REVIEW: 'doubt',
  REQUIRES_REMEDIATION: 'bad',
  EMERGENCY_STOP: 'bad',
}

/** The decision, or what stands in its place. */
export function stateText({ state, decision, reason }: RunEntry): string {
  if (state === 'decided') return decision ?? '–'
  if (state === 'interrupted') return 'interrupted'
  return `${state === 'cut-short' ? 'cut short' : 'unreadable'}: ${reason}`
}

function startedText({ startedAt }: RunEntry): string {
  return startedAt === null ? '–' : startedAt.slice(0, 19).replace('T', ' ')
}

function lasted(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 360) / 10} h`
}

function sizeText({ sizeBytes, sizeIsLeast }: RunEntry): string {
  return `${sizeIsLeast ? 'over ' : ''}${bytes(sizeBytes)}`
}

export function renderOverview(overview: RunOverview, style: TerminalStyle): string {
  const { entry, scope, exitCode, decisionReasons, plan, files } = overview
  const headline = exitCode === null ? stateText(entry).toUpperCase() : `${entry.decision ?? ''} (exit ${exitCode})`
  const facts: Line[] = [
    { text: `${entry.id}: suite ${entry.suite ?? 'not known'}, profile ${entry.profile ?? 'not known'}` },
    {
      text: `Started ${startedText(entry)} UTC, ${entry.durationMs === null ? 'without an end' : `took ${lasted(entry.durationMs)}`}`,
    },
    { text: `Engines: ${entry.engines.join(', ') || 'not known'}` },
    ...(entry.state === 'interrupted'
      ? [{ text: 'It was interrupted before its planned end', tone: 'doubt' as const }]
      : []),
  ]
  const sections: Section[] = [
    { title: 'Run', lines: facts },
    { title: 'Plan', lines: plan.map((text) => ({ text })) },
    { title: 'Members', lines: entry.members.map((text) => ({ text })) },
    {
      title: 'Files',
      table: {
        head: ['name', 'files', 'on disk'],
        rows: files.map((each) => [{ text: each.name }, { text: count(each.files) }, { text: bytes(each.bytes) }]),
      },
      lines: [],
    },
    { title: 'Certificates', lines: certificateLines(entry) },
  ]
  const summary = decisionReasons.slice(0, 20).map((text): Line => ({ text }))
  const tone = tones[entry.decision ?? ''] ?? 'doubt'
  const shown = sections.filter((section) => section.table !== undefined || section.lines.length > 0)
  return renderPage(
    { headline, tone, scope: scope === null ? `In ${entry.path}` : `Within ${scope}`, summary, sections: shown },
    style,
  )
}

function certificateLines({ certificates, path }: RunEntry): Line[] {
  if (certificates.length === 0) return [{ text: 'none' }]
  return certificates.map((id) => ({ text: id, command: `lighthouse certify verify ${path}/certificate/${id}` }))
}

export function renderPrune(report: PruneReport, style: TerminalStyle): string {
  const { items, kept, leftovers, failed, confirmed, freedBytes, outputFolder } = report
  const runs = `${count(items.length)} ${items.length === 1 ? 'run' : 'runs'}, ${bytes(freedBytes)}`
  const headline =
    items.length === 0 && leftovers.length === 0
      ? 'NOTHING TO REMOVE'
      : confirmed
        ? `REMOVED ${runs}`
        : `WOULD REMOVE ${runs}`
  const summary: Line[] = []
  if (!confirmed && items.length + leftovers.length > 0) {
    summary.push({ text: 'Nothing was removed; say --yes to remove what is listed' })
  }
  const named = (id: string, reason: string): Line => ({ text: `${id}: ${reason}` })
  const sections: Section[] = [
    {
      title: confirmed ? 'Removed' : 'Would be removed',
      lines: items.map(({ id, suite, sizeBytes, certificates }) =>
        named(
          id,
          `${suite ?? ''}, ${bytes(sizeBytes)}${certificates.length === 0 ? '' : `, with ${certificates.join(', ')}`}`,
        ),
      ),
    },
    { title: 'Remains of an interrupted prune', lines: leftovers.map((text) => ({ text })) },
    { title: 'Kept', lines: kept.map(({ id, reason }) => named(id, reason)) },
    { title: 'Not removed', lines: failed.map(({ id, reason }) => ({ ...named(id, reason), tone: 'bad' })) },
  ]
  const shown = sections.filter(({ lines }) => lines.length > 0)
  return renderPage(
    { headline, tone: failed.length > 0 ? 'bad' : 'plain', scope: `In ${outputFolder}`, summary, sections: shown },
    style,
  )
}
