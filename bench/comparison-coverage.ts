/**
 * How often the bounds of the ratio of two groups' P99 hold, and how often an equal margin is passed that should not be: `node bench/comparison-coverage.ts [RUNS]`.
 *
 * Both groups have the same law but for a factor, so the true ratio is that factor. Levels are first-order autoregressive, one of each group's own and one that
 * both have in common; deliveries are log-normal around them. Rows that name a block of 1 show what drawing intervals one by one would be worth.
 */
import { seededRandom } from '../src/platform/random.ts'
import { distributionOf } from '../src/statistics/distribution.ts'
import { judgeNonInferiority } from '../src/statistics/non-inferiority.ts'
import { quantileRatios, type PairedCell } from '../src/statistics/quantile-ratio.ts'
import { normalQuantile } from '../src/statistics/special-functions.ts'

const runs = Number(process.argv[2] ?? 1000)
const truth = 1.1
const scenarios = [
  { intervals: 60, due: 100, rho: 0 },
  { intervals: 60, due: 100, rho: 0.6 },
  { intervals: 100, due: 100, rho: 0.6 },
  { intervals: 100, due: 100, rho: 0.8 },
  { intervals: 400, due: 50, rho: 0.6 },
  { intervals: 400, due: 50, rho: 0.9 },
  { intervals: 100, due: 100, rho: 0.8, block: 1 },
] as const

for (const scenario of scenarios) {
  const { intervals, due, rho } = scenario
  const random = seededRandom(`coverage/${intervals}/${due}/${rho}`)
  const normal = (): number => normalQuantile(Math.max(1e-9, random.uniform()))
  const counts = { high: 0, low: 0, ends: 0, passed: 0, block: 0 }
  for (let run = 0; run < runs; run++) {
    const levels = [normal(), normal(), normal()]
    const cells = Array.from({ length: intervals }, (): PairedCell => {
      for (const [index, level] of levels.entries()) levels[index] = rho * level + Math.sqrt(1 - rho * rho) * normal()
      const [own = 0, other = 0, common = 0] = levels
      const group = (level: number, factor: number) => ({
        beyond: 0,
        distribution: distributionOf(
          Array.from({ length: due }, () =>
            Math.ceil(factor * 1e5 * Math.exp(0.3 * (level + common) + 0.5 * normal())),
          ),
        ),
      })
      return { candidate: group(own, truth), baseline: group(other, 1) }
    })
    const block = 'block' in scenario ? { block: scenario.block } : {}
    const drawn = quantileRatios(cells, [0.99], { random, resamples: 1000, ...block })
    const [ratio] = drawn.ratios
    if (ratio === undefined) continue
    counts.block += drawn.block
    if (ratio.low !== null && ratio.high !== null) counts.ends++
    if ((ratio.high ?? Infinity) >= truth) counts.high++
    if ((ratio.low ?? 0) <= truth) counts.low++
    const data = { ratio, intervals, due: intervals * due, block: drawn.block }
    if (judgeNonInferiority(data, truth).verdict === 'NON_INFERIOR') counts.passed++
  }
  const percent = (count: number): string => `${((100 * count) / runs).toFixed(1)} %`
  process.stdout.write(
    `${JSON.stringify(scenario)}: upper bound holds ${percent(counts.high)}, lower ${percent(counts.low)}, both given ${percent(counts.ends)}, passed at its margin ${percent(counts.passed)}, block ${(counts.block / runs).toFixed(1)}\n`,
  )
}
