/** What became of a load's exchanges while agents were moved, for the terminal. */
import { brokenPromises, totalOf, type MigrationAccount } from '../measurement/migration-account.ts'
import { count } from './numbers.ts'
import type { Line } from './report-model.ts'
import { renderPage, type TerminalStyle } from './terminal.ts'

/** Ends in a line feed. */
export function renderAccount(account: MigrationAccount, style: TerminalStyle): string {
  const { load, rounds, planted } = account
  const total = totalOf(account)
  const broken = brokenPromises(account)
  const unknown = rounds.filter(({ ledger }) => ledger.state === 'UNKNOWN')
  const tone = broken.length > 0 ? 'bad' : unknown.length > 0 || rounds.length === 0 ? 'doubt' : 'good'
  const headline =
    broken.length > 0
      ? `ACCOUNT OF THE LOAD: ${broken.join(', ')}`
      : rounds.length === 0
        ? 'ACCOUNT OF THE LOAD: NO ROUND HAS ENDED'
        : unknown.length > 0
          ? 'ACCOUNT OF THE LOAD: NOT CLOSED'
          : 'ACCOUNT OF THE LOAD: NOTHING LOST, DUPLICATED OR REORDERED'
  const lines: Line[] = [
    {
      text: `${count(total.scheduled)} exchanges: ${count(total.completed)} completed, ${count(total.refused)} refused, ${count(total.timedOut)} timed out, ${count(total.lost)} lost`,
    },
    ...unknown.map(({ round, ledger }): Line => ({
      text: `round ${round + 1}: ${ledger.reasons.join(' ')}`,
      tone: 'doubt',
    })),
    ...(planted === null
      ? []
      : [{ text: `planted: stalls of ${planted.stallMs} ms, half of the time, from ${planted.fromPercentage} % on` }]),
  ]
  const scope = `${count(load.agents)} agents, ${load.ratePerSecond} exchanges/s, ${rounds.length} rounds, seed ${load.seed}`
  return renderPage({ headline, tone, scope, summary: lines, sections: [] }, style)
}
