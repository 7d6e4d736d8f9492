/**
 * Figures of the contention suite that targets may name:
 *
 *   contention.factor              of the level with the most writers, or of one level: contention.writers-50.factor
 *   contention.heldWritesPerMinute of the case with the seed's 50,000 writes a minute, or of one case
 *   contention.smallestPool        the smallest pool that held its load
 *   contention.saturationPerSecond the highest rate that held, all writers together
 */
import { minimumPairs } from '../statistics/paired-ratio.ts'
import type { FigureReading } from '../statistics/suite-figures.ts'
import type { ContentionFactor, ContentionResult } from './contention-result.ts'
import { significantHigh, significantLow } from './derive-figures.ts'

/** The case whose rate is the seed's. */
export const heldCase = 'held-50000-per-minute'

type Nothing = (reason: string) => FigureReading

function emptyReading(requiredN: number, counted: string): Nothing {
  return (reason) => ({ n: 0, value: null, low: null, high: null, requiredN, counted, reason })
}

export interface FigureSources {
  /** With bounds of 95 % to one side each, of one level or of all. */
  readonly factors: (level: string | null) => readonly ContentionFactor[]
  /** Valid rounds of a case without which it says nothing. */
  readonly roundsNeeded: (load: string) => number
}

/** Undefined for what is no figure. */
export function contentionFigure(
  contention: ContentionResult,
  store: string,
  path: string,
  { factors, roundsNeeded }: FigureSources,
): FigureReading | undefined {
  const [section, second = '', third] = path.split('.')
  if (section !== 'contention') return undefined
  const [level, name] = third === undefined ? [null, second] : [second, third]
  switch (name) {
    case 'factor':
      return factorReading(factors(level).at(-1))
    case 'heldWritesPerMinute':
      return heldReading(contention, store, level ?? heldCase, roundsNeeded(level ?? heldCase))
    case 'smallestPool':
      return poolReading(contention, store, roundsNeeded)
    case 'saturationPerSecond':
      return saturationReading(contention, store)
    default:
      return undefined
  }
}

function factorReading(factor: ContentionFactor | undefined): FigureReading {
  const nothing = emptyReading(minimumPairs, 'pairs of rounds')
  if (factor === undefined) return nothing('no second level of writers was played')
  const { ratio, low, high, rounds } = factor
  if (ratio !== null && low !== null && high !== null)
    return {
      n: rounds,
      value: ratio,
      low: significantLow(low),
      high: significantHigh(high),
      requiredN: minimumPairs,
      counted: 'pairs of rounds',
      reason: '',
    }
  const reason = `${rounds} pairs of rounds with 1,000 writes each gave a ratio, and an interval needs ${minimumPairs}`
  return { ...nothing(reason), n: rounds, value: ratio }
}

function heldReading({ loads }: ContentionResult, store: string, name: string, requiredN: number): FigureReading {
  const nothing = emptyReading(requiredN, 'rounds')
  const load = loads.find((each) => each.store === store && each.case === name)
  if (load === undefined) return nothing(`${store} was not put to ${name}`)
  const value = load.writesPerMinute
  if (value === null) return nothing(`no round of ${name} counts`)
  return { n: load.rounds, value, low: value, high: value, requiredN, counted: 'rounds', reason: '' }
}

function poolReading(
  { pools }: ContentionResult,
  store: string,
  roundsNeeded: FigureSources['roundsNeeded'],
): FigureReading {
  const nothing = emptyReading(1, 'pools')
  const own = pools.filter((pool) => pool.store === store).toSorted((a, b) => a.poolSize - b.poolSize)
  if (own.length === 0) return nothing(`${store} has no pool of connections`)
  // A smaller pool that could not be judged might have held.
  const first = own.find(({ state }) => state !== 'not held')
  if (first === undefined) return nothing(`no pool up to ${own.at(-1)?.poolSize ?? 0} connections held its load`)
  if (first.state !== 'held') return nothing(`no round of ${first.case} counts`)
  const needed = roundsNeeded(first.case)
  if (first.rounds < needed) return nothing(`${first.rounds} rounds of ${first.case} count, and it needs ${needed}`)
  const value = first.poolSize
  return { n: own.length, value, low: value, high: value, requiredN: 1, counted: 'pools', reason: '' }
}

function saturationReading({ saturation }: ContentionResult, store: string): FigureReading {
  const nothing = emptyReading(1, 'probes')
  const knee = saturation.find(({ engine }) => engine === store)
  if (knee === undefined) return nothing(`no highest rate of ${store} was sought`)
  const value = knee.ratePerSecond
  if (value === null) return nothing('no probe held')
  // What the generator ended is a lower bound of the store's own.
  const high = knee.limit === 'generator' || knee.limit === 'not reached' ? null : value
  return { n: knee.probes, value, low: value, high, requiredN: 1, counted: 'probes', reason: '' }
}
