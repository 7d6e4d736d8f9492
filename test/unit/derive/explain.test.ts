/** Explanations of synthetic runs: every kind of verdict, what a run lacked, the round that is to blame, and the choice of a target. */
import { describe, expect, it } from 'vitest'
import { deriveResults, type DerivationInput } from '../../../src/measurement/derive.ts'
import { explainRun } from '../../../src/measurement/explain.ts'
import type { TargetExplanation } from '../../../src/measurement/explanation-document.ts'
import type { CasePlan } from '../../../src/measurement/round-evidence.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'
import { distributionOf, mergeDistributions } from '../../../src/statistics/distribution.ts'
import { altered, syntheticRun, type RunOptions } from './synthetic-run.ts'

function explained(expression: string, options: RunOptions = {}): TargetExplanation {
  return only(syntheticRun({ targets: `targets: [{ title: T, expression: "${expression}" }]`, ...options }), 'T')
}

function only(run: DerivationInput, wanted: string): TargetExplanation {
  const [target, ...others] = explainRun(run, wanted).targets
  if (target === undefined || others.length > 0) throw new Error('not one target')
  return target
}

const spoilt = (run: ReturnType<typeof syntheticRun>, rounds: number): ReturnType<typeof syntheticRun> =>
  altered(
    run,
    ({ engine, round }) => engine === 'elicitation' && round < rounds,
    (evidence) => ({ ...evidence, audit: { ...evidence.audit, valid: false, reasons: ['It was late.'] } }),
  )

/** `slow` round trips of 500 ms replace as many of the candidate's in one round. */
function withSlowRound(run: ReturnType<typeof syntheticRun>, bad: number, slow: number): typeof run {
  const rounds = run.rounds.map((each) => {
    if (each.evidence.engine !== 'elicitation' || each.evidence.round !== bad) return each
    const [first, ...rest] = each.histograms.get('roundTrip') ?? []
    if (first === undefined) throw new Error('no block')
    let left = slow
    const counts = first.counts.map((count) => {
      const kept = Math.max(0, count - left)
      left -= count - kept
      return kept
    })
    const kept = [...counts.keys()].filter((index) => (counts[index] ?? 0) > 0)
    const block = mergeDistributions([
      {
        n: first.n - slow,
        values: Float64Array.from(kept, (index) => first.values[index] ?? NaN),
        counts: Float64Array.from(kept, (index) => counts[index] ?? NaN),
      },
      distributionOf(Array.from({ length: slow }, () => 500_000)),
    ])
    return { ...each, histograms: new Map(each.histograms).set('roundTrip', [block, ...rest]) }
  })
  return { ...run, rounds }
}

describe('a verdict', () => {
  it('of MET rests on the bound of the bad side, and says from how many rounds on it stood', () => {
    const target = explained('candidate.roundTrip.p99 < 300ms')
    expect(target).toMatchObject({
      verdict: 'MET',
      engine: 'elicitation',
      n: 20_000,
      counted: 'samples',
      bar: { comparator: '<', amount: 300, overMs: null },
      comparison: { quantity: 'measure', badSide: { side: 'upper', inside: true }, goodSide: { side: 'lower' } },
      lacks: [],
      command: null,
      forecast: { state: 'DECIDED', verdict: 'MET', fromRounds: 10, heldFromRounds: 6 },
    })
    expect(target.comparison?.badSide.value).toBe(target.high)
    expect(target.contributions).toMatchObject({ total: 0, worst: [] })
  })

  it('of NOT_MET rests on the bound of the good side', () => {
    const target = explained('candidate.roundTrip.p99 < 2ms')
    expect(target).toMatchObject({ verdict: 'NOT_MET', comparison: { goodSide: { side: 'lower', inside: false } } })
    expect(target.comparison?.goodSide.value).toBe(target.low)
  })

  it('of MARGINAL has one bound on either side', () => {
    const target = explained('candidate.roundTrip.p99 < 3.85ms')
    expect(target).toMatchObject({
      verdict: 'MARGINAL',
      comparison: { badSide: { side: 'upper', inside: false }, goodSide: { side: 'lower', inside: true } },
    })
    expect(target.drivers.map(({ side }) => side)).toEqual(['upper', 'lower'])
  })

  it('where more is better has its bad side below', () => {
    const target = explained('speedup.p50 >= 30')
    expect(target).toMatchObject({
      verdict: 'MET',
      counted: 'pairs of rounds',
      comparison: { badSide: { side: 'lower', inside: true }, goodSide: { side: 'upper' } },
    })
    expect(target.drivers[0]).toMatchObject({ side: 'lower', by: 'ratioRanks', rounds: 10 })
  })

  it('of throughput compares the completed share, not the rate', () => {
    const target = explained('candidate.throughputPerSecond >= 666')
    expect(target).toMatchObject({
      verdict: 'MET',
      comparison: { quantity: 'completedShare', bar: 0.999, backlogGrows: false, badSide: { side: 'lower' } },
    })
    // Clopper–Pearson without a failure: the n-th root of 5 %.
    expect(target.comparison?.badSide.value).toBeCloseTo(0.05 ** (1 / 20_000), 9)
  })
})

describe('the width of a bound', () => {
  it('comes from Student’s t where rounds differ more than their samples say', () => {
    const driver = explained('candidate.roundTrip.p99 < 3.85ms').drivers[0]
    expect(driver).toMatchObject({ side: 'upper', by: 'studentT', rounds: 10, n: 20_000 })
    const target = explained('candidate.roundTrip.p99 < 3.85ms')
    expect(driver?.orderStatistic).toBeLessThan(target.high ?? NaN)
  })

  it('comes from order statistics with the dispersion between blocks when stalls fill a second', () => {
    const run = Array.from({ length: 10 }, (_, round) => round).reduce(
      (before, round) => withSlowRound(before, round, 12),
      syntheticRun(),
    )
    const target = only(run, 'candidate.roundTrip.p99 < 4ms')
    // Every round has its twelve in its first second, so blocks differ and rounds hardly do.
    expect(target.drivers[0]).toMatchObject({ side: 'upper', by: 'orderStatistics', phiFrom: 'blocks' })
    const { phi, effectiveN, phiBetweenRounds, phiBetweenBlocks } = target.drivers[0] ?? { phi: 0, effectiveN: 0 }
    expect(phi).toBe(phiBetweenBlocks)
    expect(phi).toBeGreaterThan(phiBetweenRounds ?? Infinity)
    expect(effectiveN).toBeCloseTo(20_000 / phi, 6)
  })

  it('is the largest value where no sample may lie above the bound', () => {
    const same = { candidateUs: () => 2000, perRound: 40 }
    // 400 samples afford p99 (299), not the 2,990 that care for unseen clustering asks for.
    const target = explained('candidate.roundTrip.p99 < 300ms', same)
    expect(target.drivers[0]).toMatchObject({ by: 'nothingAbove', maximumFactor: 4, phiFrom: 'assumed', phi: 10 })
    expect(target.high).toBe(8)
  })
})

describe('the rounds to blame', () => {
  it('name a planted bad round first, with its share', () => {
    const run = withSlowRound(syntheticRun(), 6, 60)
    const { contributions } = only(run, 'candidate.roundTrip.p99 < 100ms')
    expect(contributions).toEqual({
      measure: 'aboveBar',
      total: 60,
      roundsWithAny: 1,
      rounds: 10,
      worst: [{ round: 6, attempt: 0, count: 60, n: 2000, value: 500 }],
    })
  })

  it('are five at most, the worst first', () => {
    const worst = explained('candidate.roundTrip.p99 < 3.85ms').contributions?.worst ?? []
    expect(worst).toHaveLength(5)
    expect(worst.map(({ count }) => count)).toEqual(worst.map(({ count }) => count ?? 0).toSorted((a, b) => b - a))
  })

  it('of errors are those with failed exchanges', () => {
    const run = syntheticRun({ targets: 'targets: [{ title: E, expression: "candidate.errorRate < 1%" }]' })
    const failing = altered(
      run,
      ({ engine, round }) => engine === 'elicitation' && round === 2,
      (evidence) => ({ ...evidence, counts: { ...evidence.counts, completed: 1999, refused: 1 } }),
    )
    // Without its sample in the histograms the round would not count.
    const rounds = failing.rounds.map((each) => {
      if (each.evidence.counts.refused === 0) return each
      const histograms = new Map(each.histograms)
      for (const tag of ['roundTrip', 'serviceTime']) {
        const samples = Array.from({ length: 1999 }, () => 2000)
        histograms.set(tag, [distributionOf(samples)])
      }
      return { ...each, histograms }
    })
    expect(only({ ...failing, rounds }, 'E').contributions).toMatchObject({
      measure: 'failed',
      total: 1,
      worst: [{ round: 2, count: 1, n: 2000, value: 0.0005 }],
    })
  })

  it('of a speed-up are those whose own ratio misses the bar, the smallest first', () => {
    const target = explained('speedup.p50 >= 545')
    const values = target.contributions?.worst.map(({ value }) => value ?? NaN) ?? []
    expect(values).toEqual(values.toSorted((a, b) => a - b))
    expect(values.every((value) => value < 545)).toBe(true)
  })
})

describe('what a run lacked', () => {
  it.each([
    ['candidate.agents >= 1001', 'agents', false, '--agents 1002 '],
    ['candidate.throughputPerSecond >= 5000', 'rate', false, '--rate 5000 '],
    ['candidate.roundTrip.p99 < 1s over 48h', 'duration', true, '--round-duration 17280s'],
    ['candidate.roundTrip.p99 < 1s over 45s', 'duration', true, '--rounds 15 '],
    ['candidate.roundTrip.p99 < 1s over 365d', 'duration', true, null],
    ['nats.roundTrip.p50 < 1s', 'engine', false, null],
    ['baseline.overhead.p99 < 20ms', 'stage', false, null],
    ['candidate.recovery.timeToFull < 5s', 'other', false, null],
  ])('%s: %s', (expression, kind, moreRoundsHelp, command) => {
    const target = explained(expression)
    expect(target).toMatchObject({ verdict: 'NOT_DEMONSTRATED', comparison: null })
    expect(target.lacks).toMatchObject([{ kind, moreRoundsHelp }])
    expect(target.forecast.state === 'NO_HELP').toBe(!moreRoundsHelp)
    if (command === null) expect(target.command).toBeNull()
    else expect(target.command).toContain(command)
  })

  it('is samples, which more rounds bring', () => {
    const target = explained('candidate.roundTrip.p999 < 1s', { perRound: 290 })
    expect(target.lacks).toMatchObject([{ kind: 'samples', moreRoundsHelp: true }])
    // 2,995 samples at 290 a round.
    expect(target.forecast).toMatchObject({ state: 'WOULD_DECIDE', verdict: 'MET', rounds: 11, exchanges: 3190 })
  })

  it('is everything at once, not only the first reason', () => {
    const target = explained('candidate.throughputPerSecond >= 5000 over 1h', { roundDurationMs: 1500 })
    expect(target.lacks.map(({ kind }) => kind)).toEqual(['rate', 'roundLength', 'duration'])
  })

  it('is samples of each round for a speed-up in the tail', () => {
    const target = explained('speedup.p99 >= 10', { perRound: 600 })
    expect(target.lacks).toMatchObject([{ kind: 'samplesPerRound', moreRoundsHelp: false }])
    // 1,200 samples at 200/s.
    expect(target.command).toContain('--round-duration 6s')
  })

  it('is valid rounds in an INVALID run, with the reason of each', () => {
    const target = only(spoilt(syntheticRun(), 4), 'P99')
    expect(target).toMatchObject({
      verdict: 'NOT_DEMONSTRATED',
      lacks: [{ kind: 'validRounds', moreRoundsHelp: true }],
      // Six valid rounds are few for ten planned ones, but enough for six.
      forecast: { state: 'WOULD_DECIDE', verdict: 'MET', fromRounds: 6, rounds: 6 },
    })
    expect(target.invalidRounds).toEqual(
      [0, 1, 2, 3].map((round) => ({ round, engine: 'elicitation', reasons: ['It was late.'] })),
    )
  })

  it('is any valid round at all: then nothing is forecast', () => {
    const target = only(spoilt(syntheticRun(), 10), 'P99')
    expect(target).toMatchObject({ value: null, contributions: null, drivers: [], forecast: { state: 'NO_HELP' } })
  })

  it('is the rest of a run that was cut short', () => {
    const run = syntheticRun()
    const rounds = run.rounds.filter(({ evidence }) => evidence.round < 4)
    const explanation = explainRun({ ...run, rounds }, 'P99')
    expect(explanation.finished).toBe(false)
    expect(explanation.targets[0]?.lacks[0]?.remedy).toBe('a run that is not cut short')
  })

  it('is more rounds where all that were planned are valid', () => {
    expect(explained('candidate.roundTrip.p99 < 1s', { rounds: 4 }).lacks[0]?.remedy).toBe('more rounds')
  })

  it('is the engine’s own stage, said once', () => {
    expect(explained('baseline.overhead.p99 < 20ms').forecast.reason).toContain('stage "total"')
  })
})

describe('a figure of a whole suite', () => {
  const targets = 'targets: [{ title: Back, expression: "candidate.recovery.timeToFull < 5s" }]'
  const base = syntheticRun({ rounds: 7, targets })
  const cases: CasePlan[] = [
    { name: 'crash', firstRound: 0, rounds: 1 },
    { name: 'control', firstRound: 1, rounds: 6 },
  ].map((each) => ({ agents: 100, ratePerSecond: 200, loadModel: 'open', roundDurationMs: 3000, ...each }))
  const plan = { ...base.manifest.plan, minimumRounds: 6, cases }
  const run = { ...base, manifest: { ...base.manifest, suite: 'failure-recovery' as const, plan } }

  it('is explained without a forecast, since repeated rounds of one load say nothing of it', () => {
    expect(only(run, 'Back')).toMatchObject({
      engine: 'elicitation',
      verdict: 'NOT_DEMONSTRATED',
      drivers: [],
      contributions: null,
      lacks: [{ kind: 'other', moreRoundsHelp: false }],
      forecast: { state: 'NO_HELP', rounds: null, heldFromRounds: null },
      command: null,
    })
  })

  it('leaves the latencies of the same run to be explained at its control', () => {
    const explanation = explainRun(run, 'candidate.roundTrip.p99 < 3.9ms over 1m')
    expect(explanation.case).toBe('control')
    expect(explanation.targets[0]?.contributions?.rounds).toBe(6)
    expect(explanation.targets[0]?.command).toContain('lighthouse bench recovery ')
    expect(explanation.targets[0]?.command).not.toContain('--host')
  })
})

describe('the choice of a target', () => {
  const run = syntheticRun({
    targets: `targets:
  - { title: P99 Latency, expression: "candidate.roundTrip.p99 < 300ms" }
  - { title: P99.9 Latency, expression: "candidate.roundTrip.p999 < 1000ms" }
  - { title: Overhead, expression: "candidate.overhead.p99 < 20ms" }
  - { title: Agents, expression: "candidate.agents >= 10000" }
`,
  })
  it.each([
    ['candidate.roundTrip.p99<300ms', 'P99 Latency'],
    [' candidate.roundTrip.p99   < 300ms ', 'P99 Latency'],
    ['p99 latency', 'P99 Latency'],
    ['P99', 'P99 Latency'],
    ['P99.9', 'P99.9 Latency'],
    ['over', 'Overhead'],
    ['head', 'Overhead'],
    ['overhead.p99', 'Overhead'],
    ['p999', 'P99.9 Latency'],
    ['agents >= 1', 'Agents'],
  ])('%j is %s', (wanted, title) => {
    expect(only(run, wanted)).toMatchObject({ title, declared: true, mandatory: true })
  })

  it('is a new target when it is a whole expression, even where it begins like a declared one', () => {
    expect(only(run, 'candidate.agents >= 100')).toMatchObject({
      expression: 'candidate.agents >= 100',
      declared: false,
      mandatory: false,
      verdict: 'MET',
    })
    expect(deriveResults(run).targets).toHaveLength(4)
  })

  const refused = (wanted: string): LighthouseError => {
    try {
      explainRun(run, wanted)
    } catch (error) {
      if (error instanceof LighthouseError) return error
    }
    throw new Error('was not refused')
  }

  it('is refused when several fit, naming them', () => {
    const error = refused('latency')
    expect([error.code, error.exitCode]).toEqual(['USAGE', 2])
    expect(error.message).toContain('several')
    expect(error.suggestions.join(' ')).toMatch(/"P99 Latency".*"P99\.9 Latency"/)
    expect(error.suggestions.join(' ')).not.toContain('Agents')
  })

  it('is refused when none fits, with the nearest and all that there are', () => {
    const error = refused('Overhaed')
    expect([error.code, error.exitCode]).toEqual(['USAGE', 2])
    expect(error.suggestions[0]).toBe('Did you mean "Overhead"?')
    expect(error.suggestions.join(' ')).toMatch(/"P99 Latency".*"Agents"/)
  })

  it('is refused with the column when it looks like an expression', () => {
    expect(refused('candidate.roundTrip.p98 < 3ms').suggestions.join(' ')).toContain('column 21')
    expect(refused('').code).toBe('USAGE')
    expect(refused('x'.repeat(5000)).message.length).toBeLessThan(400)
  })
})

describe('everything', () => {
  it('explains each target and the rule that decided', () => {
    const run = syntheticRun({
      targets: `targets:
  - { title: Slow, expression: "candidate.roundTrip.p99 < 3.85ms" }
  - { title: Fast, expression: "candidate.roundTrip.p50 < 1us", mandatoryIn: [] }
`,
    })
    const explanation = explainRun(run, 'all')
    const results = deriveResults(run)
    expect(explanation.targets.map(({ title, verdict }) => [title, verdict])).toEqual([
      ['Slow', 'MARGINAL'],
      ['Fast', 'NOT_MET'],
    ])
    expect(explanation.decision?.rules.map(({ rule, state }) => [rule, state])).toEqual([
      [1, 'DID_NOT_APPLY'],
      [2, 'DID_NOT_APPLY'],
      [3, 'DID_NOT_APPLY'],
      [4, 'DECIDED'],
      [5, 'NOT_REACHED'],
    ])
    expect(explanation.decision?.rules[3]).toMatchObject({
      decision: results.decision,
      reasons: results.decisionReasons,
    })
    expect(explanation.decision?.conditions).toEqual(results.conditions)
  })

  it('sets findings apart from reasons', () => {
    const run = syntheticRun()
    const explanation = explainRun({ ...run, manifest: { ...run.manifest, interrupted: true } }, 'all')
    expect(explanation.decision?.findings).toEqual(['finding: the run was interrupted before its planned end'])
    expect(explanation.decision?.rules[4]?.reasons).toHaveLength(2)
  })

  it('says the same of each target as the results', () => {
    const run = syntheticRun()
    const fields = ({ expression, title, verdict, mandatory, value, low, high, n, required, unit, reason }: Same) => ({
      ...{ expression, title, verdict, mandatory, value, low, high, n, required, unit, reason },
    })
    expect(explainRun(run, 'all').targets.map(fields)).toEqual(deriveResults(run).targets.map(fields))
  })
})
type Same = ReturnType<typeof deriveResults>['targets'][number]

describe('a run of several loads', () => {
  it('is explained at the load that the decision is about', () => {
    const levels = [10, 100]
    const base = withSlowRound(withSlowRound(syntheticRun({ rounds: 12 }), 2, 90), 9, 70)
    const cases: CasePlan[] = levels.map((agents, index) => ({
      name: `agents-${agents}`,
      agents,
      ratePerSecond: 200,
      loadModel: 'open',
      roundDurationMs: 3000,
      firstRound: index * 6,
      rounds: 6,
    }))
    const manifest = { ...base.manifest, suite: 'scaling' as const, plan: { ...base.manifest.plan, cases } }
    const explanation = explainRun({ ...base, manifest }, 'candidate.roundTrip.p99 < 100ms')
    expect(explanation).toMatchObject({ case: 'agents-100', suite: 'scaling' })
    // Round 10 of the run is round 4 of its load; the slow round of the other load is not of this verdict.
    expect(explanation.targets[0]?.contributions).toMatchObject({
      total: 70,
      rounds: 6,
      worst: [{ round: 3, count: 70 }],
    })
    expect(explainRun({ ...base, manifest }, 'candidate.agents >= 500').targets[0]?.command).toContain(
      '--agents-list 500 ',
    )
  })
})
