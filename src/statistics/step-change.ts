/**
 * Whether a series jumps up and stays there: Page's one-sided CUSUM (Biometrika 41, 1954) with slack k = 0.5 σ and limit
 * h = 5 σ, and an effect beside it. A slope test sees a step late in the run as too short to persist; this sees it.
 *
 * Level and σ come from the first third of the points (median and 1.4826 × MAD; σ at least a thousandth of the level),
 * so the run length of 930 points without a false alarm, which holds where both are known, does not hold here. What is
 * called a step therefore has to last as well: from the last time that the sum was 0 to the end, on at least
 * `leastPoints` points, the median lies above the level by more than the margin and 2 σ.
 *
 * Measured on 1,000 seeded AR(1) series per cell, margin 0: without a step one is called in 1.3, 0.1 and 0.0 % (n = 30,
 * 72, 120; φ = 0), 2.3, 0.6 and 0.1 % (φ = 0.3), 9.1, 1.2 and 0.8 % (0.6). A step of 4 σ at 70 % of the run is found in
 * 91–94 % (n = 30) and 92–97 % (72).
 */
import { medianOfSorted } from './trend.ts'

export interface SeriesPoint {
  readonly time: number
  readonly value: number
}

export interface StepChange {
  /** Of the first point after the step. */
  readonly time: number
  /** Median of the first third of the series. */
  readonly before: number
  /** Median from the step to the end. */
  readonly after: number
}

const slack = 0.5
const limit = 5
const leastReference = 10
const leastPoints = 5
const leastSigmaShare = 0.001

/** `points` ascending in time; `margin`: share of the level that counts as no step. Null without a step, and below 30 points. */
export function stepUp(points: readonly SeriesPoint[], margin: number): StepChange | null {
  const reference = Math.floor(points.length / 3)
  if (reference < leastReference) return null
  const first = points.slice(0, reference).map(({ value }) => value)
  const level = median(first)
  const spread = 1.4826 * median(first.map((value) => Math.abs(value - level)))
  const sigma = Math.max(spread, leastSigmaShare * Math.abs(level), Number.MIN_VALUE)
  let sum = 0
  let start = 0
  let alarmed = false
  for (const [index, { value }] of points.entries()) {
    sum = Math.max(0, sum + (value - level) / sigma - slack)
    if (sum === 0) {
      start = index + 1
      alarmed = false
    }
    alarmed ||= sum > limit
  }
  const after = points.slice(start)
  if (!alarmed || after.length < leastPoints) return null
  const raised = median(after.map(({ value }) => value))
  const lasts = raised - level > Math.max(margin * Math.abs(level), 2 * sigma)
  // The sum leaves 0 before the step where the level is a little low, so the place is told by the values themselves.
  const begin = after.find(({ value }) => value > (level + raised) / 2)
  return lasts && begin !== undefined ? { time: begin.time, before: level, after: raised } : null
}

function median(values: readonly number[]): number {
  return medianOfSorted(values.toSorted((a, b) => a - b))
}
