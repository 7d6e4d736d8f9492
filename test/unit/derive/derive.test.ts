import { describe, expect, it } from 'vitest'
import { deriveResults, type DerivationInput } from '../../../src/measurement/derive.ts'
import { canonicalJson } from '../../../src/measurement/canonical-json.ts'
import type { ExchangeCounts, ResultsDocument } from '../../../src/measurement/results-document.ts'
import type { RoundEvidence } from '../../../src/measurement/round-evidence.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'
import { distributionOf } from '../../../src/statistics/distribution.ts'
import { altered, syntheticRun } from './synthetic-run.ts'

const run = syntheticRun()
const results = deriveResults(run)

const only = (engine: string, round: number) => (evidence: RoundEvidence) =>
  evidence.engine === engine && evidence.round === round
const counts =
  (change: Partial<ExchangeCounts>) =>
  (evidence: RoundEvidence): RoundEvidence => ({
    ...evidence,
    counts: { ...evidence.counts, ...change },
  })
const audit =
  (change: Partial<RoundEvidence['audit']>) =>
  (evidence: RoundEvidence): RoundEvidence => ({
    ...evidence,
    audit: { ...evidence.audit, ...change },
  })
const targetOf = (document: ResultsDocument, title: string) => {
  const found = document.targets.find((target) => target.title === title)
  if (found === undefined) throw new Error(`no target ${title}`)
  return found
}

describe('deriveResults', () => {
  it('approves a clean run and accounts for every exchange', () => {
    expect(results).toMatchObject({ decision: 'APPROVED', exitCode: 0, invalidRounds: [], plannedRounds: 10 })
    expect(results.engines.map(({ label, role, validRounds }) => [label, role, validRounds])).toEqual([
      ['polling', 'baseline', 10],
      ['elicitation', 'candidate', 10],
    ])
    for (const engine of results.engines) {
      expect(engine.exchanges.scheduled).toBe(20_000)
      expect(engine.roundTrip.n).toBe(20_000)
      expect(engine.roundTrip.p50Ms as number).toBeLessThanOrEqual(engine.roundTrip.p99Ms as number)
      expect(engine.roundTrip.p99Ms as number).toBeLessThanOrEqual(engine.roundTrip.maxMs as number)
    }
    expect(results.scope).toContain('100 agents')
    expect(results.scope).toContain('10 × 3 s')
  })

  it('pools samples and never averages quantiles of rounds', () => {
    const pooled = run.rounds
      .filter((each) => each.evidence.engine === 'elicitation')
      .flatMap(({ histograms }) => histograms.get('roundTrip') ?? [])
      .flatMap(({ values, counts: each }) =>
        [...values].flatMap((value, index) => Array<number>(each[index] ?? 0).fill(value)),
      )
      .toSorted((a, b) => a - b)
    expect(results.engines[1]?.roundTrip.p999Ms).toBe((pooled[Math.ceil(0.999 * pooled.length) - 1] ?? NaN) / 1000)
  })

  it('is the same to the byte whatever the order of the rounds, and survives JSON', () => {
    const again = deriveResults({ ...run, rounds: run.rounds.toReversed() })
    expect(canonicalJson(again)).toBe(canonicalJson(results))
    const fromDisk: DerivationInput = {
      ...run,
      targets: JSON.parse(JSON.stringify({ targets: run.targets })),
      claims: JSON.parse(JSON.stringify({ claims: run.claims })),
    }
    expect(JSON.stringify(deriveResults(fromDisk))).toBe(JSON.stringify(results))
  })

  it('gives polling its theoretical delivery, and stages in microseconds', () => {
    expect(results.engines[0]?.polling).toMatchObject({
      databaseQueries: 15_000,
      wastedPolls: 120,
      theoreticalDelivery: { intervalMs: 1000, meanMs: 500, maxMs: 1000 },
    })
    expect(results.engines[1]?.polling).toBeUndefined()
    expect(results.engines[0]?.stages).toBeUndefined()
    expect(results.engines[1]?.stages?.total.p50Us as number).toBeGreaterThan(20)
    expect(results.engines[1]?.stages?.total.p99Us as number).toBeLessThanOrEqual(50)
  })

  it('keeps null apart from zero in resources', () => {
    const { resources } = results.engines[1] ?? { resources: null }
    expect(resources?.rssMaxBytes).toBeNull()
    expect(resources?.nullReasons['rssMaxBytes']).toContain('shares its process')
    expect(resources?.cpuUsPerExchange).toBe(100)
    expect(resources?.commits).toBe(500)
    const blind = altered(run, only('elicitation', 3), (evidence) => ({
      ...evidence,
      resources: { ...evidence.resources, cpuUs: null, nullReasons: { cpuUs: 'sampler died' } },
    }))
    const without = deriveResults(blind).engines[1]?.resources
    expect(without?.cpuPercent).toBeNull()
    expect(without?.nullReasons['cpuPercent']).toBe('sampler died')
  })

  it('compares round by round, and not without enough of them', () => {
    const p50 = results.comparisons.find(({ metric, quantile }) => metric === 'roundTrip' && quantile === 'p50')
    expect(p50).toMatchObject({ baseline: 'polling', candidate: 'elicitation', rounds: 10, verdict: 'faster' })
    expect(p50?.low as number).toBeLessThanOrEqual(p50?.ratio as number)
    const few = deriveResults(syntheticRun({ profile: 'smoke', rounds: 3, roundDurationMs: 1500, perRound: 300 }))
    for (const each of few.comparisons)
      expect(each).toMatchObject({ verdict: 'NOT_DEMONSTRATED', low: null, high: null })
  })

  it('finds no difference between an engine and itself', () => {
    const same = syntheticRun()
    const twins = {
      ...same,
      manifest: {
        ...same.manifest,
        engines: [
          { ...same.manifest.engines[1]!, label: 'elicitation', role: 'baseline' as const },
          { ...same.manifest.engines[1]!, label: 'elicitation#2' },
        ],
      },
      rounds: same.rounds
        .filter((each) => each.evidence.engine === 'elicitation')
        .flatMap((each, index, all) => [
          each,
          {
            evidence: { ...each.evidence, engine: 'elicitation#2' },
            histograms: all[(index + 1) % all.length]?.histograms ?? each.histograms,
          },
        ]),
    }
    expect(deriveResults(twins).comparisons.map(({ verdict }) => verdict)).toEqual(Array(9).fill('~'))
  })
})

describe('rounds that do not count', () => {
  const faults: [string, (evidence: RoundEvidence) => RoundEvidence, string][] = [
    ['an audit that failed', audit({ valid: false, reasons: ['The generator used 97 % of its core.'] }), '97 %'],
    ['an audit that failed without a word', audit({ valid: false }), 'without a reason'],
    ['reasons in an audit that says valid', audit({ reasons: ['late'] }), 'although it holds reasons'],
    ['fewer sent than offered', audit({ sent: 1979 }), 'less than 99 %'],
    ['more sent than scheduled', audit({ sent: 2001 }), 'sent in time'],
    ['a generator out of breath', audit({ cpuPercent: 91 }), '91 % of its core'],
    ['a figure that is not a number', audit({ cpuPercent: NaN }), 'NaN % of its core'],
    ['two ledgers', audit({ scheduled: 1999, sent: 1999 }), 'the ledger 2000'],
    ['counts that do not add up', counts({ refused: 1 }), 'do not add up'],
    ['an exchange that vanished', counts({ completed: 1999 }), 'do not add up'],
    ['a negative count', counts({ lost: -1, completed: 2001 }), 'lost is -1'],
    ['half an exchange', counts({ timedOut: 0.5, completed: 1999.5 }), 'timedOut is 0.5'],
    ['survivors only', counts({ completed: 1990, timedOut: 10 }), 'holds 2000 samples for 1990'],
    ['a clock that ran backwards', (e) => ({ ...e, samples: { negative: 1, outOfRange: 0 } }), 'negative'],
    ['a sample off the scale', (e) => ({ ...e, samples: { negative: 0, outOfRange: 1 } }), 'longer than'],
    ['no duration', (e) => ({ ...e, durationMs: 0 }), 'lasted 0 ms'],
  ]

  it.each(faults)('%s', (_, change, words) => {
    const document = deriveResults(altered(run, only('elicitation', 4), change))
    expect(document.invalidRounds).toHaveLength(1)
    expect(document.invalidRounds[0]).toMatchObject({ round: 4, engine: 'elicitation' })
    expect(document.invalidRounds[0]?.reasons.join(' ')).toContain(words)
    expect(document.engines[1]?.validRounds).toBe(9)
    expect(document.engines[1]?.roundTrip.n).toBe(18_000)
    expect(document.decision).toBe('APPROVED')
  })

  it('sends that were late by more than the bound, by the histogram and not by the audit', () => {
    const late = run.rounds.map((each) =>
      only('elicitation', 0)(each.evidence)
        ? {
            ...each,
            histograms: new Map([...each.histograms, ['lateness', [distributionOf(Array<number>(2000).fill(6000))]]]),
          }
        : each,
    )
    const document = deriveResults({ ...run, rounds: late })
    expect(document.invalidRounds[0]?.reasons[0]).toBe('Sends were late by 6 ms at p99; the bound is 5 ms.')
  })

  it('are replaced by a valid repeat, of which the first counts', () => {
    const bad = altered(run, only('elicitation', 4), audit({ valid: false, reasons: ['stolen'] }))
    const repeat = run.rounds.find((each) => only('elicitation', 4)(each.evidence))!
    const again = [1, 2].map((attempt) => ({ ...repeat, evidence: { ...repeat.evidence, attempt } }))
    const document = deriveResults({ ...bad, rounds: [...bad.rounds, ...again] })
    expect(document.engines[1]?.validRounds).toBe(10)
    expect(document.engines[1]?.roundTrip.n).toBe(20_000)
    expect(document.invalidRounds.map(({ reasons }) => reasons[0])).toEqual([
      'stolen',
      'An earlier attempt at this round is valid, so this one does not count.',
    ])
  })

  it('make the run INVALID when too few are left, and then no target passes or fails', () => {
    const document = deriveResults(
      altered(run, (e) => e.engine === 'elicitation' && e.round < 3, audit({ valid: false, reasons: ['x'] })),
    )
    expect(document).toMatchObject({ decision: 'NEEDS_FURTHER_REVIEW', exitCode: 23, generator: { valid: false } })
    for (const target of document.targets) expect(target.verdict).toBe('NOT_DEMONSTRATED')
    expect(document.scope).toContain('7 of 10 planned × 3 s')
    expect(document.notAssessed[0]?.what).toContain('7 of 10 planned rounds are valid, a decision needs 8')
    expect(document.notAssessed.filter(({ what }) => what.includes('candidate.'))).toEqual([])
  })

  it('are all of them in an empty run', () => {
    const document = deriveResults({ ...run, rounds: [] })
    expect(document).toMatchObject({ decision: 'NEEDS_FURTHER_REVIEW', exitCode: 23 })
    expect(document.engines[1]).toMatchObject({
      errorRate: null,
      throughputPerSecond: null,
      roundTrip: { n: 0, p50Ms: null },
    })
    expect(document.generator.achievedRatio).toBeNull()
    expect(canonicalJson(document)).not.toContain('NaN')
  })
})

describe('evidence that contradicts itself', () => {
  const thrown = (input: DerivationInput): string => {
    try {
      deriveResults(input)
    } catch (error) {
      if (error instanceof LighthouseError) return `${error.code}: ${error.message}`
      throw error
    }
    return 'nothing'
  }

  it('is refused', () => {
    const first = run.rounds[0]!
    expect(thrown({ ...run, rounds: [...run.rounds, first] })).toContain('recorded twice')
    expect(thrown(altered(run, only('polling', 0), (e) => ({ ...e, engine: 'nats' })))).toContain(
      'names no such engine',
    )
    expect(thrown(altered(run, only('polling', 0), (e) => ({ ...e, round: 10 })))).toContain('plans 10 rounds')
    expect(thrown({ ...run, manifest: { ...run.manifest, engines: [] } })).toContain('names no engine')
  })

  it('so are targets or claims that were changed after the run', () => {
    const weakened = run.targets.map((target) => ({
      ...target,
      expression: target.expression.replace('50ms', '5000ms'),
    }))
    expect(thrown({ ...run, targets: weakened })).toMatch(/^RUN_DIRECTORY: targets\.json has digest/)
    expect(thrown({ ...run, targets: run.targets.map((target) => ({ ...target, mandatoryIn: [] })) })).toContain(
      'digest',
    )
    const claim = { id: 'x', document: 'd', words: 'w', statement: 's', suite: 'scaling' }
    expect(thrown({ ...run, claims: { claims: [claim] } })).toMatch(/^RUN_DIRECTORY: claims\.json has digest/)
    expect(thrown({ ...run, targets: null })).toMatch(/^USAGE/)
  })
})

describe('the decision', () => {
  it.each(['duplicated', 'misdelivered', 'phantom', 'corrupt', 'unexpected', 'doubleTerminal', 'reordered'] as const)(
    'stops at one %s of the candidate, even in a round that does not count; of the baseline it is a finding',
    (name) => {
      const own = altered(run, only('elicitation', 2), counts({ [name]: 1 }))
      expect(deriveResults(own)).toMatchObject({ decision: 'EMERGENCY_STOP', exitCode: 22 })
      const spoiled = altered(own, only('elicitation', 2), audit({ valid: false, reasons: ['x'] }))
      expect(deriveResults(spoiled).decision).toBe('EMERGENCY_STOP')
      const other = deriveResults(altered(run, only('polling', 2), counts({ [name]: 1 })))
      expect(other.decision).toBe('APPROVED')
      // Polling declares no order, so there is nothing to find there.
      expect(other.decisionReasons.some((line) => line.includes(`1 ${name}`))).toBe(name !== 'reordered')
    },
  )

  it('does not stop at late answers or redeliveries on the wire', () => {
    expect(deriveResults(altered(run, only('elicitation', 2), counts({ late: 3, wireDuplicates: 5 }))).decision).toBe(
      'APPROVED',
    )
  })

  it('stops at a loss in a drained round, and holds when the ledger is UNKNOWN', () => {
    const lost = altered(run, only('elicitation', 2), counts({ completed: 1999, lost: 1 }))
    expect(deriveResults(lost).decision).toBe('EMERGENCY_STOP')
    const undrained = altered(lost, only('elicitation', 2), (e) => ({
      ...e,
      ledger: { state: 'UNKNOWN', reasons: ['drain timed out'] },
    }))
    expect(deriveResults(undrained).decision).toBe('NEEDS_FURTHER_REVIEW')
    const unknown = altered(run, only('polling', 2), (e) => ({
      ...e,
      ledger: { state: 'UNKNOWN', reasons: ['drain timed out'] },
    }))
    const document = deriveResults(unknown)
    expect(document).toMatchObject({ decision: 'NEEDS_FURTHER_REVIEW', ledger: { state: 'UNKNOWN' } })
    expect(document.ledger.reasons).toEqual(['polling, round 3: drain timed out'])
  })

  it('asks for remediation when the candidate is slow', () => {
    const slow = deriveResults(syntheticRun({ candidateUs: (random) => 400_000 + random.exponential() * 1000 }))
    expect(slow).toMatchObject({ decision: 'REQUIRES_REMEDIATION', exitCode: 21 })
    expect(targetOf(slow, 'P50').verdict).toBe('NOT_MET')
    expect(targetOf(slow, 'Speed').verdict).toBe('NOT_MET')
  })

  it('sets conditions when a quantile straddles its target', () => {
    const targets = 'targets:\n  - { title: P99, expression: "candidate.roundTrip.p99 < 3.8ms" }\n'
    const edge = deriveResults(syntheticRun({ targets, perRound: 600 }))
    expect(edge).toMatchObject({ decision: 'CONDITIONALLY_APPROVED', exitCode: 20 })
    expect(edge.conditions[0]).toMatchObject({ id: 'C1' })
  })
})
