/** What a bench of moves found, for the terminal. */
import type { GroupFigures, MoveFigures, MovesDocument, ShareFigures } from '../measurement/moves-document.ts'
import { lasting } from './migration-text.ts'
import { count, duration } from './numbers.ts'
import type { Cell, Line, Section, Tone } from './report-model.ts'
import { renderPage, type TerminalStyle } from './terminal.ts'

const unknown = '–'

/** Ends in a line feed. */
export function renderMoves(document: MovesDocument, style: TerminalStyle): string {
  const { broken, exitCode, load, total, account, kill, shares, moves, migration } = document
  const open = account.rounds.filter(({ ledger }) => ledger.state === 'UNKNOWN')
  const tone: Tone = broken.length > 0 ? 'bad' : exitCode === 0 ? 'good' : 'doubt'
  const headline =
    broken.length > 0
      ? `AGENTS WERE MOVED WITH ${broken.join(', ')} (exit ${exitCode})`
      : exitCode === 0
        ? 'AGENTS WERE MOVED AND NOTHING WAS LOST, DUPLICATED OR REORDERED (exit 0)'
        : `NOT ALL OF IT WAS SEEN (exit ${exitCode})`
  const sections: Section[] = [
    {
      title: 'Shares',
      table: {
        head: ['on push', 'path', 'agents', 'deliveries', 'failed', 'P50', 'P95', 'P99'],
        rows: shares.flatMap(shareRows),
      },
      lines: costLines(document),
    },
    { title: 'Moves', table: { head: ['move', 'agents', 'all had moved after'], rows: moves.map(moveRow) }, lines: [] },
    {
      title: 'Account',
      lines: [
        {
          text: `${count(total.scheduled)} exchanges: ${count(total.completed)} completed, ${count(total.refused)} refused, ${count(total.timedOut)} timed out, ${count(total.lost)} lost; ${count(total.duplicated)} duplicated, ${count(total.reordered)} reordered`,
          tone: broken.length > 0 ? 'bad' : 'good',
        },
        {
          text:
            kill === null
              ? 'no node was killed'
              : `the node was killed at ${kill.percentage} % and answered again after ${lasting(kill.downMs)}`,
          tone: kill === null ? 'doubt' : 'plain',
        },
        ...open.map(({ round, ledger }): Line => ({
          text: `round ${round + 1}: ${ledger.reasons.join(' ')}`,
          tone: 'doubt',
        })),
        { text: `journal and account: ${migration.folder}` },
      ],
    },
  ]
  const scope = `${count(load.agents)} agents, ${load.ratePerSecond} exchanges/s, ${account.rounds.length} rounds, seed ${load.seed}`
  return renderPage({ headline, tone, scope, summary: [], sections }, style)
}

function shareRows({ percentage, push, poll }: ShareFigures): Cell[][] {
  const row = (path: string, figures: GroupFigures): Cell[] => [
    { text: `${percentage} %` },
    { text: path },
    { text: count(figures.agents) },
    { text: count(figures.deliveries) },
    { text: count(figures.failed), ...(figures.failed > 0 ? { tone: 'bad' as const } : {}) },
    ...[figures.p50Ms, figures.p95Ms, figures.p99Ms].map((ms): Cell => ({
      text: ms === null ? unknown : duration(ms),
    })),
  ]
  return [...(push.deliveries > 0 ? [row('push', push)] : []), ...(poll.deliveries > 0 ? [row('polling', poll)] : [])]
}

function moveRow({ fromPercentage, toPercentage, agents, switchedMs }: MoveFigures): Cell[] {
  return [
    { text: `${fromPercentage} % to ${toPercentage} %` },
    { text: agents === null ? unknown : count(agents) },
    switchedMs === null ? { text: 'not seen', tone: 'doubt' } : { text: lasting(switchedMs) },
  ]
}

function costLines({ dualCost: { p50, p99 } }: MovesDocument): Line[] {
  const times = (value: number | null): string => (value === null ? unknown : `${value.toFixed(2)} times`)
  return [
    {
      text: `Push beside polling (50 %) over push alone (100 %): P50 ${times(p50)}, P99 ${times(p99)}; one stretch of each, so no interval is known.`,
    },
    {
      text: 'From a message being taken, or from when reading stopped, to its being handed over; the first 5 s of a share are left out, and what came after the node was killed.',
    },
  ]
}
