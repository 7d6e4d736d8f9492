/** What a shadow compared, for the terminal. Ids are anybody's text; the page escapes them. */
import type { ShadowDifference, ShadowLatency, ShadowReport } from '../measurement/shadow-document.ts'
import { count, duration, unknown } from './numbers.ts'
import type { Cell, Line, Section, Tone } from './report-model.ts'
import { renderPage, type TerminalStyle } from './terminal.ts'

const words: Readonly<Record<ShadowDifference, string>> = {
  questionLost: 'the question arrived on the old path alone',
  resultLost: 'the result arrived on the old path alone',
  questionBody: 'the question said something else',
  resultBody: 'the result said something else',
  outcome: 'it ended otherwise',
  refused: 'the new path did not take it',
  onlyNew: 'the question arrived on the new path alone',
}

/** Copies that came to something else than their exchange, for a reason that lies with the new path. */
export function shadowFaults({ differences }: ShadowReport): number {
  const { onlyNew: _absent, ...faults } = differences
  return Object.values(faults).reduce((sum, each) => sum + each, 0)
}

/** Ends in a line feed. */
export function renderShadow(report: ShadowReport, style: TerminalStyle): string {
  const { state, copies, compared, open, share } = report
  const faults = shadowFaults(report)
  const [headline, tone]: [string, Tone] =
    compared === 0
      ? ['NOTHING WAS COMPARED (exit 23)', 'doubt']
      : faults > 0
        ? ['THE NEW PATH CAME TO SOMETHING ELSE (exit 21)', 'bad']
        : ['THE NEW PATH CAME TO THE SAME (exit 0)', 'good']
  const scope =
    state === 'off'
      ? 'The bridge has no shadow; start it with --options shadow=on'
      : `Shadow is ${state}: ${count(copies)} copies of ${share === 1 ? 'all' : `${Number((share * 100).toPrecision(3))} % of`} exchanges on the old path, ${count(compared)} compared, ${count(open)} under way`
  const sections: Section[] =
    state === 'off'
      ? []
      : [
          { title: 'Copies that did otherwise than their exchange', lines: differenceLines(report) },
          {
            title: 'From taken to handed over',
            table: { head: ['path', 'messages', 'P50', 'P95', 'P99'], rows: latencyRows(report) },
            lines: [ratioLine(report)],
          },
          { title: `Exchanges that took longer than ${duration(report.slaMs)}`, lines: [slaLine(report)] },
          { title: 'Not compared', lines: droppedLines(report) },
        ]
  return renderPage({ headline, tone, scope, summary: [], sections }, style)
}

function differenceLines({ differences, delivered, examples }: ShadowReport): Line[] {
  const seen = (Object.keys(words) as ShadowDifference[]).filter((name) => differences[name] > 0)
  const { both, onlyOld, onlyNew, neither } = delivered
  return [
    {
      text: `questions arrived on both paths: ${count(both)}; on the old one alone: ${count(onlyOld)}; on the new one alone: ${count(onlyNew)}; on neither: ${count(neither)}`,
    },
    ...seen.map((name): Line => ({
      text: `${words[name]}: ${count(differences[name])}`,
      tone: name === 'onlyNew' ? 'doubt' : 'bad',
    })),
    ...examples.map(({ id, what }): Line => ({ text: `${id}: ${what.map((name) => words[name]).join('; ')}` })),
  ]
}

function latencyRows({ oldPath, newPath }: ShadowReport): Cell[][] {
  const row = (name: string, { n, p50Ms, p95Ms, p99Ms }: ShadowLatency): Cell[] => [
    { text: name },
    { text: count(n) },
    ...[p50Ms, p95Ms, p99Ms].map((each) => ({ text: duration(each) })),
  ]
  return [row('old', oldPath), row('new', newPath)]
}

function ratioLine({ oldPath, newPath }: ShadowReport): Line {
  const times = (name: 'p50Ms' | 'p99Ms'): string => {
    const [old, fresh] = [oldPath[name], newPath[name]]
    return old === null || fresh === null || old === 0 ? unknown : (fresh / old).toPrecision(3)
  }
  return { text: `new over old: P50 ${times('p50Ms')} times, P99 ${times('p99Ms')} times` }
}

function slaLine({ sla }: ShadowReport): Line {
  const { both, onlyCandidate, onlyBaseline, neither, p } = sla
  const worse = onlyCandidate > onlyBaseline && p < 0.05
  return {
    text: `on both paths: ${count(both)}; on the new one alone: ${count(onlyCandidate)}; on the old one alone: ${count(onlyBaseline)}; on neither: ${count(neither)}; exact McNemar test p = ${p.toPrecision(2)}`,
    tone: worse ? 'bad' : 'plain',
  }
}

function droppedLines({ dropped, reason }: ShadowReport): Line[] {
  const { notReady, full, renewed, moved } = dropped
  return [
    ...(reason === '' ? [] : [{ text: `the shadow could not be opened: ${reason}`, tone: 'bad' as const }]),
    {
      text: `the shadow was not ready: ${count(notReady)}; it had no room: ${count(full)}; given up when it was opened anew: ${count(renewed)}; an agent changed its path: ${count(moved)}`,
      tone: notReady + full + renewed > 0 ? 'doubt' : 'plain',
    },
  ]
}
