/**
 * The FINDINGS of a migration's certificate: numbered assessments with their rating, and what was done each time that agents went back. Ratings
 * follow published rules from the facts.
 */
import type { Incident } from '../measurement/migration-document.ts'
import { stopClasses } from '../statistics/decision.ts'
import { cell, code, codeTable, prose } from './escape.ts'
import { cross, duration, figure, plural, share, tick, warning, type Mark } from './figures.ts'
import type { MigrationFacts } from './migration-facts.ts'
import { judgedGates, stopsOf } from './migration-rules.ts'
import { isLossMeasured } from './migration-scope.ts'

interface Finding {
  readonly title: string
  readonly rating: string
  readonly mark: Mark
  readonly lines: readonly string[]
}

type Limit = (lines: readonly string[]) => readonly string[]

export function renderMigrationFindings(facts: MigrationFacts, limited: Limit): string[] {
  const findings = [
    deliveryFinding(facts),
    gatesFinding(facts),
    backFinding(facts),
    watchFinding(facts),
    peopleFinding(facts),
    codeFinding(facts),
  ]
  return [
    '### IMPLEMENTATION ASSESSMENT SUMMARY',
    '',
    ...findings.flatMap(({ title, rating, mark, lines }, index) => [
      `#### ${index + 1}. ${title}: ${rating} ${mark}`,
      ...limited(lines).map((line) => `- ${line}`),
      '',
    ]),
    ...facts.incidents.flatMap((incident) => incidentSection(incident, limited)),
  ]
}

function deliveryFinding(facts: MigrationFacts): Finding {
  const { account, lost, securityViolations } = facts
  const title = 'Message Delivery'
  const counted = [
    `**Counted by the System**: ${lost === null ? 'what was lost is not' : `${lost} lost`}; ${plural(securityViolations, 'security violation')}`,
  ]
  const stops = stopsOf(facts).map(
    ({ name, count, source }) => `**Violation**: ${count} ${name}, as the ${source} counts them`,
  )
  const lines = [...(account === null ? [] : accountLines(account)), ...counted, ...stops]
  if (stops.length > 0) return { title, rating: 'VIOLATED', mark: cross, lines }
  if (!isLossMeasured(facts)) return { title, rating: 'LOSS NOT MEASURED', mark: warning, lines }
  if (account !== null && (account.unknown.length > 0 || account.rounds === 0))
    return { title, rating: 'NOT DEMONSTRATED', mark: warning, lines }
  return { title, rating: 'FULLY COMPLIANT', mark: tick, lines }
}

function accountLines({ total, rounds, unknown }: NonNullable<MigrationFacts['account']>): string[] {
  const { scheduled, completed, refused, timedOut, lost, wireDuplicates, late, reordered } = total
  const classes = [...stopClasses.map((name) => `${name} ${total[name]}`), `reordered ${reordered}`].join(', ')
  return [
    `**Account** of ${plural(rounds, 'round')}, ${rounds - unknown.length} COMPLETE: ${scheduled} scheduled = ${completed} completed + ${refused} refused + ${timedOut} timed out + ${lost} lost; ` +
      `${classes}; late ${late}, duplicates on the wire ${wireDuplicates}`,
    ...unknown.map(({ round, reasons }) => `**Ledger of Round ${round}** UNKNOWN: ${prose(reasons.join('; '))}`),
  ]
}

function gatesFinding(facts: MigrationFacts): Finding {
  const title = 'Gates'
  if (facts.kind === 'rollback') {
    const lines = ['Gates are not what a certificate of going back rests on']
    return { title, rating: 'NOT JUDGED', mark: warning, lines }
  }
  const gates = judgedGates(facts)
  const met = gates.filter(({ verdict }) => verdict === 'MET').length
  const open = gates
    .filter(({ verdict }) => verdict !== 'MET')
    .map(
      ({ visit, title: name, verdict, reason }) => `**${visit.phase}, ${prose(name)}**: ${verdict}; ${prose(reason)}`,
    )
  const lines = [`**Met**: ${share(met, gates.length)} that the decision rests on`, ...open]
  if (gates.some(({ verdict }) => verdict === 'NOT_MET')) return { title, rating: 'NOT MET', mark: cross, lines }
  if (gates.length === 0) return { title, rating: 'NOT DEMONSTRATED', mark: warning, lines }
  if (open.length > 0) return { title, rating: 'PARTIALLY MET', mark: warning, lines }
  return { title, rating: 'MET', mark: tick, lines }
}

function backFinding({ incidents, sentBack, investigated, failedSteps, holds }: MigrationFacts): Finding {
  const title = 'Going Back'
  const lines = [
    ...incidents.map(
      ({ line, phase, percentage, through, askedBy }) =>
        `**Line ${line}**: from ${code(phase)} (${figure(percentage)} %) to ${figure(through.at(-1) ?? 0)} %, ${askedBy === null ? 'by a trip' : `asked for by ${code(askedBy.actor)}`}`,
    ),
    `**Trips**: ${incidents.length === 0 ? 'armed in every interval, and none was shown not to hold' : 'see the table of bars'}`,
    ...investigated.map((reason) => `**To Be Looked Into**: ${prose(reason)}`),
    ...(holds > 0 ? [`**Held**: ${plural(holds, 'time')}`] : []),
    ...failedSteps.map(({ line, step, detail }) => `**Step on Line ${line}**, ${prose(step)}: ${prose(detail)}`),
  ]
  if (sentBack) return { title, rating: 'AGENTS WENT BACK', mark: cross, lines }
  if (incidents.length > 0) return { title, rating: 'AGENTS WENT BACK AND MOVED AGAIN', mark: warning, lines }
  return { title, rating: 'NOT NEEDED', mark: tick, lines }
}

function watchFinding({ journal, unwatchedMs, taken, failedChecks }: MigrationFacts): Finding {
  const title = 'Observation'
  const lines = [
    `**Journal**: ${plural(journal.decisions, 'decision')} come to again from ${plural(journal.intervals, 'interval')}, ${plural(journal.histograms, 'histogram')} counted again`,
    `**Watched**: by ${taken === 1 ? 'one process' : `${taken} processes one after the other`}, ${unwatchedMs > 0 ? `${duration(unwatchedMs)} by none` : 'without a gap'}`,
    `**Health Checks**: ${failedChecks} failed`,
    ...(journal.withoutHistogram > 0
      ? [
          `**Without Histograms**: ${plural(journal.withoutHistogram, 'group')} of agents in intervals, by the system's own counts`,
        ]
      : []),
  ]
  if (unwatchedMs > 0) return { title, rating: 'WITH GAPS', mark: warning, lines }
  return { title, rating: 'WITHOUT A GAP', mark: tick, lines }
}

function peopleFinding({ people }: MigrationFacts): Finding {
  const said = {
    started: 'began it',
    approved: 'approved',
    paused: 'paused it',
    resumed: 'went on',
    rollbackAsked: 'asked to go back',
  }
  const words: Readonly<Record<string, string>> = said
  const lines = people.map(({ what, actor, reason }) => `${code(actor)} ${words[what] ?? code(what)}: ${prose(reason)}`)
  return { title: 'People', rating: 'NAMED', mark: tick, lines }
}

function codeFinding({ commit, lighthouse }: MigrationFacts): Finding {
  const lines = [
    `**Commit**: ${commit === null ? 'not known' : `${code(commit)}, declared when the migration began`}`,
    `**Lighthouse**: ${prose(lighthouse)}`,
  ]
  return { title: 'Code under Test', rating: commit === null ? 'NOT PINNED' : 'DECLARED', mark: warning, lines }
}

const modes = { full: 'everybody at once', stepped: 'by the shares of the phases before', canary: 'all but the canary' }

function incidentSection(incident: Incident, limited: Limit): string[] {
  const { line, mode, reasons, askedBy, movedMs, verifiedMs, verified, steps, decidedAtWallMs } = incident
  const after = (wallMs: number): string => duration(Math.max(0, wallMs - decidedAtWallMs))
  return [
    `### ROLLBACK ON LINE ${line}`,
    '',
    ...limited(reasons.map((reason) => `**Why**: ${prose(reason)}`)).map((reason) => `- ${reason}`),
    askedBy === null
      ? '- **Who**: a trip; nobody was asked'
      : `- **Who**: ${code(askedBy.actor)}: ${prose(askedBy.reason)}`,
    `- **How**: ${modes[mode]}`,
    movedMs === null
      ? `- **Moved**: not all agents were seen to leave the new path ${cross}`
      : `- **Moved**: all agents that were to leave had left ${duration(movedMs)} after the decision ${tick}`,
    verified && verifiedMs !== null
      ? `- **Verified**: the old path was seen to carry them ${duration(verifiedMs)} after the decision ${tick}`
      : `- **Verified**: the old path was not seen to carry them ${cross}`,
    ...limited(
      steps.map(
        ({ step, ok, percentage, detail, atWallMs }) =>
          `**+${after(atWallMs)}** ${prose(step)} at ${figure(percentage)} % ${ok ? tick : cross}: ${prose(detail)}`,
      ),
    ).map((step) => `- ${step}`),
    '',
    ...beforeTable(incident),
  ]
}

function beforeTable({ before }: Incident): string[] {
  if (before.length === 0) return []
  const bounds = Array.from(new Set(before.flatMap(({ above }) => Object.keys(above))))
    .toSorted((a, b) => Number(a) - Number(b))
    .slice(0, 20)
  return [
    'The new path before it:',
    '',
    ...codeTable([
      ['From', 'To', 'Deliveries', 'Failed', ...bounds.map((bound) => `Above ${cell(bound)} ms`)],
      ...before.map(({ fromMs, toMs, due, failed, above }) => [
        duration(fromMs),
        duration(toMs),
        figure(due),
        figure(failed),
        ...bounds.map((bound) => figure(above[bound] ?? 0)),
      ]),
    ]),
    '',
  ]
}
