/**
 * Measures what the intervals and verdicts of Lighthouse are worth: how often they hold the truth of a seeded model
 * (coverage-model.ts), how often a target at exactly the truth is falsely called MET, and the same for the naive rule.
 *
 *   node bench/coverage.ts [runs] [seed]        prints Markdown tables; 400 runs take about a minute of one core
 */
import { medianBounds, ratiosOf } from '../src/statistics/paired-ratio.ts'
import { quantileInterval, targetBounds } from '../src/statistics/quantile-interval.ts'
import { quantile } from '../src/statistics/distribution.ts'
import { seededRandom } from '../src/platform/random.ts'
import {
  alwaysTen,
  maximumHolds,
  naiveBounds,
  simulateRound,
  simulateRun,
  tally,
  truthOf,
  type BoundsRule,
  type Scenario,
} from './coverage-model.ts'

const runs = Number(process.argv[2] ?? 400)
const seed = process.argv[3] ?? 'coverage'
const truthRounds = 10_000

const standard: Scenario = {
  name: 'no stalls',
  ratePerSecond: 200,
  seconds: 3,
  rounds: 10,
  stallsPerSecond: 0,
  slowness: 1,
}
const scenarios: readonly Scenario[] = [
  standard,
  { ...standard, name: 'a stall every 2 s', stallsPerSecond: 0.5 },
  { ...standard, name: 'a stall every 10 s', stallsPerSecond: 0.1 },
  { ...standard, name: 'smoke: 3 × 1.5 s, a stall every 2 s', rounds: 3, seconds: 1.5, stallsPerSecond: 0.5 },
]
const quantiles = [
  ['P50', 0.5],
  ['P95', 0.95],
  ['P99', 0.99],
  ['P99.9', 0.999],
] as const

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
const line = (...cells: readonly string[]): void => console.log(`| ${cells.join(' | ')} |`)
const twoSided: BoundsRule = (rounds, q, alpha) => quantileInterval(rounds, q, 1 - 2 * alpha)

console.log(`${runs} runs per scenario, seed "${seed}", truth from ${truthRounds} further rounds.\n`)
line(
  'scenario',
  'quantile',
  'coverage of 95 %',
  'no upper end',
  'false MET (5 %)',
  'false NOT_MET (5 %)',
  'naive coverage',
  'naive false MET',
)
line('---', '---', '--:', '--:', '--:', '--:', '--:', '--:')
for (const scenario of scenarios) {
  const truth = truthOf(scenario, seededRandom(`${seed}/${scenario.name}/truth`), truthRounds)
  const random = seededRandom(`${seed}/${scenario.name}/runs`)
  const simulated = Array.from({ length: runs }, () => simulateRun(scenario, random))
  for (const [name, q] of quantiles) {
    const value = quantile(truth, q) ?? NaN
    const interval = tally(simulated, twoSided, q, 0.025, value)
    const verdict = tally(simulated, targetBounds, q, 0.05, value)
    const naive = tally(simulated, naiveBounds, q, 0.025, value)
    const naiveVerdict = tally(simulated, naiveBounds, q, 0.05, value)
    line(
      scenario.name,
      `${name} (${(value / 1000).toFixed(1)} ms)`,
      percent(interval.covered),
      percent(interval.open),
      percent(verdict.below),
      percent(verdict.above),
      percent(naive.covered),
      percent(naiveVerdict.below),
    )
  }
}

console.log('')
line('p99.9, upper bound without an exceedance', 'rule', 'false MET at the truth (5 %)', 'MET at 1000 ms')
line('---', '---', '--:', '--:')
for (const stallsPerSecond of [0.5, 0.1, 1 / 30, 0]) {
  const scenario = { ...standard, name: `unseen/${stallsPerSecond}`, stallsPerSecond }
  const truth = quantile(truthOf(scenario, seededRandom(`${seed}/${scenario.name}/truth`), truthRounds), 0.999) ?? NaN
  const random = seededRandom(`${seed}/${scenario.name}/runs`)
  const simulated = Array.from({ length: runs }, () => simulateRun(scenario, random))
  const every = stallsPerSecond === 0 ? 'no stalls' : `a stall every ${Math.round(1 / stallsPerSecond)} s`
  for (const [name, rule] of [
    ['four times the maximum', targetBounds],
    ['φ = 10 always', alwaysTen],
    ['the maximum', maximumHolds],
  ] as const) {
    const atTruth = tally(simulated, rule, 0.999, 0.05, truth)
    const distant = tally(simulated, rule, 0.999, 0.05, 1_000_000)
    line(`${every} (${(truth / 1000).toFixed(1)} ms)`, name, percent(atTruth.below), percent(distant.below))
  }
}

console.log('')
line('ratio of P50, true ratio 3', 'rounds', 'coverage of 95 %')
line('---', '--:', '--:')
const slower: Scenario = { ...standard, stallsPerSecond: 0.5, slowness: 3 }
const faster: Scenario = { ...standard, stallsPerSecond: 0.5 }
const ratioOfRounds = (count: number, name: string): number[] => {
  const random = seededRandom(`${seed}/ratio/${name}`)
  return ratiosOf(
    Array.from(
      { length: count },
      () => [simulateRound(slower, random).whole, simulateRound(faster, random).whole] as const,
    ),
    0.5,
  )
}
const trueRatio = medianBounds(ratioOfRounds(truthRounds, 'truth'), 0.025).ratio ?? NaN
for (const rounds of [6, 10]) {
  const repeats = runs * 2
  const ratios = ratioOfRounds(repeats * rounds, String(rounds))
  let covered = 0
  for (let repeat = 0; repeat < repeats; repeat++) {
    const { low, high } = medianBounds(ratios.slice(repeat * rounds, (repeat + 1) * rounds), 0.025)
    if (low !== null && high !== null && low <= trueRatio && trueRatio <= high) covered++
  }
  line(`measured over ${repeats} runs (median ${trueRatio.toFixed(3)})`, String(rounds), percent(covered / repeats))
}
