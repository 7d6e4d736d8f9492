/** Patterns from planted rounds: times, failures, withdrawals and unfairness are found with their size, and contradictions are refused. */
import { describe, expect, it } from 'vitest'
import type { CoordinationEvidence } from '../../../src/measurement/coordination-evidence.ts'
import type { PatternResult } from '../../../src/measurement/coordination-result.ts'
import { deriveResults } from '../../../src/measurement/derive.ts'
import { commandFor } from '../../../src/measurement/explain-command.ts'
import type { Forecast } from '../../../src/measurement/explanation-document.ts'
import type { ResultsDocument } from '../../../src/measurement/results-document.ts'
import { resultsSchema } from '../../../src/measurement/results-schema.ts'
import type { CasePlan, RoundEvidence } from '../../../src/measurement/round-evidence.ts'
import { reportContent } from '../../../src/reports/report-content.ts'
import { parseTarget } from '../../../src/statistics/target-expression.ts'
import { coordinationRun, perRound, role, rounds, type Planted } from './coordination-run.ts'
import { altered } from './synthetic-run.ts'

const targets = `targets:
  - { title: P99, expression: "candidate.roundTrip.p99 < 300ms" }
  - { title: Gather, expression: "candidate.coordination.fan-out.p99 < 300ms" }
  - { title: Worst, expression: "candidate.coordination.p99 < 300ms" }
  - { title: Failed, expression: "candidate.coordination.failed < 0.01" }
  - { title: Fair, expression: "candidate.coordination.fairness >= 0.9" }
  - { title: Last served, expression: "candidate.coordination.quorum.worstToMedian <= 2x" }
`
const names = ['P99', 'Gather', 'Worst', 'Failed', 'Fair', 'Last served']
const derived = (planted: Planted = {}): ResultsDocument => deriveResults(coordinationRun(planted, targets))

function patternOf(results: ResultsDocument, name = 'fan-out', engine = 'elicitation'): PatternResult {
  const found = results.coordination?.patterns.find((each) => each.case === name && each.engine === engine)
  if (found === undefined) throw new Error(`no ${name} of ${engine}`)
  return found
}

function verdicts(results: ResultsDocument): Record<string, string> {
  return Object.fromEntries(names.map((name, index) => [name, results.targets[index]?.verdict ?? 'missing']))
}

describe('patterns that all engines play alike', () => {
  it('are published per case and engine, meet every bar, and fit the schema', () => {
    const results = derived()
    expect(results.coordination?.patterns.map(({ case: name, engine }) => `${name} ${engine}`)).toEqual([
      'quorum polling',
      'quorum elicitation',
      'fan-out polling',
      'fan-out elicitation',
    ])
    expect(patternOf(results)).toMatchObject({
      kind: 'fan-out',
      validRounds: 6,
      instancesPerSecond: 50,
      instances: { scheduled: 1200, completed: 1200, failed: 0 },
      completion: { n: 1200, p50Ms: 4, p99Ms: 4, maxMs: 4 },
    })
    expect(patternOf(results).fairness[0]).toEqual({
      role: 'member',
      agents: 40,
      measure: 'delivery',
      rounds: 6,
      exchangesPerAgent: 25,
      index: 0.98,
      indexInterval: [0.98, 0.98],
      indexByChance: 0.97,
      // More even than chance would have it.
      indexBeyondChance: 1,
      indexBeyondChanceInterval: [1, 1],
      worstToMedian: 1.5,
      worstToMedianInterval: [1.5, 1.5],
    })
    expect(verdicts(results)).toEqual(Object.fromEntries(names.map((name) => [name, 'MET'])))
    expect(results.decision).toBe('APPROVED')
    expect(results.scope).toMatch(/^50 agents, 200 exchanges\/s/)
    expect(resultsSchema.safeParse(JSON.parse(JSON.stringify(results))).error).toBeUndefined()
  })

  it('show no difference in time', () => {
    const { comparisons } = derived().coordination ?? { comparisons: [] }
    expect(comparisons).toHaveLength(4)
    expect(comparisons[0]).toEqual({
      case: 'quorum',
      baseline: 'polling',
      candidate: 'elicitation',
      quantile: 'p50',
      ratio: 1,
      low: 1,
      high: 1,
      rounds: 6,
      verdict: '~',
    })
  })
})

describe('the time of a pattern', () => {
  const slow = (): number[] => [...Array<number>(180).fill(4000), ...Array<number>(20).fill(500_000)]

  it('misses the bar of its own pattern and of the worst, not that of another', () => {
    const results = derived({ case: 'quorum', timesUs: slow })
    expect(patternOf(results, 'quorum').completion).toMatchObject({ p50Ms: 4, p99Ms: 500 })
    expect(verdicts(results)).toMatchObject({ Gather: 'MET', Worst: 'NOT_MET', P99: 'MET' })
    expect(results.decision).toBe('REQUIRES_REMEDIATION')
    expect(verdicts(derived({ case: 'fan-out', timesUs: slow }))).toMatchObject({ Gather: 'NOT_MET', Worst: 'NOT_MET' })
  })

  it('is compared per round with the other engine', () => {
    const times = (round: number): number[] => Array<number>(perRound).fill(4000 * (round + 2))
    const { comparisons } = derived({ engine: 'polling', case: 'fan-out', timesUs: times }).coordination ?? {}
    const found = comparisons?.find((each) => each.case === 'fan-out' && each.quantile === 'p50')
    expect(found).toMatchObject({ rounds: 6, verdict: 'faster' })
    expect(found?.ratio).toBeCloseTo(4.5, 1)
    expect([found?.low, found?.high].map((end) => Math.round(end ?? NaN))).toEqual([2, 7])
  })
})

/** Of an index of 0.5 where chance gives 0.97 in 25 samples: all samples would vary by less than their means, so that nothing is chance. */
const halfUneven = 0.5

describe('the worst of several patterns', () => {
  it('shares its error where it is said to miss, and has all of it where it is said to meet', () => {
    // Six rounds: an extreme bounds the median with an error of 1/64, more than 2.5 % shared by two, less than by four.
    const planted: Planted = {
      case: 'quorum',
      coordination: (evidence) => ({
        ...evidence,
        fairness: evidence.fairness.map((each) => ({ ...each, index: 0.5 })),
      }),
    }
    expect(derived(planted).targets[4]).toMatchObject({ verdict: 'NOT_MET', low: halfUneven, high: halfUneven })
    const run = coordinationRun(planted, targets)
    const [quorum, fanOut] = run.manifest.plan.cases ?? []
    if (quorum === undefined || fanOut === undefined) throw new Error('the run has two cases')
    const part = (each: typeof quorum, index: number) => ({
      ...each,
      name: index === 0 ? each.name : `${each.name}-${index}`,
      firstRound: (each === quorum ? 0 : rounds * 3) + index * rounds,
    })
    const cases = [...[0, 1, 2].map((index) => part(quorum, index)), part(fanOut, 0)]
    const ofFirst = run.rounds.filter(({ evidence }) => evidence.round < rounds)
    const copies = [1, 2].flatMap((index) =>
      ofFirst.map((each) => ({
        ...each,
        evidence: { ...each.evidence, round: each.evidence.round + index * rounds },
      })),
    )
    const last = run.rounds
      .filter(({ evidence }) => evidence.round >= rounds)
      .map((each) => ({ ...each, evidence: { ...each.evidence, round: each.evidence.round + 2 * rounds } }))
    const plan = { ...run.manifest.plan, cases, rounds: 4 * rounds }
    const order = Array.from({ length: 4 * rounds }, () => ['polling', 'elicitation'])
    const four = deriveResults({
      ...run,
      manifest: { ...run.manifest, plan: { ...plan, order } },
      rounds: [...ofFirst, ...copies, ...last],
    })
    expect(four.targets[4]).toMatchObject({ verdict: 'MARGINAL', low: halfUneven, high: null })
  })
})

describe('instances that fail', () => {
  it('are counted, found and judged, and are in no time', () => {
    const results = derived({ timesUs: () => Array<number>(perRound - 10).fill(4000) })
    expect(patternOf(results)).toMatchObject({
      instances: { scheduled: 1200, completed: 1140, failed: 60 },
      completion: { n: 1140 },
    })
    expect(verdicts(results)).toMatchObject({ Failed: 'NOT_MET' })
    expect(results.targets[3]).toMatchObject({ value: 0.05, n: 1200 })
    expect(results.decisionReasons).toContain('finding: 60 of 1200 instances of fan-out failed on elicitation')
  })
})

describe('unfairness', () => {
  const uneven = (index: number) => (evidence: CoordinationEvidence) => ({
    ...evidence,
    fairness: evidence.fairness.map((each) => ({ ...each, index, worstToMedian: 12 })),
  })

  it('misses its bar in the pattern that shows it, the median over rounds with the extremes of six', () => {
    const results = derived({ case: 'quorum', coordination: (evidence, round) => uneven(0.5 + round / 20)(evidence) })
    const { value, low, high } = results.targets[4] ?? {}
    expect(results.targets[4]).toMatchObject({ verdict: 'NOT_MET', n: 6, low: halfUneven })
    // Of 0.75: w = (25 × 0.03093 − 0.33333)/24 = 0.01833, b = 0.33333 − 0.01833 × 39/40. Likewise 0.60156 of 0.6 and 0.65405 of 0.65.
    expect(high).toBeCloseTo(0.76019, 5)
    expect(value).toBeGreaterThan(low ?? NaN)
    expect(value).toBeCloseTo((0.60156 + 0.65405) / 2, 4)
    expect(verdicts(results)).toMatchObject({ 'Last served': 'NOT_MET', Gather: 'MET' })
    expect(patternOf(results, 'quorum').fairness[0]?.indexInterval).toEqual([0.5, 0.75])
    expect(patternOf(results, 'fan-out').fairness[0]?.index).toBe(0.98)
  })

  it('is not demonstrated where agents take part too seldom for it', () => {
    const seldom = (evidence: CoordinationEvidence): CoordinationEvidence => ({
      ...evidence,
      // 45 exchanges are 9 broadcasts of 5.
      fairness: [role('member', 'delivery', 40, 9), role('broadcaster', 'roundTrip', 10, 45)],
    })
    const results = derived({ case: 'quorum', coordination: seldom })
    expect(results.targets[4]?.reason).toBe(
      'agents of quorum take part in fewer than 10 instances of a round, so chance would look unfair',
    )
    expect(results.targets[4]?.verdict).toBe('NOT_DEMONSTRATED')
  })

  it('is judged by the roles that can tell', () => {
    const half = (evidence: CoordinationEvidence): CoordinationEvidence => ({
      ...evidence,
      fairness: [
        role('member', 'delivery', 40, 25),
        { ...role('broadcaster', 'roundTrip', 10, 45), index: 0.1 },
        { ...role('alone', 'delivery', 1, 500), index: 0.2 },
      ],
    })
    expect(derived({ case: 'quorum', coordination: half }).targets[4]).toMatchObject({ verdict: 'MET', value: 1 })
  })
})

describe('a figure that the run does not give', () => {
  it('is not demonstrated, by name', () => {
    const run = coordinationRun({}, targets)
    const first = altered(
      run,
      ({ round }) => round < rounds,
      (evidence) => ({ ...evidence, audit: { ...evidence.audit, valid: false, reasons: ['Planted.'] } }),
    )
    const results = deriveResults(first)
    expect(results.targets[2]).toMatchObject({ verdict: 'NOT_DEMONSTRATED', reason: 'no round of quorum is valid' })
    expect(results.targets[1]?.verdict).toBe('MET')
    expect(results.decisionReasons).toContain(
      'finding: no round of elicitation in quorum is valid, so the pattern was not measured',
    )
  })
})

describe('evidence that contradicts itself', () => {
  const instances = { scheduled: perRound, completed: perRound, failed: 0 }
  it.each([
    ['instances that do not add up', { instances: { ...instances, failed: 3 } }, 'Instances do not add up'],
    [
      'more completed instances than were timed',
      { instances: { ...instances, completed: 199, failed: 1 } },
      'The histogram pattern holds 200 samples for 199 completed instances.',
    ],
    [
      'more withdrawn than asked for',
      { withdrawals: { asked: 1, withdrawn: 2 } },
      '2 exchanges were withdrawn, which was asked for 1.',
    ],
  ])('does not count: %s', (_, wrong, message) => {
    const results = derived({ case: 'fan-out', coordination: (evidence) => ({ ...evidence, ...wrong }) })
    expect(results.invalidRounds.flatMap(({ reasons }) => reasons).join(' ')).toContain(message)
    expect(results.decision).toBe('NEEDS_FURTHER_REVIEW')
  })

  it('does not count: times of patterns without what became of them', () => {
    const results = derived({
      case: 'fan-out',
      change: ({ coordination: _dropped, ...evidence }) => evidence,
    })
    expect(results.invalidRounds[0]?.reasons).toEqual([
      'The histogram pattern holds 200 samples of a round that played no pattern.',
    ])
  })

  it('lets a question arrive that was withdrawn, no more', () => {
    const withdrawn = (evidence: CoordinationEvidence): CoordinationEvidence => ({
      ...evidence,
      withdrawals: { asked: 50, withdrawn: 50 },
    })
    const fewer = (evidence: RoundEvidence): RoundEvidence => ({
      ...evidence,
      counts: { ...evidence.counts, scheduled: 550, completed: 550 },
      audit: { ...evidence.audit, scheduled: 550, sent: 550 },
    })
    const reasons = (planted: Planted): string =>
      derived({ case: 'fan-out', ...planted })
        .invalidRounds.flatMap((each) => each.reasons)
        .join(' ')
    expect(reasons({ change: fewer })).toContain('The histogram delivery holds 600 samples')
    expect(reasons({ change: fewer, coordination: withdrawn })).not.toContain('The histogram delivery')
  })
})

it('is in the report with its times, its fairness and what failed', () => {
  const text = JSON.stringify(reportContent(derived({ timesUs: () => Array<number>(perRound - 10).fill(4000) })))
  for (const words of ['Patterns', 'Patterns against the candidate', 'Fairness', 'fan-out', '40 × member', '4 ms']) {
    expect(text).toContain(words)
  }
})

describe('the command that would decide a target', () => {
  const forecast: Forecast = {
    ...{ state: 'WOULD_DECIDE', verdict: 'MET', fromRounds: 6, rounds: 20, exchanges: 4000, durationMs: 1e5 },
    ...{ heldFromRounds: null, searchedRounds: 100, reason: '' },
  }
  const asked = (change: (plan: CasePlan) => CasePlan): string | null => {
    const { manifest } = coordinationRun()
    const cases = manifest.plan.cases?.map(change) ?? []
    return commandFor(parseTarget('candidate.coordination.p99 < 300ms'), forecast, [], {
      ...manifest,
      plan: { ...manifest.plan, cases },
    })
  }

  it("names shipped patterns, and a file where one is the user's own", () => {
    expect(asked((each) => each)).toMatch(
      /^lighthouse bench coordination --profile standard --engines polling,elicitation --patterns quorum,fan-out --rounds 20 --round-duration 3s --targets targets.yaml$/,
    )
    expect(asked((each) => ({ ...each, name: `my-${each.name}` }))).toContain(' --workload FILE ')
  })
})
