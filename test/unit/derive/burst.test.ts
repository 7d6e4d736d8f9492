/** Degradation and recovery from planted bursts: what was planted is found with its size, and a burst that harms nobody shows none. */
import { describe, expect, it } from 'vitest'
import type { BurstCaseResult } from '../../../src/measurement/burst-result.ts'
import { deriveResults } from '../../../src/measurement/derive.ts'
import type { ResultsDocument } from '../../../src/measurement/results-document.ts'
import type { RoundEvidence } from '../../../src/measurement/round-evidence.ts'
import { reportContent } from '../../../src/reports/report-content.ts'
import { burstRun, calmPerSecond, type Planted } from './burst-run.ts'
import { altered } from './synthetic-run.ts'

const targets = `targets:
  - { title: P99, expression: "candidate.roundTrip.p99 < 300ms" }
  - { title: Factor, expression: "candidate.burst.degradation <= 10x" }
  - { title: Factor of p50, expression: "candidate.burst.degradationP50 <= 10x" }
  - { title: Back, expression: "candidate.burst.recoveryTime <= 5s" }
  - { title: In the burst, expression: "candidate.burst.p99 < 300ms" }
`
const names = ['P99', 'Factor', 'Factor of p50', 'Back', 'In the burst']

const derived = (planted: Planted = {}): ResultsDocument => deriveResults(burstRun({ targets, ...planted }))

function caseOf(results: ResultsDocument, engine = 'elicitation'): BurstCaseResult {
  const found = results.burst?.cases.find((each) => each.engine === engine)
  if (found === undefined) throw new Error(`no burst of ${engine}`)
  return found
}
const ofCandidate = (planted: Planted = {}): BurstCaseResult => caseOf(derived(planted))

function verdicts(results: ResultsDocument): Record<string, string> {
  return Object.fromEntries(names.map((name, index) => [name, results.targets[index]?.verdict ?? 'missing']))
}
const inBurst = (second: number): boolean => second === 3 || second === 4
const afterUntil =
  (end: number) =>
  (second: number): number =>
    second >= 5 && second < end ? 100 : 1

describe('a burst that harms nobody', () => {
  it('shows ratios of exactly 1, recovery at once, and meets every bar', () => {
    const results = derived()
    const calm = { agents: 200, ratePerSecond: calmPerSecond, failed: 0, p50Ms: 2, p99Ms: 4 }
    const none = { ratio: 1, low: 1, high: 1, rounds: 6, verdict: '~' }
    expect(caseOf(results)).toEqual({
      case: 'rate-1-10-1',
      engine: 'elicitation',
      rounds: 6,
      before: { ...calm, scheduled: 6 * 3 * 400 },
      steps: [{ ...calm, ratePerSecond: 4000, times: 10, scheduled: 6 * 2 * 4000, p50: none, p99: none }],
      after: { ...calm, scheduled: 6 * 7 * 400 },
      recovery: { medianMs: 0, lowMs: 0, highMs: 0, rounds: 6, recoveredRounds: 6, windows: 2, watchedMs: 7000 },
      backlogBefore: 1,
      backlogMax: 1,
    })
    expect(results.burst?.cases.map(({ engine }) => engine)).toEqual(['polling', 'elicitation'])
    expect(Object.values(verdicts(results))).toEqual(Array(5).fill('MET'))
    expect(results.decision).toBe('APPROVED')
    expect(results.scope).toMatch(/^200 agents, 200 exchanges\/s, 6 × 3 s/)
    expect(results.decisionReasons.filter((line) => line.startsWith('finding'))).toEqual([])
  })
})

describe('degradation', () => {
  it('is the factor that was planted', () => {
    const results = derived({ times: (second) => (inBurst(second) ? 3 : 1) })
    const [step] = caseOf(results).steps
    expect(step).toMatchObject({ p50Ms: 6, p99Ms: 12 })
    for (const factor of [step?.p50, step?.p99]) {
      expect(factor).toEqual({ ratio: 3, low: 3, high: 3, rounds: 6, verdict: 'degraded' })
    }
    expect(caseOf(results, 'polling').steps[0]?.p99.ratio).toBe(1)
    expect(results.targets[1]).toMatchObject({ value: 3, low: 3, high: 3, unit: 'x', n: 6, verdict: 'MET' })
  })

  it('is the median of the rounds, each against its own calm, with the extremes of six as interval', () => {
    const factors = [2, 7, 3, 6, 4, 5]
    // A round that is slow throughout is not degraded by its burst.
    const times = (second: number, round: number): number =>
      (round + 1) * (inBurst(second) ? (factors[round] ?? NaN) : 1)
    expect(ofCandidate({ times }).steps[0]?.p99).toEqual({
      ratio: 4.5,
      low: 2,
      high: 7,
      rounds: 6,
      verdict: 'degraded',
    })
  })

  it('misses its bar when the lower bound is above it, and is marginal when the interval holds it', () => {
    const planted = (times: (round: number) => number): Planted => ({
      times: (second, round) => (inBurst(second) ? times(round) : 1),
    })
    expect(verdicts(derived(planted(() => 11)))).toMatchObject({ Factor: 'NOT_MET', 'Factor of p50': 'NOT_MET' })
    expect(verdicts(derived(planted((round) => 8 + round)))).toMatchObject({ Factor: 'MARGINAL', Back: 'MET' })
  })

  it('says improved where the burst was quicker, and shows no difference where rounds disagree', () => {
    const faster = ofCandidate({ times: (second) => (inBurst(second) ? 0.5 : 1) })
    expect(faster.steps[0]?.p50).toMatchObject({ ratio: 0.5, verdict: 'improved' })
    const mixed = ofCandidate({ times: (second, round) => (inBurst(second) && round % 2 === 0 ? 2 : 1) })
    expect(mixed.steps[0]?.p50).toMatchObject({ ratio: 1.5, low: 1, high: 2, verdict: '~' })
  })

  it('cannot be hidden by refusing: what failed counts with its deadline', () => {
    const results = derived({ failing: (second) => (inBurst(second) ? 80 : 0) })
    const { steps } = caseOf(results)
    // 2 % of the burst failed, so its p99 is the deadline of 5 s; the median knows nothing of it.
    expect(steps[0]).toMatchObject({ failed: 6 * 160, p50Ms: 2, p99Ms: 5000, p99: { ratio: 1250 }, p50: { ratio: 1 } })
    expect(verdicts(results)).toMatchObject({ Factor: 'NOT_MET', 'In the burst': 'NOT_MET', 'Factor of p50': 'MET' })
    expect(results.decision).toBe('REQUIRES_REMEDIATION')
    expect(results.decisionReasons).toContain(
      'finding: elicitation failed 960 of 48000 exchanges at 10 times the rate (rate-1-10-1)',
    )
  })

  it('of p99 is not demonstrated where a round holds too few exchanges before the burst', () => {
    const results = derived({ perSecond: 100 })
    const [step] = caseOf(results).steps
    expect(step?.p99).toEqual({ ratio: null, low: null, high: null, rounds: 0, verdict: 'NOT_DEMONSTRATED' })
    expect(step?.p50).toMatchObject({ ratio: 1, rounds: 6 })
    expect(verdicts(results)).toMatchObject({ Factor: 'NOT_DEMONSTRATED', 'Factor of p50': 'MET', Back: 'MET' })
    expect(results.targets[1]?.reason).toMatch(/rounds with 1000 exchanges before the burst and in it: 0; 6 are needed/)
  })
})

describe('recovery', () => {
  it('lasts from the end of the burst to the first of two good seconds in a row', () => {
    expect(ofCandidate({ times: afterUntil(7) }).recovery).toMatchObject({ medianMs: 2000, lowMs: 2000, highMs: 2000 })
    // Seconds 5, 6 and 8 are bad: the good one between them is chance.
    const times = (second: number): number => (second === 5 || second === 6 || second === 8 ? 100 : 1)
    expect(ofCandidate({ times }).recovery.medianMs).toBe(4000)
  })

  it.each<readonly [string, Planted]>([
    ['latency', { times: (second) => (second === 5 ? 100 : 1) }],
    ['failures', { failing: (second) => (second === 5 ? 40 : 0) }],
    ['a backlog', { backlog: (second) => (second === 5 ? 7 : 1) }],
  ])('waits for %s', (_what, planted) => {
    expect(ofCandidate(planted).recovery.medianMs).toBe(1000)
  })

  it.each<readonly [string, Planted]>([
    ['a latency that is short all the same', { times: (second) => (second === 5 ? 4 : 1) }],
    ['failures of 5 %', { failing: (second) => (second === 5 ? 20 : 0) }],
    ['five more that wait', { backlog: (second) => (second === 5 ? 6 : 1) }],
  ])('does not wait for %s', (_what, planted) => {
    expect(ofCandidate(planted).recovery.medianMs).toBe(0)
  })

  it('is the median over rounds, with its interval', () => {
    const seconds = [0, 1, 2, 3, 4, 5]
    const times = (second: number, round: number): number => afterUntil(5 + (seconds[round] ?? 0))(second)
    expect(ofCandidate({ times }).recovery).toMatchObject({
      medianMs: 2500,
      lowMs: 0,
      highMs: 5000,
      recoveredRounds: 6,
    })
  })

  it('that did not come within what was watched has no upper end, and no median where half lack it', () => {
    const late = (rounds: number) =>
      derived({ times: (second, round) => (round < rounds ? afterUntil(12)(second) : 1) })
    expect(caseOf(late(2)).recovery).toMatchObject({ medianMs: 0, lowMs: 0, highMs: null, recoveredRounds: 4 })
    expect(caseOf(late(3)).recovery).toMatchObject({ medianMs: null, lowMs: 0, highMs: null, recoveredRounds: 3 })
    expect(verdicts(late(2))['Back']).toBe('MARGINAL')
    const never = late(6)
    // No run of two began in the first six seconds, so it took at least six.
    expect(caseOf(never).recovery).toMatchObject({ medianMs: null, lowMs: 6000, highMs: null, recoveredRounds: 0 })
    expect(never.targets[3]).toMatchObject({ verdict: 'NOT_MET', value: 6000, low: 6000, high: null, unit: 'ms' })
    expect(never.decisionReasons.join('\n')).toMatch(
      /finding: elicitation was not as good as before within the 7 s it was watched .*, in 6 of 6 rounds/,
    )
  })
})

describe('backlog', () => {
  it('is the most that waited, before the burst and from its begin on', () => {
    const backlog = (second: number, round: number): number => (second === 1 ? 30 + round : second === 4 ? 900 : 5)
    expect(ofCandidate({ backlog })).toMatchObject({ backlogBefore: 35, backlogMax: 900 })
  })
})

describe('steps', () => {
  const bursts = [[2, 5, 10]]
  const slow = (second: number): number => (second >= 5 && second < 7 ? 2 : second >= 7 && second < 9 ? 20 : 1)

  it('have a ratio each, and the highest is what targets are about', () => {
    const results = derived({ bursts, times: slow })
    expect(caseOf(results).steps.map(({ times, p99 }) => [times, p99.ratio])).toEqual([
      [2, 1],
      [5, 2],
      [10, 20],
    ])
    expect(results.targets[1]).toMatchObject({ value: 20, verdict: 'NOT_MET' })
    expect(results.targets[4]).toMatchObject({ value: 80 })
  })

  it('are the worst of all cases where no case is named, and their own where one is', () => {
    const own = `${targets}
  - { title: Low, expression: "candidate.burst.rate-1-2-1.degradation <= 10x" }
  - { title: None, expression: "candidate.burst.rate-1-3-1.degradation <= 10x" }
`
    const times = (second: number, round: number): number => (inBurst(second) ? (round < 6 ? 20 : 2) : 1)
    const results = derived({ bursts: [[10], [2]], times, targets: own })
    expect(results.targets.slice(1, 2)).toMatchObject([{ value: 20, verdict: 'NOT_MET' }])
    expect(results.targets.slice(5)).toMatchObject([
      { value: 2, verdict: 'MET' },
      { value: null, verdict: 'NOT_DEMONSTRATED', reason: 'no burst rate-1-3-1 was played' },
    ])
  })

  it('share the error of the lower bound among cases, and leave no upper one where a case has none', () => {
    const own = `${targets}
  - { title: Own, expression: "candidate.burst.rate-1-10-1.degradation <= 10x" }
`
    const spread = { rounds: 8, bursts: [[10], [2]], targets: own }
    // Eight rounds: ranks 2 and 7 at 5 % each, rank 1 at half of that.
    const factors = derived({ ...spread, times: (second, round) => (inBurst(second) && round < 8 ? 2 + round : 1) })
    expect(factors.targets[5]).toMatchObject({ value: 5.5, low: 3, high: 8 })
    expect(factors.targets[1]).toMatchObject({ value: 5.5, low: 2, high: 8 })
    const late = derived({
      ...spread,
      times: (second, round) => (round < 8 ? 1 : afterUntil(round % 2 ? 12 : 5)(second)),
    })
    expect(late.targets[3]).toMatchObject({ value: 6000, low: 0, high: null, verdict: 'MARGINAL' })
  })
})

describe('rounds', () => {
  it('that do not count leave figures without a verdict, by name', () => {
    const spoiled = altered(
      burstRun({ targets }),
      ({ engine, round }) => engine === 'elicitation' && round === 0,
      (evidence) => ({ ...evidence, audit: { ...evidence.audit, valid: false, reasons: ['The machine was away.'] } }),
    )
    const results = deriveResults(spoiled)
    expect(caseOf(results)).toMatchObject({ rounds: 5, recovery: { lowMs: null }, steps: [{ p99: { low: null } }] })
    const open = 'NOT_DEMONSTRATED'
    expect(verdicts(results)).toMatchObject({ P99: 'MET', Factor: open, Back: open, 'In the burst': open })
    expect(results.targets[3]?.reason).toBe('rate-1-10-1: 5 of 6 planned rounds count; 6 are needed')
    expect(results.decision).toBe('NEEDS_FURTHER_REVIEW')
  })

  it('whose seconds contradict their histograms or are missing count for nothing', () => {
    const moved = (evidence: RoundEvidence): RoundEvidence => {
      const { timeline } = evidence
      if (timeline === undefined || evidence.round > 1) return evidence
      // The same sum: ten of the burst's completed exchanges are claimed for the second before.
      const completed = timeline.completed.map((n, second) => n + (second === 2 ? 10 : second === 3 ? -10 : 0))
      return { ...evidence, timeline: { ...timeline, completed } }
    }
    expect(ofCandidate({ change: moved }).rounds).toBe(4)
    const untold = (evidence: RoundEvidence): RoundEvidence => {
      if (evidence.round > 0) return evidence
      const { timeline: _timeline, ...rest } = evidence
      return rest
    }
    expect(ofCandidate({ change: untold }).rounds).toBe(5)
  })

  it('of a run that was cut short before them leave every figure open', () => {
    const results = deriveResults({ ...burstRun({ targets }), rounds: [] })
    expect(caseOf(results)).toMatchObject({
      ...{ rounds: 0, backlogBefore: null, backlogMax: null, before: { scheduled: 0, p50Ms: null } },
      steps: [{ times: 10, p99Ms: null, p99: { ratio: null, verdict: 'NOT_DEMONSTRATED' } }],
      recovery: { medianMs: null, lowMs: null, highMs: null, rounds: 0 },
    })
    expect(Object.values(verdicts(results))).toEqual(Array(5).fill('NOT_DEMONSTRATED'))
    expect(reportContent(results).sections.map(({ title }) => title)).toContain('Bursts')
  })

  it('of a smoke run are too few for ratios and recovery, and enough for the p99 in the burst', () => {
    const results = derived({ profile: 'smoke', rounds: 1 })
    const open = 'NOT_DEMONSTRATED'
    expect(verdicts(results)).toEqual({
      ...{ P99: 'MET', 'In the burst': 'MET' },
      ...{ Factor: open, 'Factor of p50': open, Back: open },
    })
    expect(results.targets[3]?.reason).toBe('rate-1-10-1: rounds that count: 1; 6 are needed')
  })
})

describe('the decision of a burst run', () => {
  const burstRounds = (engine: string) => (evidence: { engine: string; round: number }) =>
    evidence.engine === engine && evidence.round === 0

  it('stops on a duplicate in a burst of the candidate, and on none of the baseline', () => {
    const duplicating = (engine: string) =>
      deriveResults(
        altered(burstRun({ targets }), burstRounds(engine), (evidence) => ({
          ...evidence,
          counts: { ...evidence.counts, duplicated: 1 },
        })),
      ).decision
    expect(duplicating('elicitation')).toBe('EMERGENCY_STOP')
    expect(duplicating('polling')).toBe('APPROVED')
  })

  it('is left open by an unknown ledger of the candidate; of the baseline it is a finding', () => {
    const unknown = (engine: string) =>
      deriveResults(
        altered(burstRun({ targets }), burstRounds(engine), (evidence) => ({
          ...evidence,
          ledger: { state: 'UNKNOWN', reasons: ['messages still arrived'] },
        })),
      )
    expect(unknown('elicitation').decision).toBe('NEEDS_FURTHER_REVIEW')
    const baseline = unknown('polling')
    expect(baseline.decision).toBe('APPROVED')
    expect(baseline.decisionReasons.join('\n')).toMatch(/finding: the ledger is UNKNOWN: rate-1-10-1: polling, round 1/)
  })
})

describe('the report', () => {
  const sections = (planted: Planted) => reportContent(derived(planted)).sections
  const rowsOf = (planted: Planted, title: string) =>
    sections(planted)
      .find((section) => section.title === title)
      ?.table?.rows.map((row) => row.map(({ text, detail }) => (detail === undefined ? text : `${text} | ${detail}`)))

  it('has a row for every step and engine, and one for what followed', () => {
    const planted = { times: (second: number) => (inBurst(second) ? 3 : afterUntil(7)(second)) }
    expect(rowsOf(planted, 'Bursts')?.[1]).toEqual([
      'rate-1-10-1',
      'elicitation',
      '200 at 4,000/s | from 400/s',
      '6.00 ms | from 2.00 ms',
      '3.00× | [3.00×, 3.00×] degraded',
      '12.0 ms | from 4.00 ms',
      '3.00× | [3.00×, 3.00×] degraded',
    ])
    expect(rowsOf(planted, 'After the burst')?.[1]).toEqual([
      ...[
        'rate-1-10-1',
        'elicitation',
        '2,000 ms | [2,000, 2,000]',
        '6 of 6',
        '1 | from 1',
        '0 before, 0 in it, 0 after',
      ],
    ])
  })

  it('says what was not demonstrated and what never came', () => {
    const never = { times: afterUntil(12), perSecond: 100 }
    expect(rowsOf(never, 'Bursts')?.[1]?.slice(4)).toEqual([
      '1.00× | [1.00×, 1.00×] ~',
      '4.00 ms | from 4.00 ms',
      'not demonstrated',
    ])
    expect(rowsOf(never, 'After the burst')?.[1]?.slice(2, 4)).toEqual(['not within 7,000 ms', '0 of 6'])
  })
})
