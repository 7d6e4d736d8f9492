/**
 * Endurance from planted intervals: leaks of known size are found in the series they were planted in and nowhere else, what only
 * looks like one is not called one, and what a run was too short or too patchy to know is said by name.
 */
import { describe, expect, it } from 'vitest'
import { deriveResults } from '../../../src/measurement/derive.ts'
import type { EngineEndurance, GrowthTrend } from '../../../src/measurement/endurance-result.ts'
import type { ResultsDocument } from '../../../src/measurement/results-document.ts'
import { resultsSchema } from '../../../src/measurement/results-schema.ts'
import { explainRun } from '../../../src/measurement/explain.ts'
import { reportContent } from '../../../src/reports/report-content.ts'
import { planEndurance } from '../../../src/suites/endurance.ts'
import { enduranceRun, normal, type Planted } from './endurance-run.ts'

function derived(planted: Planted = {}): { results: ResultsDocument; engine: EngineEndurance } {
  const results = deriveResults(enduranceRun(planted))
  const engine = results.endurance?.engines[0]
  if (engine === undefined) throw new Error('no engine')
  return { results, engine }
}

function verdicts(trends: readonly Pick<GrowthTrend, 'series' | 'verdict'>[]): Record<string, string> {
  return Object.fromEntries(trends.map(({ series, verdict }) => [series, verdict]))
}

function targetsOf({ targets }: ResultsDocument): Record<string, string> {
  return Object.fromEntries(targets.map(({ title, verdict }) => [title, verdict]))
}

const place = { label: 'elicitation', drainGraceMs: 1000, longestTtlMs: 120_000, exchangesKept: 65_536 }

const calm = {
  heap: 'none shown',
  external: 'none shown',
  native: 'none shown',
  wal: 'none shown',
  descriptors: 'none shown',
  connections: 'none shown',
}

/** 50 intervals of 15 s, as the standard profile plays them. */
const short: Planted = {
  rounds: 50,
  intervalMs: 15_000,
  everyMs: 15_600,
  perRound: 3000,
  profile: 'standard',
  leastWarmUpMs: 75_000,
  noiseBytes: 50_000,
}

describe('72 hours', () => {
  it('of a clean engine are clean, and show it', () => {
    const { results, engine } = derived()
    expect(verdicts(engine.held)).toEqual(calm)
    expect(engine.harness.map(({ verdict }) => verdict)).toEqual(Array.from({ length: 6 }, () => 'none shown'))
    expect(engine.store).toEqual([])
    expect(engine.service.map(({ series, verdict, step }) => [series, verdict, step])).toEqual([
      ['p50', 'none shown', null],
      ['p99', 'none shown', null],
      ['timePerExchange', 'none shown', null],
    ])
    expect(engine.coverage).toEqual({ dueIntervals: 432, measuredIntervals: 432, missedIntervals: 0, share: 1 })
    // 5 % of 72 h.
    expect(engine.warmUpMs).toBeCloseTo(0.05 * 72 * 3_600_000, -4)
    expect(engine.screen.series.map(({ verdict }) => verdict)).toEqual(['none shown', 'none shown', 'none shown'])
    expect(Object.values(targetsOf(results))).toEqual(Array.from({ length: 6 }, () => 'MET'))
    expect([results.decision, results.exitCode]).toEqual(['APPROVED', 0])
    expect(resultsSchema.safeParse(results).error).toBeUndefined()
  })

  it.each([
    ['heap', 'heapUsedBytes'],
    ['external', 'externalBytes'],
    ['native', 'nativeBytes'],
  ] as const)('a planted leak of 0.25 MB/h in %s is found there, with its size, and nowhere else', (series, key) => {
    const { results, engine } = derived({ engine: ({ hours }) => ({ [key]: 0.25e6 * hours }) })
    expect(verdicts(engine.held)).toEqual({ ...calm, [series]: 'leak' })
    const leak = engine.held.find((each) => each.series === series)
    expect(leak?.lowPerHour).toBeLessThan(0.25e6)
    expect(leak?.highPerHour).toBeGreaterThan(0.25e6)
    expect(leak?.detectablePerHour).toBeLessThan(0.25e6)
    expect(leak?.n).toBe(72)
    expect(targetsOf(results)).toMatchObject({ 'No leak': 'NOT_MET', 'No leak over 72 h': 'NOT_MET', P99: 'MET' })
    expect(results.decision).toBe('REQUIRES_REMEDIATION')
    expect(results.decisionReasons.join('\n')).toMatch(new RegExp(`elicitation leaks: ${series} by 0\\.2\\d+ MB/h`))
  })

  it('tells when a leaking heap reaches its limit', () => {
    const { engine } = derived({ engine: ({ hours }) => ({ heapUsedBytes: 10e6 * hours }), noiseBytes: 0 })
    const leak = engine.held.find(({ series }) => series === 'heap')
    // 4,000 MB less 60 MB and the 720 MB of 72 h, at 10 MB/h.
    expect(leak?.hoursToLimit).toBeGreaterThan(320)
    expect(leak?.hoursToLimit).toBeLessThan(325)
    expect(leak?.perHour).toBeCloseTo(10e6, -4)
  })

  it('descriptors that are never closed are found; those that come and go are not', () => {
    const leak = derived({ engine: ({ hours }) => ({ descriptors: 4 * hours }) }).engine
    expect(verdicts(leak.held)).toEqual({ ...calm, descriptors: 'leak' })
    const busy = derived({ engine: ({ random }) => ({ descriptors: 30 * normal(random) }) }).engine
    expect(verdicts(busy.held)).toEqual(calm)
  })

  it('a cache that fills for its TTL is no leak; one that fills all the time is', () => {
    const cache: Planted['engine'] = ({ hours }) => ({ heapUsedBytes: 40e6 * Math.min(1, hours / 6) })
    expect(verdicts(derived({ engine: cache, longestTtlMs: 6 * 3_600_000 }).engine.held)).toEqual(calm)
    const endless = derived({ engine: ({ hours }) => ({ heapUsedBytes: 40e6 * (hours / 72) }) }).engine
    expect(verdicts(endless.held)).toEqual({ ...calm, heap: 'leak' })
  })

  it('slow noise is no leak', () => {
    let level = 0
    const { engine } = derived({
      engine: ({ random }) => {
        level = 0.9 * level + Math.sqrt(1 - 0.81) * normal(random)
        return { heapUsedBytes: 8e6 * level }
      },
    })
    expect(engine.held.find(({ series }) => series === 'heap')?.verdict).not.toBe('leak')
  })

  it('what the harness itself holds is judged like the engine, and never taken for it', () => {
    const { results, engine } = derived({
      load: ({ hours }) => ({ heapUsedBytes: 1e6 * hours }),
      targets: 'targets:\n  - { title: Harness, expression: "candidate.endurance.harnessLeaks <= 0" }\n',
    })
    expect(verdicts(engine.held)).toEqual(calm)
    expect(verdicts(engine.harness)).toMatchObject({
      loadHeap: 'leak',
      loadNative: 'none shown',
      mainHeap: 'none shown',
    })
    expect(targetsOf(results)).toEqual({ Harness: 'NOT_MET' })
    expect(results.decisionReasons.join('\n')).toMatch(/the harness itself grows beside elicitation: loadHeap/)
  })

  it('a log that grows by design is no leak; how long the disk lasts is told', () => {
    const { results, engine } = derived({
      rest: ({ runHours }) => ({
        storeBytes: Math.round(1e9 * runHours),
        diskFreeBytes: Math.round(100e9 - 1e9 * runHours),
      }),
    })
    expect(verdicts(engine.held)).toEqual(calm)
    expect(engine.store[0]).toMatchObject({ series: 'store', verdict: 'leak' })
    // 28 h are left at the end, which is half an hour after the last point.
    expect(engine.store[0]?.hoursToLimit).toBeGreaterThan(27.5)
    expect(engine.store[0]?.hoursToLimit).toBeLessThan(29)
    expect(targetsOf(results)['No leak']).toBe('MET')
    expect(JSON.stringify(reportContent(results))).toContain('store on disk reaches its limit in')
  })
})

describe('service', () => {
  it('whose p99 grows by a third in 72 h drifts, and its p50 does not', () => {
    const { results, engine } = derived({ tail: ({ hours }) => 1 + hours / 216 })
    expect(engine.service.map(({ series, verdict }) => [series, verdict])).toEqual([
      ['p50', 'none shown'],
      ['p99', 'leak'],
      ['timePerExchange', 'none shown'],
    ])
    const drift = engine.service.find(({ series }) => series === 'p99')
    expect(drift?.ratio).toBeGreaterThan(1.25)
    expect(drift?.ratio).toBeLessThan(1.35)
    expect(targetsOf(results)).toMatchObject({ 'No drift': 'NOT_MET', 'No leak': 'MET' })
    expect(results.decisionReasons.join('\n')).toMatch(
      /elicitation drifts: p99 at the end is 1\.\d+ times that at the begin/,
    )
  })

  it('that takes a step late in the run is found to have, and when', () => {
    const { results, engine } = derived({ slower: ({ hours }) => (hours > 60.5 ? 1.5 : 1) })
    const steps = engine.service.map(({ series, step }) => [series, step === null ? null : Math.round(step.atHours)])
    expect(steps).toEqual([
      ['p50', 61],
      ['p99', 61],
      ['timePerExchange', null],
    ])
    expect(targetsOf(results)['No step']).toBe('NOT_MET')
    expect(results.decisionReasons.join('\n')).toMatch(/took a step 6[01]\.?\d* h into the run: p50/)
  })

  it('that completes ever less in the same time drifts', () => {
    const { engine } = derived({ perRound: 1400, failing: ({ hours }) => hours / 216 })
    expect(engine.service.map(({ series, verdict }) => [series, verdict])).toEqual([
      ['p50', 'none shown'],
      ['p99', 'none shown'],
      ['timePerExchange', 'leak'],
    ])
  })
})

describe('a short run', () => {
  it('of a dozen intervals knows nothing of leaks and says so by name', () => {
    const { results, engine } = derived({ ...short, rounds: 12, profile: 'smoke' })
    expect(new Set(engine.held.map(({ verdict }) => verdict))).toEqual(new Set(['inconclusive']))
    expect(new Set(engine.service.map(({ verdict }) => verdict))).toEqual(new Set(['inconclusive']))
    expect(new Set(engine.screen.series.map(({ verdict }) => verdict))).toEqual(new Set(['inconclusive']))
    const leak = results.targets.find(({ title }) => title === 'No leak')
    expect(leak).toMatchObject({ verdict: 'NOT_DEMONSTRATED', value: null, low: null, high: null })
    expect(leak?.reason).toMatch(/heap is inconclusive: 0 samples after a warm-up of 4 min are fewer than 30/)
    expect(results.decision).toBe('NEEDS_FURTHER_REVIEW')
    const report = JSON.stringify(reportContent(results))
    expect(report).toContain('inconclusive: heap; external memory')
  })

  it('of 50 intervals is judged for what it was, and never for 72 h', () => {
    const { results, engine } = derived(short)
    expect(verdicts(engine.held)).toEqual(calm)
    expect(engine.held[0]?.n).toBeGreaterThanOrEqual(30)
    expect(engine.held[0]?.horizonHours).toBeLessThan(0.2)
    expect(targetsOf(results)).toMatchObject({
      P99: 'MET',
      'No leak': 'MET',
      'P99 over 72 h': 'NOT_DEMONSTRATED',
      'No leak over 72 h': 'NOT_DEMONSTRATED',
    })
    expect(results.notAssessed.find(({ what }) => what.startsWith('No leak over 72 h'))).toEqual({
      what: 'No leak over 72 h (candidate.endurance.leaks <= 0 over 72h): measured for 12.5 min; the target names 72 h',
      command: 'lighthouse bench endurance --profile full --duration 72h',
    })
  })

  it('is told the duration that a target over 72 h takes, in flags of its own command', () => {
    const command = explainRun(enduranceRun(short), 'No leak over 72 h').targets[0]?.command
    expect(command).toBe(
      'lighthouse bench endurance --profile standard --engines elicitation --agents 100 --rate 200 --duration 259200s --interval 519s --targets targets.yaml',
    )
    expect(() =>
      planEndurance({ agents: 100, ratePerSecond: 200, durationMs: 259_200_000, intervalMs: 519_000 }, [place], 's'),
    ).not.toThrow()
  })

  it('screens what is kept per exchange, below what the leak verdict may call a leak', () => {
    const { results, engine } = derived({
      ...short,
      engine: ({ index }) => ({ heapUsedBytes: 20 * 3000 * index, allocatedBytes: 9000 * 3000 * index }),
    })
    expect(engine.held.find(({ series }) => series === 'heap')?.verdict).not.toBe('leak')
    const heap = engine.screen.series.find(({ series }) => series === 'heap')
    expect(heap?.verdict).toBe('retains')
    expect(heap?.lowBytesPerExchange).toBeLessThan(20)
    expect(heap?.highBytesPerExchange).toBeGreaterThan(20)
    expect(engine.screen.series.filter(({ series }) => series !== 'heap').map(({ verdict }) => verdict)).toEqual([
      'none shown',
      'none shown',
    ])
    expect(engine.screen.allocatedBytesPerExchange).toBeCloseTo(9000, 3)
    expect(engine.screen.label).toMatch(/^a screen over \d+ exchanges in [\d.]+ (min|s), not 72 h$/)
    expect(results.decisionReasons.join('\n')).toContain(`(${engine.screen.label})`)
  })
})

describe('a run that was cut short and resumed', () => {
  it('counts the gap as missing; within a twentieth it still shows what it measured', () => {
    const { results, engine } = derived({ gaps: { 200: 2 * 3_600_000 } })
    expect(engine.lives).toBe(2)
    expect(engine.coverage).toMatchObject({ dueIntervals: 432 + 13, measuredIntervals: 432, missedIntervals: 13 })
    expect(verdicts(engine.held)).toEqual(calm)
    // The longer of two lives: 232 intervals.
    expect(new Set(engine.held.map(({ life }) => life))).toEqual(new Set([1]))
    expect(targetsOf(results)).toMatchObject({
      'No leak': 'MET',
      'P99 over 72 h': 'MET',
      // No process ran for 72 h.
      'No leak over 72 h': 'NOT_DEMONSTRATED',
    })
    expect(results.targets.find(({ title }) => title === 'No leak over 72 h')?.reason).toMatch(/measured for 2320 min/)
  })

  it('beyond a twentieth demonstrates nothing', () => {
    const { results, engine } = derived({ gaps: { 200: 5 * 3_600_000 } })
    expect(engine.coverage.missedIntervals).toBe(31)
    expect(engine.coverage.share).toBeLessThan(0.95)
    expect(targetsOf(results)).toMatchObject({ 'No leak': 'NOT_DEMONSTRATED', 'No drift': 'NOT_DEMONSTRATED' })
    expect(results.targets.find(({ title }) => title === 'No leak')?.reason).toBe(
      '432 of 463 intervals that were due were measured (93.3 %); 95 % are needed',
    )
    expect(results.decision).toBe('NEEDS_FURTHER_REVIEW')
  })

  it('does not compare memory across the restart: another level is no leak, and a restart does not hide one', () => {
    const higher = derived({
      gaps: { 200: 60_000 },
      engine: ({ index }) => ({ heapUsedBytes: index < 200 ? 0 : 300e6 }),
    })
    expect(verdicts(higher.engine.held)).toEqual(calm)
    const hidden = derived({ gaps: { 216: 60_000 }, engine: ({ hours }) => ({ heapUsedBytes: 1e6 * hours }) })
    expect(verdicts(hidden.engine.held)).toEqual({ ...calm, heap: 'leak' })
  })

  it('counts an interval that was begun and lost, however short the gap', () => {
    expect(derived({ gaps: { 200: 1000 } }).engine.coverage.missedIntervals).toBe(1)
  })
})

it('the order in which intervals are read changes nothing', () => {
  const run = enduranceRun({
    rounds: 60,
    gaps: { 40: 3_600_000 },
    engine: ({ hours }) => ({ heapUsedBytes: 10e6 * hours }),
  })
  const shuffledRun = { ...run, rounds: run.rounds.toReversed() }
  expect(JSON.stringify(deriveResults(shuffledRun))).toBe(JSON.stringify(deriveResults(run)))
})

it('a run without a single interval derives, and knows nothing', () => {
  const results = deriveResults({ ...enduranceRun({ rounds: 8 }), rounds: [] })
  expect(results.endurance?.engines[0]).toMatchObject({ lives: 0, held: [], harness: [], service: [] })
  expect(resultsSchema.safeParse(results).error).toBeUndefined()
  expect(targetsOf(results)['No leak']).toBe('NOT_DEMONSTRATED')
})

it('a heap that grows by next to nothing has no hours to its limit, or finite ones', () => {
  const { engine, results } = derived({
    rounds: 60,
    noiseBytes: 0,
    engine: ({ index }) => ({ heapUsedBytes: index === 59 ? 1 : 0 }),
  })
  expect(engine.held.every(({ hoursToLimit }) => hoursToLimit === null || Number.isFinite(hoursToLimit))).toBe(true)
  expect(JSON.parse(JSON.stringify(results))).toEqual(results)
})

describe('a reading', () => {
  it('at which load had not drained is none, and one of a round that the machine spoiled is one', () => {
    const { engine } = derived({
      ...short,
      change: (evidence) =>
        evidence.round === 30
          ? { ...evidence, ledger: { state: 'UNKNOWN', reasons: ['The drain reached its bound.'] } }
          : evidence.round === 31
            ? { ...evidence, audit: { ...evidence.audit, valid: false, reasons: ['The machine was away.'] } }
            : evidence,
    })
    const clean = derived(short).engine
    expect(engine.held[0]?.n).toBe((clean.held[0]?.n ?? 0) - 1)
    expect(engine.service[0]?.n).toBe((clean.service[0]?.n ?? 0) - 1)
    expect(engine.coverage.measuredIntervals).toBe(49)
  })
})
