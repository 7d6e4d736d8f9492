/** Whether anything grew or drifted in an endurance run: verdict first, then the slope with its interval and what could have been seen. */
import type {
  DriftTrend,
  EnduranceResult,
  EngineEndurance,
  GrowthTrend,
  TrendWord,
} from '../measurement/endurance-result.ts'
import type { ResultsDocument } from '../measurement/results-document.ts'
import { amount, bytes, count, duration, factor, factorInterval, share, unknown } from './numbers.ts'
import type { Cell, Line, Section, Tone } from './report-model.ts'

const tones: Readonly<Record<TrendWord, Tone>> = {
  leak: 'bad',
  suspect: 'doubt',
  'not excluded': 'doubt',
  'none shown': 'good',
  inconclusive: 'doubt',
}

const seriesWords: Readonly<Record<GrowthTrend['series'] | DriftTrend['series'], string>> = {
  heap: 'heap',
  external: 'external memory',
  native: 'native memory',
  wal: 'write-ahead log',
  descriptors: 'descriptors',
  connections: 'connections',
  store: 'store on disk',
  loadHeap: 'load, heap',
  loadExternal: 'load, external',
  loadNative: 'load, native',
  mainHeap: 'command, heap',
  mainExternal: 'command, external',
  mainNative: 'command, native',
  p50: 'round trip p50',
  p99: 'round trip p99',
  timePerExchange: 'time per exchange',
}

export function enduranceSections({ endurance }: ResultsDocument): Section[] {
  if (endurance === undefined || endurance.engines.length === 0) return []
  return [heldSection(endurance), serviceSection(endurance), screenSection(endurance)]
}

function heldSection({ engines }: EnduranceResult): Section {
  const rows = engines.flatMap(({ engine, held, store, harness }) => [
    ...held.map((each) => growthRow(engine, each, each.verdict)),
    ...store.map((each) => growthRow(engine, each, each.verdict === 'leak' ? 'grows' : each.verdict)),
    ...harness.map((each) => growthRow(`harness of ${engine}`, each, each.verdict)),
  ])
  return {
    title: 'Growth at rest',
    table: { head: ['engine', 'series', 'verdict', 'per hour', 'detectable per hour', 'at the begin', 'over'], rows },
    lines: [
      ...engines.map(coverageLine),
      ...inconclusiveLines(engines, ({ held, store, harness }) => [...held, ...store, ...harness]),
      ...engines.flatMap(({ engine, store, held }) =>
        [...held, ...store].flatMap(({ series, hoursToLimit }): Line[] =>
          hoursToLimit === null
            ? []
            : [
                {
                  text: `${engine}: ${seriesWords[series]} reaches its limit in ${amount(hoursToLimit)} h at this rate.`,
                },
              ],
        ),
      ),
      {
        text: 'Read after each interval, when its load has drained and garbage is collected. A leak grows significantly, beyond the allowance and to the end; smaller ones than the detectable size may be there unseen.',
      },
    ],
  }
}

function inconclusiveLines(
  engines: readonly EngineEndurance[],
  trendsOf: (engine: EngineEndurance) => readonly (GrowthTrend | DriftTrend)[],
): Line[] {
  return engines.flatMap((each) => {
    const open = trendsOf(each).filter(({ verdict }) => verdict === 'inconclusive')
    return [...new Set(open.map(({ reason }) => reason))].map((reason): Line => {
      const names = open.flatMap((trend) => (trend.reason === reason ? [seriesWords[trend.series]] : []))
      return { text: `${each.engine}, inconclusive: ${names.join('; ')}: ${reason}.`, tone: 'doubt' }
    })
  })
}

function coverageLine({ engine, coverage, lives, warmUpMs }: EngineEndurance): Line {
  const { measuredIntervals, dueIntervals, missedIntervals } = coverage
  const missed = missedIntervals === 0 ? '' : `, ${count(missedIntervals)} passed while the run was down`
  const restarts = lives > 1 ? `; started ${count(lives)} times, each start judged by itself` : ''
  return {
    text:
      `${engine}: ${count(measuredIntervals)} of ${count(dueIntervals)} intervals due were measured (${share(coverage.share)})${missed}` +
      `; the first ${duration(warmUpMs)} are warm-up${restarts}.`,
    tone: missedIntervals === 0 && measuredIntervals === dueIntervals ? 'good' : 'doubt',
  }
}

function growthRow(engine: string, each: GrowthTrend, verdict: TrendWord | 'grows'): Cell[] {
  const size = (value: number | null): string => sizeText(value, each.unit)
  const { lowPerHour: low, highPerHour: high } = each
  return [
    { text: engine },
    { text: seriesWords[each.series] },
    verdictCell(verdict, each),
    { text: size(each.perHour), ...(low === null || high === null ? {} : { detail: `[${size(low)}, ${size(high)}]` }) },
    { text: size(each.detectablePerHour) },
    { text: size(each.baseline) },
    horizonCell(each),
  ]
}

/** Why a series is inconclusive stands below the table, once for all that share it. */
function verdictCell(verdict: TrendWord | 'grows', { warnings }: GrowthTrend | DriftTrend): Cell {
  const tone = verdict === 'grows' ? 'plain' : tones[verdict]
  return { text: verdict, tone, ...(warnings.length === 0 ? {} : { detail: warnings.join('; ') }) }
}

function horizonCell({ horizonHours, n }: GrowthTrend | DriftTrend): Cell {
  return { text: duration(horizonHours * 3_600_000), detail: `${count(n)} points` }
}

function sizeText(value: number | null, unit: GrowthTrend['unit']): string {
  if (value === null) return unknown
  if (unit === 'count') return amount(value)
  return value < 0 ? `−${bytes(-value)}` : bytes(value)
}

function serviceSection({ engines }: EnduranceResult): Section {
  return {
    title: 'Drift of service',
    table: {
      head: ['engine', 'series', 'verdict', 'at the begin', 'end over begin', 'step', 'over'],
      rows: engines.flatMap(({ engine, service }) => service.map((each) => driftRow(engine, each))),
    },
    lines: [
      ...inconclusiveLines(engines, ({ service }) => service),
      {
        text: 'Above 1× service got worse; a tenth counts as none. A step is a jump that stayed to the end.',
      },
    ],
  }
}

function driftRow(engine: string, each: DriftTrend): Cell[] {
  const { step } = each
  const verdict: TrendWord | 'drift' = each.verdict === 'leak' ? 'drift' : each.verdict
  const interval = factorInterval(each.ratio, [each.low, each.high])
  return [
    { text: engine },
    { text: seriesWords[each.series] },
    { ...verdictCell(each.verdict, each), text: verdict },
    { text: duration(each.baselineMs) },
    { text: factor(each.ratio, [each.low, each.high]), ...(interval === '' ? {} : { detail: interval }) },
    step === null
      ? { text: 'none' }
      : {
          text: `${duration(step.beforeMs)} to ${duration(step.afterMs)}`,
          detail: `${amount(step.atHours)} h in`,
          tone: 'bad',
        },
    horizonCell(each),
  ]
}

function screenSection({ engines }: EnduranceResult): Section {
  const screenTones = { retains: 'bad', 'none shown': 'good', inconclusive: 'doubt' } as const
  return {
    title: 'Kept per exchange',
    table: {
      head: ['engine', 'series', 'verdict', 'bytes per exchange'],
      rows: engines.flatMap(({ engine, screen }) =>
        screen.series.map((each): Cell[] => {
          const { lowBytesPerExchange: low, highBytesPerExchange: high } = each
          const interval = low === null || high === null ? {} : { detail: `[${amount(low)}, ${amount(high)}]` }
          return [
            { text: engine },
            { text: seriesWords[each.series] },
            { text: each.verdict, tone: screenTones[each.verdict] },
            { text: amount(each.bytesPerExchange), ...interval },
          ]
        }),
      ),
    },
    lines: engines.map(({ engine, screen }) => ({
      text:
        `${engine}: ${screen.label}; what grows with time, or begins late, it does not see.` +
        (screen.allocatedBytesPerExchange === null
          ? ''
          : ` ${bytes(screen.allocatedBytesPerExchange)} are allocated per exchange, kept or not.`),
    })),
  }
}
