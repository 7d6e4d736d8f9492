/**
 * How figures are printed: one way, the same on every machine. Four significant digits at most, no exponent, no
 * locale; an unknown figure is a word, never a zero. An interval always stands beside its value, with n.
 */
import type { Interval, ResultsDocument, TargetResult } from '../measurement/results-document.ts'
import type { TargetVerdict } from '../statistics/verdict.ts'
import { cell } from './escape.ts'

export const unknownFigure = 'not known'

export function figure(value: number | null): string {
  if (value === null) return unknownFigure
  const size = Math.abs(value)
  if (Number.isInteger(value) || size >= 1000) return String(Math.round(value))
  const decimals = size >= 100 ? 1 : size >= 10 ? 2 : size >= 0.1 ? 3 : 6
  return value.toFixed(decimals).replace(/\.?0+$/, '')
}

/** `12.3 [11.9, 12.8] ms`; an end that the data does not bound is a dash. */
export function bounded(value: number | null, interval: Interval, unit: string): string {
  if (value === null) return unknownFigure
  const [low, high] = interval
  const end = (bound: number | null): string => (bound === null ? '-' : figure(bound))
  const range = low === null && high === null ? '[no interval]' : `[${end(low)}, ${end(high)}]`
  return `${figure(value)} ${range}${unit === '' ? '' : ` ${unit}`}`
}

export function share(part: number, whole: number): string {
  return whole === 0 ? `${part} of ${whole}` : `${part} of ${whole} (${figure((100 * part) / whole)} %)`
}

/** As seconds, minutes or hours, whichever is exact: `30 s`, `5 min`, `72 h`. */
export function duration(ms: number): string {
  if (ms >= 3_600_000 && ms % 3_600_000 === 0) return `${ms / 3_600_000} h`
  if (ms >= 60_000 && ms % 60_000 === 0) return `${ms / 60_000} min`
  return ms >= 1000 ? `${figure(ms / 1000)} s` : `${figure(ms)} ms`
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}

export const tick = '✅'
export const warning = '⚠️'
export const cross = '❌'
export type Mark = typeof tick | typeof warning | typeof cross

const assessmentOf: Readonly<Record<TargetVerdict, string>> = {
  MET: `${tick} MET`,
  MARGINAL: `${warning}  MARGINAL`,
  NOT_MET: `${cross} NOT MET`,
  NOT_DEMONSTRATED: `${warning}  NOT DEMONSTRATED`,
}

export function targetAssessment(target: TargetResult): string {
  return assessmentOf[target.verdict] + (target.mandatory ? '' : ' (optional)')
}

/** The measured column of the targets table. */
export function targetMeasured(target: TargetResult): string {
  if (target.value === null) return `none, n=${target.n}`
  return `${bounded(target.value, [target.low, target.high], cell(target.unit) === '-' ? '' : cell(target.unit))}, n=${target.n}`
}

/** The engine that the decision is about: the last one named. */
export function candidateOf(results: ResultsDocument): ResultsDocument['engines'][number] | undefined {
  return results.engines.findLast((engine) => engine.role === 'candidate')
}

/** Rounds in which every engine was measured validly: what a comparison rests on. */
export function validRoundsOf(results: ResultsDocument): number {
  return results.engines.length === 0 ? 0 : Math.min(...results.engines.map(({ validRounds }) => validRounds))
}

/** A figure with its unit, or the word for an unknown one. */
export function withUnit(value: number | null, unit: string): string {
  return value === null ? 'not known' : `${figure(value)} ${unit}`
}
