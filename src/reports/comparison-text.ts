/** The groups of a migration, compared, for the terminal. */
import type {
  ComparisonDocument,
  ComparedBound,
  ComparedQuantile,
  PhaseComparison,
} from '../measurement/comparison-document.ts'
import { quantileTitle } from '../statistics/target-expression.ts'
import { lasting } from './migration-text.ts'
import { amount, count, duration, unknown } from './numbers.ts'
import type { Cell, Line, Section, Tone } from './report-model.ts'
import { renderPage, type TerminalStyle } from './terminal.ts'

const words = {
  NON_INFERIOR: 'SHOWN NOT TO BE WORSE (exit 0)',
  INFERIOR: 'SHOWN TO BE WORSE (exit 21)',
  NOT_DEMONSTRATED: 'NOT DEMONSTRATED (exit 23)',
} as const
const tones: Readonly<Record<PhaseComparison['verdict'], Tone>> = {
  NON_INFERIOR: 'good',
  INFERIOR: 'bad',
  NOT_DEMONSTRATED: 'doubt',
}

/** Ends in a line feed. */
export function renderComparison(document: ComparisonDocument, style: TerminalStyle): string {
  const { verdict, phase, reason, phases, id, plan, journal } = document
  const headline = `THE NEW PATH${phase === null ? '' : ` IN ${phase}`}: ${words[verdict]}`
  const scope = `${id}, plan ${plan}: agents on the new path against those on the old one, in the same intervals`
  const sections: Section[] = [
    ...phases.flatMap(phaseSections),
    {
      title: 'Journal',
      lines: [{ text: `${count(journal.lines)} lines, the last one ${journal.sha256}` }],
    },
  ]
  const summary: Line[] = [{ text: reason, tone: tones[verdict] }]
  return renderPage({ headline, tone: tones[verdict], scope, summary, sections }, style)
}

function phaseSections(compared: PhaseComparison): Section[] {
  const { phase, attempt, percentage, quantiles, failures, candidate, baseline, bounds } = compared
  const title = `${phase}, ${percentage} %${attempt > 1 ? `, attempt ${attempt}` : ''}`
  const failed: Cell[] = [
    { text: 'failed' },
    { text: percent(failures.candidate), detail: `${count(candidate.failed)} of ${count(candidate.due)}` },
    { text: percent(failures.baseline), detail: `${count(baseline.failed)} of ${count(baseline.due)}` },
    failureRatio(failures.ratio),
  ]
  const rows = [...quantiles.map((each) => quantileRow(each, compared)), failed]
  const section: Section = {
    title,
    table: { head: ['deliveries', 'new path', 'old path', 'times'], rows },
    lines: phaseLines(compared),
  }
  if (bounds.length === 0) return [section]
  const blocks: Section = {
    title: `${title}: blocks of intervals that miss a bar`,
    table: {
      head: ['bar', 'both', 'new path only', 'old path only', 'neither', 'McNemar'],
      rows: bounds.map(boundRow),
    },
    lines: [],
  }
  return [section, blocks]
}

function quantileRow(
  { quantile, candidateMs, baselineMs, ratio, low, high }: ComparedQuantile,
  compared: PhaseComparison,
): Cell[] {
  const decides = quantile === compared.quantile
  return [
    { text: quantileTitle(quantile) },
    { text: duration(candidateMs) },
    { text: duration(baselineMs) },
    { ...interval(ratio, low, high), ...(decides ? { tone: tones[compared.verdict] } : {}) },
  ]
}

function interval(value: number | null, low: number | null, high: number | null): Cell {
  const digits = (each: number | null): string => each?.toPrecision(3) ?? unknown
  return {
    text: digits(value),
    ...(low === null && high === null ? {} : { detail: `[${digits(low)}, ${digits(high)}]` }),
  }
}

function failureRatio(ratio: PhaseComparison['failures']['ratio']): Cell {
  return ratio === null ? { text: unknown } : interval(ratio.value, ratio.low, ratio.high)
}

function percent(share: number | null): string {
  return share === null ? unknown : `${share === 0 ? 0 : Number((share * 100).toPrecision(2))} %`
}

function boundRow({ title, expression, both, onlyCandidate, onlyBaseline, neither, p }: ComparedBound): Cell[] {
  return [
    { text: title, ...(title === expression ? {} : { detail: expression }) },
    { text: count(both) },
    { text: count(onlyCandidate) },
    { text: count(onlyBaseline) },
    { text: count(neither) },
    { text: `p = ${p.toPrecision(2)}` },
  ]
}

function phaseLines(compared: PhaseComparison): Line[] {
  const { verdict, reason, margin, quantile, alpha, intervals, cells, block, resamples, control, notes } = compared
  const { moreIntervals, moreMs, failures } = compared
  const more =
    moreIntervals === null || moreIntervals === 0
      ? ''
      : `; about ${count(moreIntervals)} more intervals like these are needed, ${lasting(moreMs ?? 0)}`
  const { difference } = failures
  return [
    {
      text: `${quantileTitle(quantile)}, less than ${margin} times: ${verdict}, ${reason}${more}`,
      tone: tones[verdict],
    },
    {
      text: `${count(intervals)} intervals; each bound of a quantile's ratio errs with ${Number((alpha * 100).toPrecision(2))} %, from ${count(resamples)} resamples in blocks of ${count(block)} of ${count(cells)}`,
    },
    ...(difference === null
      ? []
      : [
          {
            text: `failed, new path less old path: ${points(difference.value)} [${points(difference.low)}, ${points(difference.high)}] percentage points`,
          },
        ]),
    controlLine(control, margin),
    ...notes.map((text): Line => ({ text, tone: 'doubt' })),
  ]
}

function points(share: number): string {
  return amount(Number((share * 100).toPrecision(2)))
}

function controlLine({ pairs, ratio, noise, verdict }: PhaseComparison['control'], margin: number): Line {
  if (ratio === null || noise === null) return { text: 'the old path against itself: too few intervals', tone: 'doubt' }
  return {
    text: `the old path against itself, every second interval against those between (${count(pairs)} pairs): ${ratio.toPrecision(3)} times, in 95 of 100 resamples at most ${noise.toPrecision(3)}; judged by the same margin of ${margin} it is ${verdict}`,
    tone: verdict === 'INFERIOR' || noise >= margin ? 'doubt' : 'plain',
  }
}
