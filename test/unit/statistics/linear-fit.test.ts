/** Reference values were computed with 40 digits (mpmath 1.3: normal equations, incomplete beta) and cut to 17. */
import { describe, expect, it } from 'vitest'
import { seededRandom, type Random } from '../../../src/platform/random.ts'
import {
  fitLine,
  testLinearity,
  type Line,
  type Linearity,
  type Observation,
} from '../../../src/statistics/linear-fit.ts'
import { normalQuantile, studentTQuantile } from '../../../src/statistics/special-functions.ts'

function near(actual: number | null | undefined, expected: number, relative = 1e-11): void {
  expect(Math.abs((actual ?? NaN) - expected)).toBeLessThanOrEqual(relative * Math.abs(expected))
}

function lineThrough(points: readonly Observation[]): Line {
  const fit = fitLine(points)
  if (fit.status !== 'FITTED') throw new Error(fit.reason)
  return fit
}

function shapeOf(points: readonly Observation[], gatePercent?: number): Linearity {
  const shape = testLinearity(points, gatePercent)
  if (shape.verdict === 'NOT_DEMONSTRATED') throw new Error(shape.reason)
  return shape
}

/** Standard normal, Box & Muller (1958). */
function normal(random: Random): number {
  return Math.sqrt(2 * random.exponential()) * Math.cos(2 * Math.PI * random.uniform())
}

const measured = [
  [1, 3.1, 1],
  [1, 2.9, 1],
  [2, 5.2, 1],
  [2, 4.7, 2],
  [4, 9.4, 2],
  [4, 8.8, 1],
  [8, 16.1, 0.5],
  [8, 17.2, 0.5],
  [16, 30.5, 0.25],
] as const
const plain = measured.map(([x, y]) => ({ x, y }))
const weighted = measured.map(([x, y, weight]) => ({ x, y, weight }))

describe('fitLine', () => {
  it('agrees with the normal equations', () => {
    const fit = lineThrough(plain)
    expect(fit).toMatchObject({ n: 9, distinctX: 5 })
    near(fit.slope.value, 1.8472642607683353)
    near(fit.slope.low, 1.7574173411732475)
    near(fit.slope.high, 1.9371111803634231)
    near(fit.intercept.value, 1.4362048894062864)
    near(fit.intercept.low, 0.8180650475088087)
    near(fit.intercept.high, 2.0543447313037641)
    near(fit.residualSd, 0.52496624268812005)
    near(fit.rSquared, 0.99704717440855343)
  })

  it('agrees with the weighted normal equations, and only the ratio of weights matters to the line', () => {
    const fit = lineThrough(weighted)
    near(fit.slope.value, 1.8925698704839809)
    near(fit.slope.low, 1.7653241830344942)
    near(fit.slope.high, 2.0198155579334673)
    near(fit.intercept.value, 1.2878663940013633)
    near(fit.intercept.low, 0.71116764879785189)
    near(fit.intercept.high, 1.8645651392048748)
    near(fit.residualSd, 0.47919262526695325)
    near(fit.rSquared, 0.9943726331817465)
    const heavier = lineThrough(weighted.map((point) => ({ ...point, weight: point.weight * 100 })))
    near(heavier.slope.high, 2.0198155579334673)
    near(heavier.residualSd, 4.7919262526695325)
  })

  it('keeps its digits far from the origin', () => {
    const fit = lineThrough([0, 1, 2, 3, 4, 5].map((step) => ({ x: 1e9 + step, y: 7 + 2 * step })))
    near(fit.slope.value, 2, 1e-9)
    near(fit.intercept.value, 7 - 2e9, 1e-9)
    near(fit.rSquared, 1)
  })

  it('has no interval through two points, and a constant y has slope 0 and no r²', () => {
    expect(
      lineThrough([
        { x: 1, y: 2 },
        { x: 3, y: 8 },
      ]),
    ).toMatchObject({
      slope: { value: 3, low: null, high: null },
      intercept: { value: -1, low: null, high: null },
      residualSd: null,
      rSquared: 1,
    })
    const flat = lineThrough([1, 2, 3, 4, 5].map((x) => ({ x, y: 0.1 })))
    expect(Math.abs(flat.slope.value)).toBeLessThan(1e-15)
    near(flat.intercept.value, 0.1)
    expect(flat.rSquared).toBeNull()
    const zero = lineThrough([1, 2, 3].map((x) => ({ x, y: 0 })))
    expect(zero).toMatchObject({ slope: { value: 0, low: 0, high: 0 }, residualSd: 0, rSquared: null })
  })

  it.each([
    ['no point', [], '0 distinct x; a line takes at least 2'],
    ['one x', [5, 5, 5].map((x, y) => ({ x, y })), '1 distinct x; a line takes at least 2'],
    ['zeros at one x', [0, 0, -0].map((x) => ({ x, y: 0 })), '1 distinct x; a line takes at least 2'],
    ['NaN', [1, 2, NaN, 4].map((x) => ({ x, y: x })), 'point 3 is not a pair of finite numbers'],
    ['infinity', [1, 2, 3].map((x) => ({ x, y: x === 1 ? Infinity : x })), 'point 1 is not a pair of finite numbers'],
    [
      'weight 0',
      [1, 2, 3].map((x) => ({ x, y: x, weight: 3 - x })),
      'the weight of point 3 is not a finite number above 0',
    ],
    [
      'weight below 0',
      [1, 2, 3].map((x) => ({ x, y: x, weight: x - 2 })),
      'the weight of point 1 is not a finite number above 0',
    ],
    [
      'overflow',
      [1, 2, 3].map((x) => ({ x: x * 1e-300, y: x * 1e300 })),
      'the numbers are too large, too small or too close together to compute with',
    ],
  ])('answers %s without a throw', (_, points: Observation[], reason) => {
    const fit = fitLine(points)
    expect(fit).toEqual({ status: 'NOT_DEMONSTRATED', n: points.length, reason })
  })

  it('holds slope and intercept in about 95 % of runs, where a normal quantile would not', () => {
    const random = seededRandom('linear-fit/coverage')
    const held = { slope: 0, intercept: 0, naive: 0 }
    const runs = 400
    const shrink = normalQuantile(0.975) / studentTQuantile(0.975, 4)
    for (let run = 0; run < runs; run++) {
      const { slope, intercept } = lineThrough(
        [1, 2, 4, 8, 16, 32].map((x) => ({ x, y: 5 + 0.3 * x + normal(random) })),
      )
      const half = ((slope.high ?? NaN) - (slope.low ?? NaN)) / 2
      if (Math.abs(slope.value - 0.3) <= half) held.slope++
      if ((intercept.low ?? NaN) <= 5 && (intercept.high ?? NaN) >= 5) held.intercept++
      if (Math.abs(slope.value - 0.3) <= half * shrink) held.naive++
    }
    // Simulated on these seeds: slope 94.75 %, intercept 94.5 %, slope with the normal quantile 88.75 %.
    for (const hits of [held.slope, held.intercept]) {
      expect(hits / runs).toBeGreaterThan(0.92)
      expect(hits / runs).toBeLessThan(0.98)
    }
    expect(held.naive / runs).toBeLessThan(0.92)
  })
})

describe('testLinearity', () => {
  it('agrees with the two regressions and the pure error', () => {
    const shape = shapeOf(plain)
    expect(shape).toMatchObject({ verdict: 'linear', n: 9, distinctX: 5 })
    expect(shape.addedSquare).toMatchObject({ numeratorDegrees: 1, denominatorDegrees: 6 })
    near(shape.addedSquare.f, 6.1427650939322285, 1e-10)
    near(shape.addedSquare.p, 0.047905185531767919, 1e-10)
    expect(shape.lackOfFit).toMatchObject({ numeratorDegrees: 3, denominatorDegrees: 4 })
    near(shape.lackOfFit?.f, 1.4324399881499284, 1e-10)
    near(shape.lackOfFit?.p, 0.35774635390109318, 1e-10)
    near(shape.p, 2 * 0.047905185531767919, 1e-10)
    near(shape.departurePercent, 1.7906656789078209, 1e-10)
    near(shape.bendPercent.value, 3.1404417572005971, 1e-10)
    near(shape.bendPercent.low, 0.039974752881191673, 1e-10)
    near(shape.bendPercent.high, 6.2409087615200024, 1e-10)
  })

  it('agrees with the weighted regressions', () => {
    const shape = shapeOf(weighted)
    near(shape.addedSquare.f, 5.1476154788726903, 1e-10)
    near(shape.lackOfFit?.f, 1.6058739896776707, 1e-10)
    near(shape.departurePercent, 3.8872157154365743, 1e-10)
    near(shape.bendPercent.value, 3.7309174151259663, 1e-10)
    near(shape.bendPercent.low, -0.29283185793278727, 1e-10)
  })

  it('counts the bend of known curves the same wherever the points lie', () => {
    for (const xs of [
      [0, 1, 2, 3, 4, 5, 6, 7, 8],
      [0, 1, 2, 4, 8],
      [0, 6, 7, 7, 8, 8],
    ]) {
      const square = shapeOf(xs.map((x) => ({ x, y: x * x })))
      near(square.bendPercent.value, -25, 1e-9)
      expect(square).toMatchObject({ verdict: 'curved', p: 0, addedSquare: { f: null, p: 0 } })
      // A falling branch of the same parabola sags as much; one turned over stands above its chord.
      near(shapeOf(xs.map((x) => ({ x, y: (8 - x) ** 2 }))).bendPercent.value, -25, 1e-9)
      near(shapeOf(xs.map((x) => ({ x, y: 7 - x * x }))).bendPercent.value, 25, 1e-9)
      // Symmetric: the quadratic's whole range is its bend, and the fitted line is flat.
      near(shapeOf(xs.map((x) => ({ x, y: (x - 4) ** 2 }))).bendPercent.value, -100, 1e-9)
    }
  })

  it('puts the gate of 10 % between x^1.3 and x^1.5', () => {
    const power = (exponent: number) => shapeOf(Array.from({ length: 33 }, (_, x) => ({ x, y: x ** exponent })))
    expect(power(1.3).verdict).toBe('linear')
    expect(power(1.3).bendPercent.value).toBeCloseTo(-9, 0)
    expect(power(1.5).verdict).toBe('curved')
    expect(power(1.5).bendPercent.value).toBeCloseTo(-14, 0)
  })

  it('calls neither a significant bend without effect curved nor a large one without significance', () => {
    const random = seededRandom('linear-fit/effect')
    const slight = Array.from({ length: 400 }, (_, i) => {
      const x = i % 20
      return { x, y: 10 * x + 0.05 * (x - 9.5) ** 2 + 0.1 * normal(random) }
    })
    const shape = shapeOf(slight)
    expect(shape.p).toBeLessThan(1e-6)
    expect(Math.abs(shape.bendPercent.value)).toBeLessThan(5)
    expect(shape.verdict).toBe('linear')
    expect(shapeOf(slight, 1).verdict).toBe('curved') // the gate it is, and nothing else
    const noisy = shapeOf([0, 1, 2, 3].map((x) => ({ x, y: [0, 3, 1, 2][x] ?? NaN })))
    expect(Math.abs(noisy.bendPercent.value)).toBeGreaterThan(10)
    expect(noisy.p).toBeGreaterThan(0.05)
    expect(noisy.verdict).toBe('linear')
    expect(noisy.bendPercent.high).toBeGreaterThan(10) // and the interval says how little was shown
  })

  it('sees by its replicates what a square cannot: a step in the middle', () => {
    const random = seededRandom('linear-fit/step')
    const points = [1, 2, 3, 4, 5, 6].flatMap((x) =>
      [0, 1, 2].map(() => ({ x, y: (x > 3 ? 10 : 0) + 0.3 * normal(random) })),
    )
    const shape = shapeOf(points)
    expect(shape.addedSquare.p).toBeGreaterThan(0.05)
    expect(shape.lackOfFit?.p).toBeLessThan(1e-6)
    expect(shape.departurePercent).toBeGreaterThan(10)
    expect(shape.verdict).toBe('curved')
    expect(shapeOf(points.filter((_, index) => index % 3 === 0)).verdict).toBe('linear') // without them it passes
  })

  it('errs on lines as rarely as promised and catches planted bends', () => {
    const random = seededRandom('linear-fit/power')
    const xs = [100, 200, 400, 600, 800, 1000].flatMap((x) => [x, x, x])
    const runs = 300
    const rate = (bend: number, of: (shape: Linearity) => boolean): number => {
      let hits = 0
      for (let run = 0; run < runs; run++) {
        const y = (x: number): number => 40 + 0.1 * x + bend * (1 - ((x - 550) / 450) ** 2) + 4 * normal(random)
        if (of(shapeOf(xs.map((x) => ({ x, y: y(x) }))))) hits++
      }
      return hits / runs
    }
    // Simulated on these seeds, noise of 4.4 % of the range: a line has p < 0.05 in 6.0 % of runs and is called curved
    // in 0 %; a bend of 22 % of the range is called curved in 100 %.
    expect(rate(0, ({ p }) => p < 0.05)).toBeLessThan(0.09)
    expect(rate(0, ({ verdict }) => verdict === 'curved')).toBeLessThan(0.05)
    expect(rate(20, ({ verdict }) => verdict === 'curved')).toBeGreaterThan(0.9)
  })

  it('holds the bend in about 95 % of runs', () => {
    const random = seededRandom('linear-fit/bend')
    let held = 0
    const runs = 400
    for (let run = 0; run < runs; run++) {
      const { bendPercent } = shapeOf(
        [0, 1, 2, 3, 4, 5, 6, 7, 8].map((x) => ({ x, y: 10 * x - 0.5 * x * (8 - x) + normal(random) })),
      )
      if ((bendPercent.low ?? NaN) <= -10 && (bendPercent.high ?? NaN) >= -10) held++
    }
    // Simulated on these seeds: 93.5 %.
    expect(held / runs).toBeGreaterThan(0.92)
    expect(held / runs).toBeLessThan(0.98)
  })

  it('finds nothing in an exact line or a constant, whatever the rounding', () => {
    for (const points of [
      [1, 2, 3, 4, 5, 6, 7].map((x) => ({ x, y: 0.1 * x + 0.3 })),
      [1, 1, 2, 2, 3, 4].map((x) => ({ x, y: x / 3 })),
      [1, 2, 3, 4, 5].map((x) => ({ x, y: 0.1 })),
      [1, 1, 2, 3, 4].map((x) => ({ x, y: 0 })),
    ]) {
      expect(shapeOf(points)).toMatchObject({ verdict: 'linear', p: 1 })
    }
  })

  it.each([
    [
      'three distinct x',
      [1, 2, 3, 3, 2].map((x) => ({ x, y: x * x })),
      '3 distinct x; to tell a bend from noise takes at least 4',
    ],
    ['one x', [4, 4, 4].map((x, y) => ({ x, y })), '1 distinct x; a line takes at least 2'],
    ['NaN', [1, 2, 3, 4].map((x) => ({ x, y: NaN })), 'point 1 is not a pair of finite numbers'],
  ])('does not judge %s', (_, points: Observation[], reason) => {
    expect(testLinearity(points)).toEqual({ verdict: 'NOT_DEMONSTRATED', n: points.length, reason })
  })

  it('does not judge by a gate that is none', () => {
    expect(testLinearity(plain, NaN)).toMatchObject({ verdict: 'NOT_DEMONSTRATED' })
    expect(testLinearity(plain, -1)).toMatchObject({ verdict: 'NOT_DEMONSTRATED' })
  })
})
