/** The `.hgrm` plots of a run: per engine and series, all valid rounds of one load merged; with several loads, of the last that was played. */
import { hgrmText } from '../measurement/hgrm.ts'
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
  const cases = record.manifest.plan.cases ?? []
  const last = Math.max(0, ...record.rounds.map(({ evidence }) => evidence.round))
  const from = cases.findLast(({ firstRound }) => firstRound <= last)?.firstRound ?? 0
  return record.manifest.engines.flatMap(({ label }) =>
    series.map((name) => {
      const valid = record.rounds.filter(
        ({ evidence }) => evidence.engine === label && evidence.audit.valid && evidence.round >= from,
      )
      const merged = mergeDistributions(valid.flatMap(({ histograms }) => histograms.get(name) ?? []))
      return { engine: label, series: name, text: hgrmText(merged, microsecondsPerMs) }
    }),
  )
}
