/**
 * Numbers as text. A figure with an interval shows as many digits as the interval supports (its half-width to
 * two significant digits, after the GUM's rule for uncertainties) and never more than the three that the
 * histograms hold; without an interval it shows three. What is not known is a dash, never a zero.
 * Inputs are milliseconds, microseconds, bytes, shares or counts as named.
 */
import type { Interval } from '../measurement/results-document.ts'

export const unknown = '–'

const histogramDigits = 3

function known(value: number | null | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

/** Digits after the decimal point that show `value` to `digits` significant ones. */
function decimalsFor(value: number, digits: number): number {
  if (value === 0) return 0
  return Math.max(0, Math.min(9, digits - 1 - Math.floor(Math.log10(Math.abs(value)))))
}

function decimalsByInterval(value: number, interval: Interval | undefined): number {
  const most = decimalsFor(value, histogramDigits)
  if (interval === undefined) return most
  const [low, high] = interval
  if (!known(low) || !known(high) || high <= low) return most
  return Math.min(most, decimalsFor((high - low) / 2, 2))
}

/** `1234567.8` → `1,234,567.8` */
function grouped(value: number, decimals: number): string {
  const [whole = '0', fraction] = value.toFixed(decimals).split('.')
  const text = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ',')
  return fraction === undefined ? text : `${text}.${fraction}`
}

interface Unit {
  readonly name: string
  readonly perBase: number
}

function durationUnit(valueMs: number): Unit {
  const size = Math.abs(valueMs)
  if (size < 1) return { name: 'µs', perBase: 1000 }
  return size < 10_000 ? { name: 'ms', perBase: 1 } : { name: 's', perBase: 0.001 }
}

/** A duration in the unit that suits it. */
export function duration(valueMs: number | null | undefined, interval?: Interval): string {
  if (!known(valueMs)) return unknown
  if (valueMs === 0) return '0 ms'
  const unit = durationUnit(valueMs)
  const scaled = scaleInterval(interval, unit.perBase)
  const value = valueMs * unit.perBase
  return `${grouped(value, decimalsByInterval(value, scaled))} ${unit.name}`
}

/** The interval of a duration, in the unit of its value; empty when there is none. */
export function durationInterval(valueMs: number | null | undefined, interval: Interval): string {
  if (!known(valueMs)) return ''
  const unit = durationUnit(valueMs === 0 ? 1 : valueMs)
  return intervalText(valueMs * unit.perBase, scaleInterval(interval, unit.perBase) ?? [null, null], '')
}

function scaleInterval(interval: Interval | undefined, factor: number): Interval | undefined {
  if (interval === undefined) return undefined
  const [low, high] = interval
  return [known(low) ? low * factor : null, known(high) ? high * factor : null]
}

function intervalText(value: number, interval: Interval, suffix: string): string {
  const [low, high] = interval
  if (!known(low) && !known(high)) return ''
  const decimals = decimalsByInterval(value, interval)
  const side = (bound: number | null): string =>
    known(bound) ? `${grouped(bound, bound === 0 ? 0 : decimals)}${suffix}` : unknown
  return `[${side(low)}, ${side(high)}]`
}

/** How many times, e.g. `812×`. */
export function factor(value: number | null | undefined, interval?: Interval): string {
  return known(value) ? `${grouped(value, decimalsByInterval(value, interval))}×` : unknown
}

export function factorInterval(value: number | null | undefined, interval: Interval): string {
  return known(value) ? intervalText(value, interval, '×') : ''
}

export function count(value: number | null | undefined): string {
  return known(value) ? grouped(value, 0) : unknown
}

/** Three significant digits, at least the whole part. */
export function amount(value: number | null | undefined, interval?: Interval): string {
  return known(value) ? grouped(value, decimalsByInterval(value, interval)) : unknown
}

export function amountInterval(value: number | null | undefined, interval: Interval): string {
  return known(value) ? intervalText(value, interval, '') : ''
}

/** A rate from counts, which are exact: four digits, so that 199.6 of 200 does not read as all. */
export function perSecond(value: number | null | undefined): string {
  if (!known(value)) return unknown
  return `${grouped(value, Number.isInteger(value) ? 0 : decimalsFor(value, 4))}/s`
}

/** A share of 1 as percent. */
export function share(value: number | null | undefined): string {
  return known(value) ? percent(value * 100) : unknown
}

/** Near 100 the digits are those of what is missing: 99.97 % never reads as 100 %. */
export function percent(value: number | null | undefined): string {
  if (!known(value)) return unknown
  if (value === 0 || value === 100) return `${value} %`
  if (value > 0 && value < 0.01) return '<0.01 %'
  return value > 90 && value < 100
    ? `${grouped(value, Math.min(4, decimalsFor(100 - value, 1)))} %`
    : `${amount(value)} %`
}

export function bytes(value: number | null | undefined): string {
  if (!known(value)) return unknown
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10))
  return `${power === 0 ? grouped(value, 0) : amount(value / 1024 ** power)} ${units[power] ?? 'B'}`
}
