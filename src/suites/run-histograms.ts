/** The `.hgrm` plots of a run: per engine and series, all valid rounds of one load merged; with several loads, of the last that was played. */
import { hgrmText } from '../measurement/hgrm.ts'
import type { CasePlan, RoundEvidence } from '../measurement/round-evidence.ts'
import type { RunRecord } from '../measurement/run-reader.ts'
import { mergeDistributions } from '../statistics/distribution.ts'

const series = ['delivery', 'roundTrip', 'serviceTime'] as const
const microsecondsPerMs = 1000

export interface EngineFigure {
  readonly engine: string
  readonly series: string
  readonly text: string
}

export function engineFigures(record: RunRecord): EngineFigure[] {
  const loads = (record.manifest.plan.cases ?? []).filter(({ searchBoundsMs }) => searchBoundsMs === undefined)
  const isPlayed = ({ firstRound, rounds }: CasePlan): boolean =>
    record.rounds.some(({ evidence: { round } }) => round >= firstRound && round < firstRound + rounds)
  const last = loads.findLast(isPlayed) ?? { firstRound: 0, rounds: Infinity }
  const counts = ({ round, audit }: RoundEvidence): boolean =>
    audit.valid && round >= last.firstRound && round < last.firstRound + last.rounds
  return record.manifest.engines.flatMap(({ label }) =>
    series.map((name) => {
      const valid = record.rounds.filter(({ evidence }) => evidence.engine === label && counts(evidence))
      const merged = mergeDistributions(valid.flatMap(({ histograms }) => histograms.get(name) ?? []))
      return { engine: label, series: name, text: hgrmText(merged, microsecondsPerMs) }
    }),
  )
}
