/** The levels of a scaling run, one row per engine and load, and how the engines grow. */
import type { CaseResult, GrowthResult, ResultsDocument } from '../measurement/results-document.ts'
import { amount, amountInterval, bytes, count, duration, percent, perSecond, share, unknown } from './numbers.ts'
import type { Cell, Section, Tone } from './report-model.ts'

const stateTones: Readonly<Record<string, Tone>> = {
  held: 'good',
  warning: 'doubt',
  stopped: 'bad',
  'not played': 'plain',
}

export function scalingSections({ cases, scaling }: ResultsDocument): Section[] {
  if (cases === undefined || scaling === undefined) return []
  const rows = scaling.levels.map((level): Cell[] => {
    const found = cases.find(({ name }) => name === level.case)
    const engine = found?.engines.find(({ label }) => label === level.engine)
    return [
      { text: level.case, detail: loadText(found) },
      { text: level.engine },
      { text: duration(engine?.roundTrip.p50Ms) },
      { text: duration(engine?.roundTrip.p99Ms) },
      { text: share(level.successShare) },
      { text: engine?.resources.cpuPercent == null ? unknown : percent(engine.resources.cpuPercent) },
      { text: found?.generator.cpuPercent == null ? unknown : percent(found.generator.cpuPercent) },
      { text: bytes(engine?.resources.rssMaxBytes) },
      { text: level.connectsPerSecond === null ? unknown : perSecond(level.connectsPerSecond) },
      { text: amount(level.databaseQueriesPerExchange) },
      { text: level.state, tone: stateTones[level.state] ?? 'plain' },
    ]
  })
  const head = [
    'load',
    'engine',
    'round trip p50',
    'p99',
    'completed',
    'engine CPU',
    'load CPU',
    'RSS',
    'connects',
    'queries per exchange',
    '',
  ]
  const closed = cases.some(({ loadModel }) => loadModel === 'closed')
  return [
    {
      title: 'Levels',
      table: { head, rows },
      lines: closed ? [{ text: 'The sequential pair is a closed loop, not coordinated-omission safe.' }] : [],
    },
    {
      title: 'Growth per agent',
      table: {
        head: ['engine', 'figure', 'per agent', 'rounds', 'shape'],
        rows: scaling.growth.map((each): Cell[] => [
          { text: each.engine },
          { text: metricNames[each.metric] },
          perAgent(each),
          { text: count(each.n) },
          shapeCell(each),
        ]),
      },
      lines: [
        {
          text: 'A slope over the valid rounds of all levels with its 95 % interval; curved means a departure from the line that is both significant and at least 10 % of the range.',
        },
      ],
    },
  ]
}

const metricNames: Readonly<Record<GrowthResult['metric'], string>> = {
  rssBytes: 'resident memory',
  openConnections: 'open connections',
  databaseQueriesPerSecond: 'database queries per second',
}

function loadText(found: CaseResult | undefined): string {
  return found === undefined ? '' : `${perSecond(found.ratePerSecond)} ${found.loadModel} loop`
}

function perAgent({ perAgent: value, low, high, metric }: GrowthResult): Cell {
  if (value === null) return { text: unknown }
  const detail = amountInterval(value, [low, high])
  return {
    text: `${amount(value, [low, high])}${metric === 'rssBytes' ? ' bytes' : ''}`,
    ...(detail === '' ? {} : { detail }),
  }
}

function shapeCell({ shape, bendPercent, bendLow, bendHigh, departurePercent, reason }: GrowthResult): Cell {
  if (shape === 'NOT_DEMONSTRATED') return { text: 'not demonstrated', tone: 'doubt', detail: reason }
  const interval = [bendLow, bendHigh] as const
  const bend =
    bendPercent === null ? unknown : `${amount(bendPercent, interval)} % ${amountInterval(bendPercent, interval)}`
  return { text: shape, detail: `bend ${bend.trim()}, at most ${percent(departurePercent)} off the line` }
}
