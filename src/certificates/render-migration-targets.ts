/**
 * The bars of a migration as the targets table of the seeds: gates of the phases that the certificate covers, the 48 h of its canary, and
 * trips, each with its counts, its evidence and its verdict.
 */
import { cell, codeTable } from './escape.ts'
import { cross, duration, figure, share, tick, warning } from './figures.ts'
import {
  canaryMs,
  canaryVisit,
  coveredVisits,
  type GateFact,
  type MigrationFacts,
  type TripFact,
} from './migration-facts.ts'
import { judgedGates } from './migration-rules.ts'

/** One row per gate that the decision rests on, per trip of the phases it covers, and the 48 h of the seeds. */
export function renderMigrationTargets(facts: MigrationFacts): string[] {
  const rows = [...gateRows(facts), ...canaryRows(facts), ...tripRows(facts)]
  return [
    '### PERFORMANCE TARGETS VALIDATION',
    '',
    ...codeTable([['Metric', 'Requirement', 'Measured', 'Evidence', 'Assessment'], ...rows.slice(0, mostRows)]),
    ...(rows.length > mostRows ? ['', `${rows.length - mostRows} more are in the journal.`] : []),
    '',
  ]
}

const mostRows = 400
const verdicts = {
  MET: `${tick} MET`,
  NOT_MET: `${cross} NOT MET`,
  NOT_DEMONSTRATED: `${warning}  NOT DEMONSTRATED`,
} as const

function gateRows(facts: MigrationFacts): string[][] {
  const judged = new Set(judgedGates(facts).map(({ visit }) => visit))
  return coveredVisits(facts).flatMap((visit) =>
    visit.gates.map((gate) => [
      cell(`${visit.phase}${visit.attempt === 1 ? '' : ` (attempt ${visit.attempt})`}: ${gate.title}`),
      cell(gate.expression),
      gate.trials === 0 ? cell(gate.reason) : missed(gate),
      evidence(gate),
      `${verdicts[gate.verdict]}${judged.has(visit) ? '' : ' (not judged)'}`,
    ]),
  )
}

function missed({ hits, trials }: GateFact | TripFact): string {
  return `${share(hits, trials)} missed`
}

function evidence({ phi, logFor }: GateFact): string {
  if (logFor === null || phi === null) return '-'
  const power = logFor / Math.LN10
  const odds =
    power >= 6 ? `10^${Math.floor(power)}` : power < -2 ? 'none' : figure(Number(Math.exp(logFor).toPrecision(2)))
  return `${odds === 'none' ? odds : `${odds} : 1`}, dispersion ${figure(phi)}`
}

function canaryRows(facts: MigrationFacts): string[][] {
  const canary = canaryVisit(facts)
  if (canary === undefined) return []
  const held = canary.observedMs >= canaryMs
  return [
    [
      cell(`${canary.phase}: held for 48 h`),
      'observed >= 48 h',
      `${duration(canary.observedMs)} observed`,
      '-',
      `${held ? verdicts.MET : verdicts.NOT_DEMONSTRATED} (optional)`,
    ],
  ]
}

function tripRows(facts: MigrationFacts): string[][] {
  return coveredVisits(facts).flatMap((visit) =>
    visit.trips.map((trip) => [
      cell(`Trip in ${visit.phase}${visit.attempt === 1 ? '' : ` (attempt ${visit.attempt})`}: ${trip.title}`),
      cell(trip.expression),
      missed(trip),
      '-',
      trip.fired ? `${cross} SHOWN NOT TO HOLD` : `${tick} NOT FIRED`,
    ]),
  )
}
