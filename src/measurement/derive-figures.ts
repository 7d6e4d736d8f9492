/**
 * How figures are rounded for print. Latencies come in whole microseconds from histograms and are given in ms with
 * three decimals; what is computed (ratios, rates, bounds by Student's t) is cut to what a reader can use, so that
 * the last bit of a logarithm never changes a document. Bounds are rounded outwards and judged as printed.
 */

/** Integer microseconds or computed bounds in µs, as ms with three decimals. */
export function msOf(us: number | null): number | null {
  return us === null ? null : Math.round(us) / 1000
}

export function lowMs(us: number | null): number | null {
  return us === null ? null : Math.floor(us + 1e-6) / 1000
}

export function highMs(us: number | null): number | null {
  return us === null ? null : Math.ceil(us - 1e-6) / 1000
}

/** Six significant digits; for rates, shares and ratios. */
export function significant(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(6))
}

/** Six significant digits, not above `value`. */
export function significantLow(value: number | null): number | null {
  return outward(value, -1)
}

/** Six significant digits, not below `value`. */
export function significantHigh(value: number | null): number | null {
  return outward(value, 1)
}

function outward(value: number | null, direction: 1 | -1): number | null {
  if (value === null || value === 0 || !Number.isFinite(value)) return value
  const rounded = Number(value.toPrecision(6))
  if (direction * (rounded - value) >= -1e-12 * Math.abs(value)) return rounded
  const step = 10 ** (Math.floor(Math.log10(Math.abs(value))) - 5)
  return Number((rounded + direction * step).toPrecision(6))
}

/** A number for a sentence: at most four significant digits, no exponent below 10^21. */
export function words(value: number | null): string {
  return value === null ? 'unknown' : String(Number(value.toPrecision(4)))
}
