/**
 * How throughput grows with concurrency: the Universal Scalability Law (Gunther, "Guerrilla Capacity Planning", 2007)
 *
 *   X(N) = λN / (1 + σ(N−1) + κN(N−1))
 *
 * λ is the throughput at N = 1, σ the share of work that waits for its turn (contention), κ the cost of agreement per
 * pair (coherency). Least squares in X within λ > 0, 0 ≤ σ ≤ 1, 0 ≤ κ ≤ 1 by Levenberg–Marquardt (Marquardt 1963)
 * with every step projected onto these bounds (Kanzow, Yamashita & Fukushima 2004), from several starts.
 *
 * Intervals are profile-t (Bates & Watts, "Nonlinear Regression Analysis and Its Applications", 1988, ch. 6): every
 * value of a parameter at which the best fit of the others leaves a sum of squares of at most S·(1 + t²/(n−3)), t
 * with n−3 degrees. They need no derivative at a bound, end at it when the data do not exclude it, and draw no random
 * numbers. Errors are taken as independent and, after the weights, of one size. Simulated over 24 designs and truths,
 * also σ or κ at 0 or 1 (6 to 18 points, 300 runs each, noise 2 % of the largest X), they hold λ, σ and κ in 92.7–100 %
 * of runs (percentiles of a residual bootstrap: 77–100 % of 100) and N* in 86–100 % of those that give it; with κ at 0,
 * at most 4 % do. Noise of 3 % of each X: λ, σ and κ in 92–100 % with weights 1/X², but 68–100 % without.
 */
import type { Estimate, NotDemonstrated } from './linear-fit.ts'
import { studentTQuantile } from './special-functions.ts'

/** One measured point; a repeated concurrency is a replicate. */
export interface ScalabilityPoint {
  /** N: agents, connections or workers at once; 1 … 1e9. */
  readonly concurrency: number
  /** X, in any unit, which then is that of λ and of predictions; 0 … 1e100. */
  readonly throughput: number
  /** Proportional to 1/variance, above 0; absent means 1. */
  readonly weight?: number
}

export interface Peak {
  /** N* = √((1−σ)/κ), where throughput is highest; never below 1. `high` is null when the data do not bound it. */
  readonly concurrency: Estimate
  /** N* lies where `predict` refuses. */
  readonly extrapolated: boolean
}

export interface Scalability {
  readonly status: 'FITTED'
  /** Points, replicates included. */
  readonly n: number
  readonly distinctConcurrencies: number
  /** The largest concurrency tested. */
  readonly testedTo: number
  /** Throughput at N = 1. */
  readonly lambda: Estimate
  /** Contention, 0 … 1. */
  readonly sigma: Estimate
  /** Coherency, 0 … 1. */
  readonly kappa: Estimate
  /** Null when the interval of κ reaches 0: the data then do not show that throughput ever falls. */
  readonly peak: Peak | null
  /** Of a point of weight 1, in units of throughput, with n−3 degrees. */
  readonly residualSd: number
  /** Share of the (weighted) variation of X that the law explains; at most 1, null when X does not vary. */
  readonly rSquared: number | null
  /** Throughput at a concurrency; null below 1 and beyond `extrapolationLimit` times `testedTo`. */
  predict(concurrency: number): number | null
}

export const minimumConcurrencies = 6
export const extrapolationLimit = 2

const confidence = 0.975
const mostSteps = 200
/** Of the largest throughput: a residual below this is rounding. */
const rounding = 1e-12

/** Fits the law; NOT_DEMONSTRATED, with the reason, for unusable numbers or too few distinct concurrencies. */
export function fitScalability(points: readonly ScalabilityPoint[]): Scalability | NotDemonstrated {
  const n = points.length
  const refused = (reason: string): NotDemonstrated => ({ status: 'NOT_DEMONSTRATED', n, reason })
  const distinctConcurrencies = new Set(points.map(({ concurrency }) => concurrency)).size
  const doubt = doubtOf(points, distinctConcurrencies)
  if (doubt !== null) return refused(doubt)
  const largest = (of: (point: ScalabilityPoint) => number): number =>
    points.reduce((most, point) => Math.max(most, of(point)), 0)
  const testedTo = largest(({ concurrency }) => concurrency)
  const scale = largest(({ throughput }) => throughput)
  const weightUnit = largest(({ weight = 1 }) => weight)
  const scaled = points.map(({ concurrency, throughput, weight = 1 }) => {
    return { n: concurrency, x: throughput / scale, w: weight / weightUnit }
  })
  const best = bestFit(scaled, testedTo)
  if (!best.settled) return refused(`no fit settled within ${mostSteps} steps`)
  const t = studentTQuantile(confidence, n - 3)
  // An exact fit has a sum of squares of rounding errors, and what they bound is no interval.
  const limit = best.cost * (1 + (t * t) / (n - 3)) + n * rounding * rounding
  const [lambda = 0, sigma = 0, kappa = 0] = best.parameters
  const bounds = (i: number, unit: number) => profileBounds(throughputLaw, scaled, best.parameters, i, limit, unit)
  const ofLambda = bounds(0, lambda)
  const ofKappa = bounds(2, 1 / testedTo ** 2)
  const mean = sumOf(scaled, ({ x, w }) => w * x) / sumOf(scaled, ({ w }) => w)
  const variation = sumOf(scaled, ({ x, w }) => w * (x - mean) ** 2)
  return {
    status: 'FITTED',
    n,
    distinctConcurrencies,
    testedTo,
    lambda: { value: lambda * scale, low: ofLambda.low * scale, high: ofLambda.high * scale },
    sigma: { value: sigma, ...bounds(1, 1 / testedTo) },
    kappa: { value: kappa, ...ofKappa },
    peak: ofKappa.low > 0 ? peakOf(scaled, best.parameters, limit, testedTo) : null,
    residualSd: Math.sqrt((best.cost / (n - 3)) * weightUnit) * scale,
    rSquared: variation <= n * rounding * rounding ? null : 1 - best.cost / variation,
    predict: (concurrency) =>
      concurrency >= 1 && concurrency <= extrapolationLimit * testedTo
        ? scale * throughputLaw.predict(best.parameters, concurrency, [])
        : null,
  }
}

/** Why these points cannot be fitted; null when they can. */
function doubtOf(points: readonly ScalabilityPoint[], distinct: number): string | null {
  for (const [index, { concurrency, throughput, weight = 1 }] of points.entries()) {
    const which = `point ${index + 1}`
    if (!(concurrency >= 1 && concurrency <= 1e9)) return `the concurrency of ${which} is not a number from 1 to 1e9`
    if (!(throughput >= 0 && throughput <= 1e100)) return `the throughput of ${which} is not a number from 0 to 1e100`
    if (!(weight > 0 && weight <= 1e100)) return `the weight of ${which} is not a number above 0 and up to 1e100`
  }
  if (distinct < minimumConcurrencies)
    return `${distinct} distinct concurrencies; at least ${minimumConcurrencies} needed`
  return points.some(({ throughput }) => throughput > 0) ? null : 'no point has a throughput above 0'
}

/** The points with the largest throughput and the largest weight as units. */
type Points = readonly { readonly n: number; readonly x: number; readonly w: number }[]

/** A curve of three parameters within bounds; `predict` writes its derivative by each parameter into `slope`. */
interface Law {
  readonly lower: readonly number[]
  readonly upper: readonly number[]
  predict(parameters: readonly number[], concurrency: number, slope: number[]): number
}

/** Parameters λ, σ, κ. */
const throughputLaw: Law = {
  lower: [1e-15, 0, 0],
  upper: [Infinity, 1, 1],
  predict([lambda = 0, sigma = 0, kappa = 0], concurrency, slope) {
    const others = concurrency - 1
    const pairs = concurrency * others
    const divisor = 1 + sigma * others + kappa * pairs
    const throughput = (lambda * concurrency) / divisor
    slope[0] = concurrency / divisor
    slope[1] = (-throughput * others) / divisor
    slope[2] = (-throughput * pairs) / divisor
    return throughput
  },
}

/**
 * The same law by λ, τ = 1−σ and the peak ν = N*, so that κ = τ/ν²: this is how N* gets an interval of its own. It serves
 * for profiles over ν alone, which holds ν, so that the derivative by it is never asked for.
 */
const peakLaw: Law = {
  lower: [1e-15, 0, 1],
  upper: [Infinity, 1, Infinity],
  predict([lambda = 0, tau = 0, peak = 1], concurrency, slope) {
    const others = concurrency - 1
    const pairs = (concurrency * others) / (peak * peak)
    const divisor = 1 + (1 - tau) * others + tau * pairs
    const throughput = (lambda * concurrency) / divisor
    slope[0] = concurrency / divisor
    slope[1] = (throughput * (others - pairs)) / divisor
    return throughput
  },
}

interface Fit {
  readonly parameters: number[]
  /** Weighted sum of squared residuals. */
  readonly cost: number
  readonly settled: boolean
}

/**
 * The best of several starts: the linearised law, the values that usl4j starts from, and the best of a coarse grid,
 * since scattered points have more than one minimum. Throughputs that follow no law at all can still hide a better one.
 */
function bestFit(points: Points, testedTo: number): Fit {
  const kappas = [...[0, 0.1, 1, 10, 100].map((times) => Math.min(1, times / testedTo ** 2)), 0.1, 1]
  const promising = [0, 0.01, 0.1, 0.5, 1]
    .flatMap((sigma) => kappas.map((kappa) => startAt(points, sigma, kappa)))
    .toSorted((a, b) => a.cost - b.cost)
    .slice(0, 4)
  return [linearised(points), startAt(points, 0.1, 0.01), ...promising]
    .map(({ parameters }) => minimise(throughputLaw, points, parameters, points.length * (rounding / 100) ** 2))
    .reduce((best, fit) => (fit.cost < best.cost ? fit : best))
}

/** The law is linear in λ, so that σ and κ give the λ that fits them best. */
function startAt(points: Points, sigma: number, kappa: number): { parameters: number[]; cost: number } {
  const unit = (n: number): number => throughputLaw.predict([1, sigma, kappa], n, [])
  const lambda = sumOf(points, ({ n, x, w }) => w * x * unit(n)) / sumOf(points, ({ n, w }) => w * unit(n) ** 2)
  const cost = sumOf(points, ({ n, x, w }) => w * (lambda * unit(n) - x) ** 2)
  return { parameters: [lambda, sigma, kappa], cost }
}

/**
 * σ and κ of N/X = (1 + σ(N−1) + κN(N−1))/λ by linear least squares, clipped. A point's error in N/X is its error in X
 * times N/X², whence the weights; points without throughput have no N/X and stay out.
 */
function linearised(points: Points): { parameters: number[] } {
  const normal = new NormalEquations()
  for (const { n, x, w } of points) if (x > 0) normal.add([1, n - 1, n * (n - 1)], -n / x, w * (x ** 2 / n) ** 2)
  const [first = 0, second = 0, third = 0] = normal.step([], 1e-12)
  const share = (value: number): number => (first > 0 ? Math.min(1, Math.max(0, value / first)) : 0)
  return startAt(points, share(second), share(third))
}

/** Jacobian products JᵀWJ and JᵀWr of a least-squares problem with three parameters. */
class NormalEquations {
  readonly #products = new Float64Array(9)
  readonly gradient = new Float64Array(3)
  cost = 0

  add(slope: readonly number[], residual: number, weight: number): void {
    this.cost += weight * residual * residual
    for (let row = 0; row < 3; row++) {
      const first = weight * (slope[row] ?? 0)
      this.gradient[row] = (this.gradient[row] ?? 0) + first * residual
      for (let column = 0; column <= row; column++) {
        const cell = 3 * row + column
        this.#products[cell] = (this.#products[cell] ?? 0) + first * (slope[column] ?? 0)
      }
    }
  }

  /** The damped Gauss–Newton step, 0 where a parameter is held; LDLᵀ of the products at unit diagonal. */
  step(held: readonly boolean[], damping: number): number[] {
    const size = [0, 1, 2].map((index) => Math.sqrt(this.#products[4 * index] ?? 0) || 1)
    const off = (row: number, column: number): number =>
      held[row] === true || held[column] === true
        ? 0
        : (this.#products[3 * row + column] ?? 0) / ((size[row] ?? 1) * (size[column] ?? 1))
    const right = (row: number): number => (held[row] === true ? 0 : -(this.gradient[row] ?? 0) / (size[row] ?? 1))
    const first = 1 + damping
    const l10 = off(1, 0) / first
    const l20 = off(2, 0) / first
    const second = first - off(1, 0) * l10
    const rest = off(2, 1) - off(2, 0) * l10
    const l21 = rest / second
    const third = first - off(2, 0) * l20 - rest * l21
    const y1 = right(1) - l10 * right(0)
    const z2 = (right(2) - l20 * right(0) - l21 * y1) / third
    const z1 = y1 / second - l21 * z2
    const z0 = right(0) / first - l10 * z1 - l20 * z2
    return [z0, z1, z2].map((value, index) => value / (size[index] ?? 1))
  }
}

/** Levenberg–Marquardt within the law's bounds, until the cost is `enough` or falls no more; at most `mostSteps` steps. */
function minimise({ lower, upper, predict }: Law, points: Points, start: number[], enough: number): Fit {
  const inside = (values: number[]) => values.map((value, i) => Math.min(upper[i] ?? 0, Math.max(lower[i] ?? 0, value)))
  const slope = [0, 0, 0]
  const at = (parameters: readonly number[]): NormalEquations => {
    const normal = new NormalEquations()
    for (const { n, x, w } of points) normal.add(slope, predict(parameters, n, slope) - x, w)
    return normal
  }
  let parameters = inside(start)
  let here = at(parameters)
  let damping = 1e-3
  let settled = false
  for (let step = 0; step < mostSteps && !settled; step++) {
    // At a bound that the descent points through, a parameter stays; so does one whose bounds coincide.
    const held = parameters.map((value, i) => {
      const descent = -(here.gradient[i] ?? 0)
      return (value <= (lower[i] ?? 0) && descent <= 0) || (value >= (upper[i] ?? 0) && descent >= 0)
    })
    settled = held.every(Boolean) || here.cost <= enough
    if (settled) break
    const move = here.step(held, damping)
    const candidate = inside(parameters.map((value, i) => value + (move[i] ?? 0)))
    const there = at(candidate)
    if (there.cost < here.cost) {
      // A full Gauss–Newton step gains what the gradient promises; far less means that it overshot.
      const gain = here.cost - there.cost
      const promise = candidate.reduce(
        (sum, value, i) => sum - (value - (parameters[i] ?? 0)) * (here.gradient[i] ?? 0),
        0,
      )
      if (gain > 0.75 * promise) damping = Math.max(damping / 10, 1e-14)
      settled = gain <= 1e-13 * here.cost
      parameters = candidate
      here = there
    } else {
      damping *= 8
      settled = damping > 1e10
    }
  }
  return { parameters, cost: here.cost, settled }
}

/**
 * The profile-t interval of one parameter: from the estimate outward in growing strides until the best fit with the
 * parameter held there costs more than `limit`, then bisection; each end is the outer side of the last bracket.
 * `unit` is the size of a parameter that matters, for the first stride when the estimate is 0.
 */
function profileBounds(
  law: Law,
  points: Points,
  estimate: number[],
  index: number,
  limit: number,
  unit: number,
): { low: number; high: number } {
  const centre = estimate[index] ?? 0
  const edge = (bound: number): number => {
    let warm = estimate
    const within = (value: number): boolean => {
      const fixed = (bounds: readonly number[]): number[] => bounds.map((each, i) => (i === index ? value : each))
      const heldLaw = { ...law, lower: fixed(law.lower), upper: fixed(law.upper) }
      const { parameters, cost } = minimise(heldLaw, points, warm, limit)
      if (cost <= limit) warm = parameters
      return cost <= limit
    }
    let inner = centre
    let stride = Math.max(centre, unit) * 1e-3
    for (let widening = 0; widening < 60; widening++) {
      let outer = inner + Math.sign(bound - inner) * Math.min(stride, Math.abs(bound - inner))
      if (!within(outer)) {
        for (let halving = 0; halving < 50 && Math.abs(outer - inner) > 1e-7 * Math.abs(outer - centre); halving++) {
          const middle = (inner + outer) / 2
          if (within(middle)) inner = middle
          else outer = middle
        }
        return outer
      }
      if (outer === bound) return bound
      inner = outer
      stride *= 4
    }
    return bound
  }
  return { low: edge(law.lower[index] ?? 0), high: edge(law.upper[index] ?? 0) }
}

function peakOf(points: Points, shape: readonly number[], limit: number, testedTo: number): Peak {
  const [lambda = 0, sigma = 0, kappa = 0] = shape
  const value = Math.max(1, Math.sqrt((1 - sigma) / kappa))
  const { low, high } = profileBounds(peakLaw, points, [lambda, 1 - sigma, value], 2, limit, value)
  const concurrency = { value, low, high: Number.isFinite(high) ? high : null }
  return { concurrency, extrapolated: value > extrapolationLimit * testedTo }
}

function sumOf(points: Points, term: (point: Points[number]) => number): number {
  return points.reduce((sum, point) => sum + term(point), 0)
}
