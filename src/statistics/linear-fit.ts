/**
 * The straight line of y on x, and whether a straight line is the right shape.
 *
 * The line is least squares, weighted where the caller knows that points differ in precision; its intervals are
 * Student's t with n−2 degrees (Draper & Smith, "Applied Regression Analysis", 3rd ed. 1998, §1.4). The shape is tested
 * twice: an F-test on an added square (§6.1) sees a bend, and where x has replicates the lack-of-fit F-test against
 * their pure error (§2.1) sees any other departure. Errors are taken as independent, normal and, after the weights, of
 * one size: replicates that share a disturbance make the lack-of-fit test too ready to find something.
 *
 * Sums are taken on x mapped to −1 … 1 and y divided by its largest magnitude, and the square is made orthogonal to
 * the line, so that neither an offset nor a unit costs digits. What is smaller than 1e-12 of the largest |y| is
 * rounding and counts as nothing.
 */
import { fUpperTail, studentTQuantile } from './special-functions.ts'

/** One measured point, in the caller's units; a repeated x is a replicate. */
export interface Observation {
  readonly x: number
  readonly y: number
  /** Proportional to 1/variance, above 0; absent means 1. */
  readonly weight?: number
}

/** A value with its two-sided 95 % interval; null where the data give no bound on that side. */
export interface Estimate {
  readonly value: number
  readonly low: number | null
  readonly high: number | null
}

export interface Line {
  readonly status: 'FITTED'
  /** Points, replicates included. */
  readonly n: number
  readonly distinctX: number
  /** In y per x; no bounds with two points, which every line fits. */
  readonly slope: Estimate
  /** y at x = 0, in units of y, however far from the tested x that is. */
  readonly intercept: Estimate
  /** Of a point of weight 1, in units of y, with n−2 degrees; null with two points. */
  readonly residualSd: number | null
  /** Share of the (weighted) variation of y that the line explains, 0 … 1; null when y does not vary. */
  readonly rSquared: number | null
}

export interface NotDemonstrated {
  readonly status: 'NOT_DEMONSTRATED'
  readonly n: number
  readonly reason: string
}

export interface FTest {
  /** Null when the larger model leaves no residue to divide by; `p` is then 0, or 1 when the line is exact too. */
  readonly f: number | null
  readonly p: number
  readonly numeratorDegrees: number
  readonly denominatorDegrees: number
}

/**
 * `linear` says that no bend worth the name was shown, not that there is none: `bendPercent` bounds what the data
 * leave possible, and with few or noisy points that can be much.
 */
export interface Linearity {
  readonly verdict: 'linear' | 'curved'
  readonly n: number
  readonly distinctX: number
  /** The smaller p of the tests that were made, times their number (Bonferroni), at most 1. */
  readonly p: number
  readonly addedSquare: FTest
  /**
   * How far the fitted quadratic lies above (+) or below (−) the straight line through its own ends at mid-range, which
   * is where it is farthest, in percent of the range that it spans over the tested x. The interval takes that range
   * as known; no bounds, and 0, where the quadratic is flat.
   */
  readonly bendPercent: Estimate
  /** Null without replicates, which leave no pure error to test against. */
  readonly lackOfFit: FTest | null
  /** Largest distance of the mean at one x from the fitted line, in percent of the range of these means. */
  readonly departurePercent: number
}

export interface LinearityUnknown {
  readonly verdict: 'NOT_DEMONSTRATED'
  readonly n: number
  readonly reason: string
}

/** Effect below which a significant departure does not count: percent, of `bendPercent` or `departurePercent`. */
export const defaultGatePercent = 10
export const minimumDistinctX = 4

const confidence = 0.975
const significance = 0.05
/** Of the largest |y|: differences below this are rounding. */
const rounding = 1e-12

/** Least squares of y on x. NOT_DEMONSTRATED, with the reason, for unusable numbers or fewer than two distinct x. */
export function fitLine(points: readonly Observation[]): Line | NotDemonstrated {
  const n = points.length
  const refused = (reason: string): NotDemonstrated => ({ status: 'NOT_DEMONSTRATED', n, reason })
  const sample = sampleOf(points)
  if (typeof sample === 'string') return refused(sample)
  const line = lineOf(sample)
  const { scale, half, centre } = sample
  const origin = -centre / half
  const sd = n > 2 ? Math.sqrt(line.residue / (n - 2)) : null
  const t = n > 2 ? studentTQuantile(confidence, n - 2) : 0
  const estimate = (value: number, spread: number, unit: number): Estimate => ({
    value: value * unit,
    low: sd === null ? null : (value - t * sd * spread) * unit,
    high: sd === null ? null : (value + t * sd * spread) * unit,
  })
  const arm = origin - line.meanU
  const spread = Math.sqrt(1 / sample.totalWeight + (arm * arm) / line.squareU)
  const fit: Line = {
    status: 'FITTED',
    n,
    distinctX: sample.groups.length,
    slope: estimate(line.slope, 1 / Math.sqrt(line.squareU), scale / half),
    intercept: estimate(line.meanV + line.slope * arm, spread, scale),
    // The heaviest point has weight 1 inside the sums, so the unit of the spread is its own, not the caller's.
    residualSd: sd === null ? null : sd * scale * Math.sqrt(sample.weightUnit),
    rSquared: line.squareV <= sample.nothing ? null : Math.max(0, 1 - line.residue / line.squareV),
  }
  const figures = [fit.slope, fit.intercept].flatMap(({ value, low, high }) => [value, low ?? 0, high ?? 0])
  return [...figures, fit.residualSd ?? 0].every(Number.isFinite) ? fit : refused(outOfReach)
}

/**
 * Straight or bent? `curved` needs significance at 5 % over all tests made *and* an effect of at least `gatePercent`
 * (10 % unless told otherwise) in the test that is significant: the bend for the added square, the departure for the
 * lack of fit. A bend is counted against the line through the quadratic's ends (terminal-based non-linearity): the
 * fitted line follows the bend part of the way, and its distance depends on where the points lie. So counted, y = x²
 * from 0 bends 25 %, and x^1.5 and x^1.3 at even steps 14 % and 9 %. On straight lines with normal noise p falls below
 * 0.05 in at most 6 % of simulated runs. NOT_DEMONSTRATED below `minimumDistinctX` distinct x or for unusable numbers.
 */
export function testLinearity(
  points: readonly Observation[],
  gatePercent = defaultGatePercent,
): Linearity | LinearityUnknown {
  const n = points.length
  const unknown = (reason: string): LinearityUnknown => ({ verdict: 'NOT_DEMONSTRATED', n, reason })
  if (!(gatePercent >= 0)) return unknown(`the gate of ${gatePercent} % is not a percentage from 0 up`)
  const sample = sampleOf(points)
  if (typeof sample === 'string') return unknown(sample)
  const distinctX = sample.groups.length
  if (distinctX < minimumDistinctX) {
    return unknown(`${distinctX} distinct x; to tell a bend from noise takes at least ${minimumDistinctX}`)
  }
  const line = lineOf(sample)
  const square = squareOf(sample, line)
  const { pureError, departurePercent } = departureOf(sample, line)
  const figures = [square.bendPercent.value, square.residue, pureError, departurePercent]
  if (!figures.every(Number.isFinite)) return unknown(outOfReach)
  const { nothing } = sample
  const addedSquare = fTest(line.residue - square.residue, 1, square.residue, n - 3, nothing)
  const lackOfFit =
    n > distinctX ? fTest(line.residue - pureError, distinctX - 2, pureError, n - distinctX, nothing) : null
  const tests = lackOfFit === null ? 1 : 2
  const shown = (test: FTest | null, effect: number): boolean =>
    test !== null && test.p * tests < significance && effect >= gatePercent
  const curved = shown(addedSquare, Math.abs(square.bendPercent.value)) || shown(lackOfFit, departurePercent)
  return {
    verdict: curved ? 'curved' : 'linear',
    n,
    distinctX,
    p: Math.min(1, Math.min(addedSquare.p, lackOfFit?.p ?? 1) * tests),
    addedSquare,
    bendPercent: square.bendPercent,
    lackOfFit,
    departurePercent,
  }
}

const outOfReach = 'the numbers are too large, too small or too close together to compute with'

/** A point in the units of the sums. */
interface Scaled {
  readonly u: number
  readonly v: number
  readonly w: number
}

interface Sample {
  readonly all: readonly Scaled[]
  /** The same points by distinct x. */
  readonly groups: readonly (readonly Scaled[])[]
  readonly totalWeight: number
  readonly weightUnit: number
  readonly centre: number
  readonly half: number
  readonly scale: number
  /** A sum of squares up to this is rounding. */
  readonly nothing: number
}

/** The points in the units of the sums, or the reason why there is no line through them. */
function sampleOf(points: readonly Observation[]): Sample | string {
  const broken = points.findIndex(({ x, y }) => !Number.isFinite(x) || !Number.isFinite(y))
  if (broken >= 0) return `point ${broken + 1} is not a pair of finite numbers`
  const weightless = points.findIndex(({ weight = 1 }) => !(weight > 0 && weight < Infinity))
  if (weightless >= 0) return `the weight of point ${weightless + 1} is not a finite number above 0`
  const byX = Map.groupBy(points, ({ x }) => x)
  if (byX.size < 2) return `${byX.size} distinct x; a line takes at least 2`
  const largest = (of: (point: Observation) => number): number =>
    points.reduce((most, point) => Math.max(most, of(point)), -Infinity)
  const high = largest(({ x }) => x) / 2
  const low = -largest(({ x }) => -x) / 2
  const centre = high + low
  const half = high - low
  const scale = largest(({ y }) => Math.abs(y)) || 1
  const weightUnit = largest(({ weight = 1 }) => weight)
  const groups = [...byX.values()].map((group) =>
    group.map(({ x, y, weight = 1 }) => ({ u: (x - centre) / half, v: y / scale, w: weight / weightUnit })),
  )
  const all = groups.flat()
  const totalWeight = sumOf(all, ({ w }) => w)
  const nothing = totalWeight * rounding * rounding
  return { all, groups, totalWeight, weightUnit, centre, half, scale, nothing }
}

interface ScaledLine {
  readonly meanU: number
  readonly meanV: number
  readonly slope: number
  readonly squareU: number
  readonly squareV: number
  /** Weighted sum of squared residuals. */
  readonly residue: number
}

function lineOf({ all, totalWeight }: Sample): ScaledLine {
  const meanU = sumOf(all, ({ u, w }) => w * u) / totalWeight
  const meanV = sumOf(all, ({ v, w }) => w * v) / totalWeight
  const squareU = sumOf(all, ({ u, w }) => w * (u - meanU) ** 2)
  const squareV = sumOf(all, ({ v, w }) => w * (v - meanV) ** 2)
  const slope = sumOf(all, ({ u, v, w }) => w * (u - meanU) * (v - meanV)) / squareU
  const residue = sumOf(all, ({ u, v, w }) => w * (v - meanV - slope * (u - meanU)) ** 2)
  return { meanU, meanV, slope, squareU, squareV, residue }
}

function heightOf(line: ScaledLine, u: number): number {
  return line.meanV + line.slope * (u - line.meanU)
}

/** The square u² freed of its own line: what it adds is then one coefficient on the residuals. */
function squareOf({ all, totalWeight }: Sample, line: ScaledLine): { residue: number; bendPercent: Estimate } {
  const mean = sumOf(all, ({ u, w }) => w * u * u) / totalWeight
  const tilt = sumOf(all, ({ u, w }) => w * (u - line.meanU) * u * u) / line.squareU
  const bow = (u: number): number => u * u - mean - tilt * (u - line.meanU)
  const size = sumOf(all, ({ u, w }) => w * bow(u) ** 2)
  const coefficient = sumOf(all, ({ u, v, w }) => w * bow(u) * (v - heightOf(line, u))) / size
  const residue = sumOf(all, ({ u, v, w }) => w * (v - heightOf(line, u) - coefficient * bow(u)) ** 2)
  const height = (u: number): number => heightOf(line, u) + coefficient * bow(u)
  // In u the quadratic is a + (slope − tilt·c)·u + c·u²: its vertex, if inside, is one end of its range.
  const vertex = -(line.slope - tilt * coefficient) / (2 * coefficient)
  const extremes = [height(-1), height(1), ...(Math.abs(vertex) < 1 ? [height(vertex)] : [])]
  const range = Math.max(...extremes) - Math.min(...extremes)
  if (range <= rounding) return { residue, bendPercent: { value: 0, low: null, high: null } }
  // The line through the ends lies at a + c in the middle, the quadratic at a.
  const degrees = all.length - 3
  const margin = studentTQuantile(confidence, degrees) * Math.sqrt(residue / degrees / size)
  const percent = (value: number): number => (100 * value) / range
  const value = percent(-coefficient)
  return { residue, bendPercent: { value, low: value - percent(margin), high: value + percent(margin) } }
}

/** The sum of squares within replicates, and how far the means of replicates stray from the line. */
function departureOf({ groups }: Sample, line: ScaledLine): { pureError: number; departurePercent: number } {
  let pureError = 0
  let farthest = 0
  let highest = -Infinity
  let lowest = Infinity
  for (const group of groups) {
    const mean = sumOf(group, ({ v, w }) => w * v) / sumOf(group, ({ w }) => w)
    pureError += sumOf(group, ({ v, w }) => w * (v - mean) ** 2)
    farthest = Math.max(farthest, Math.abs(mean - heightOf(line, group[0]?.u ?? 0)))
    highest = Math.max(highest, mean)
    lowest = Math.min(lowest, mean)
  }
  const range = highest - lowest
  return { pureError, departurePercent: range <= rounding ? 0 : (100 * farthest) / range }
}

/** F of `gain` with its degrees over `residue` with its own. */
function fTest(gain: number, numeratorDegrees: number, residue: number, rest: number, nothing: number): FTest {
  const degrees = { numeratorDegrees, denominatorDegrees: rest }
  if (gain <= nothing) return { f: residue <= nothing ? null : 0, p: 1, ...degrees }
  if (residue <= nothing) return { f: null, p: 0, ...degrees }
  const f = gain / numeratorDegrees / (residue / rest)
  return { f, p: fUpperTail(f, numeratorDegrees, rest), ...degrees }
}

function sumOf(points: readonly Scaled[], term: (point: Scaled) => number): number {
  return points.reduce((sum, point) => sum + term(point), 0)
}
