/** The levels of a scaling run, one row per engine and load, and how the engines grow. */
import type {
  CaseResult,
  GrowthResult,
  KneeResult,
  ResultsDocument,
  ScalabilityResult,
  ScalingResult,
} from '../measurement/results-document.ts'
import { amount, amountInterval, bytes, count, duration, percent, perSecond, share, unknown } from './numbers.ts'
import type { Cell, Line, Section, Tone } from './report-model.ts'

const stateTones: Readonly<Record<ScalingResult['levels'][number]['state'], Tone>> = {
  held: 'good',
  warning: 'doubt',
  stopped: 'bad',
  invalid: 'doubt',
  'not played': 'plain',
}

export function scalingSections({ cases, scaling }: ResultsDocument): Section[] {
  if (cases === undefined || scaling === undefined) return []
  const levels = scaling.levels.map((level) => {
    const load = cases.find(({ name }) => name === level.case)
    return { level, load, engine: load?.engines.find(({ label }) => label === level.engine) }
  })
  const latencies = levels.map(({ level, load, engine }): Cell[] => [
    { text: level.case, detail: loadText(load) },
    { text: level.engine },
    { text: duration(engine?.roundTrip.p50Ms) },
    { text: duration(engine?.roundTrip.p99Ms) },
    { text: share(level.successShare) },
    { text: level.state, tone: stateTones[level.state] },
  ])
  const costs = levels.map(({ level, load, engine }): Cell[] => [
    { text: level.case },
    { text: level.engine },
    { text: percent(engine?.resources.cpuPercent) },
    { text: percent(load?.generator.cpuPercent) },
    { text: bytes(engine?.resources.rssMaxBytes) },
    { text: perSecond(level.connectsPerSecond) },
    { text: amount(level.databaseQueriesPerExchange) },
  ])
  const knees = kneeSections(scaling)
  const closed = cases.some(({ loadModel }) => loadModel === 'closed')
  return [
    {
      title: 'Levels',
      table: { head: ['load', 'engine', 'round trip p50', 'p99', 'completed', ''], rows: latencies },
      lines: closed ? [{ text: 'The sequential pair is a closed loop, not coordinated-omission safe.' }] : [],
    },
    {
      title: 'Cost by level',
      table: {
        head: ['load', 'engine', 'engine CPU', 'load CPU', 'RSS', 'connects', 'queries per exchange'],
        rows: costs,
      },
      lines: [],
    },
    ...knees,
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

const limitWords: Readonly<Record<KneeResult['limit'], string>> = {
  latency: 'its latency',
  errors: 'its failures',
  generator: 'the generator or the shared machine',
  'not reached': 'nothing: no probe failed',
}

function kneeSections(scaling: ScalingResult): Section[] {
  if (scaling.knees.length === 0) return []
  const rows = scaling.knees.map((knee): Cell[] => [
    { text: knee.engine },
    { text: count(knee.agents) },
    knee.ratePerSecond === null
      ? { text: 'no rate held', tone: 'bad' }
      : { text: perSecond(knee.ratePerSecond), detail: `p99 < ${duration(knee.boundMs)}` },
    { text: limitWords[knee.limit], tone: knee.limit === 'generator' ? 'doubt' : 'plain' },
    { text: knee.engineCpuPercent === null ? unknown : percent(knee.engineCpuPercent) },
    { text: knee.generatorCpuPercent === null ? unknown : percent(knee.generatorCpuPercent) },
    { text: count(knee.probes) },
  ])
  return [
    {
      title: 'Knees',
      table: { head: ['engine', 'agents', 'highest rate held', 'ended by', 'engine CPU', 'load CPU', 'probes'], rows },
      lines: scaling.scalability.map(scalabilityLine),
    },
  ]
}

function scalabilityLine(law: ScalabilityResult): Line {
  const { engine, lambda, sigma, kappa, peakAgents, testedTo } = law
  if (lambda === null || sigma === null || kappa === null) {
    return { text: `Universal Scalability Law of ${engine}: not demonstrated, ${law.reason}.`, tone: 'doubt' }
  }
  const figure = (name: string, [value, low, high]: readonly [number, number | null, number | null]): string =>
    `${name} ${amount(value, [low, high])} ${amountInterval(value, [low, high])}`.trim()
  const peak = peakAgents === null ? 'no peak shown within twice the tested range' : figure('peak at', peakAgents)
  return {
    text:
      `Universal Scalability Law of ${engine} through its knees up to ${count(testedTo)} agents: ` +
      `${figure('lambda', lambda)}, ${figure('sigma', sigma)}, ${figure('kappa', kappa)}; ${peak}. Where the machine ended a search, it is part of the law.`,
  }
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
  // A bend of a millionth of a percent is rounding, and would print as a row of zeros.
  const cut = (value: number | null): number | null => (value === null ? null : Math.round(value * 100) / 100 + 0)
  const interval = [cut(bendLow), cut(bendHigh)] as const
  const bend =
    bendPercent === null
      ? unknown
      : `${amount(cut(bendPercent), interval)} % ${amountInterval(cut(bendPercent), interval)}`
  return { text: shape, detail: `bend ${bend.trim()}, at most ${percent(departurePercent)} off the line` }
}
