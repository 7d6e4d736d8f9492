/**
 * Forecasts proven by doing what they say: the run is written out with its rounds repeated as often as the forecast names
 * and goes through the whole derivation, once with that number of rounds and once with one round fewer.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deriveResults, type DerivationInput } from '../../../src/measurement/derive.ts'
import { explainRun } from '../../../src/measurement/explain.ts'
import type { Forecast } from '../../../src/measurement/explanation-document.ts'
import type { TargetVerdict } from '../../../src/statistics/verdict.ts'
import { altered, syntheticRun, type RunOptions } from './synthetic-run.ts'

function runFor(expression: string, options: RunOptions = {}): ReturnType<typeof syntheticRun> {
  return syntheticRun({ targets: `targets: [{ title: T, expression: "${expression}" }]`, ...options })
}

/** Built on its own, from evidence: nothing of the forecast's code is used. */
function repeatedRun(run: ReturnType<typeof syntheticRun>, rounds: number): DerivationInput {
  const planned = run.manifest.plan.rounds
  const minimumRounds = Math.max(6, Math.ceil(0.8 * rounds))
  return {
    ...run,
    manifest: {
      ...run.manifest,
      plan: { ...run.manifest.plan, rounds, minimumRounds, order: Array.from({ length: rounds }, () => []) },
    },
    rounds: ['polling', 'elicitation'].flatMap((engine) =>
      Array.from({ length: rounds }, (_, index) => {
        const source = run.rounds.find(
          ({ evidence }) => evidence.engine === engine && evidence.round === index % planned,
        )
        if (source === undefined) throw new Error('no such round')
        return { ...source, evidence: { ...source.evidence, round: index } }
      }),
    ),
  }
}

function verdictAt(run: ReturnType<typeof syntheticRun>, rounds: number): TargetVerdict | undefined {
  return deriveResults(repeatedRun(run, rounds)).targets[0]?.verdict
}

function forecastFor(run: DerivationInput): Forecast {
  const forecast = explainRun(run, 'T').targets[0]?.forecast
  if (forecast === undefined) throw new Error('no target')
  return forecast
}

describe('a forecast', () => {
  it.each([
    ['candidate.roundTrip.p99 < 3.85ms', 'MET'],
    ['candidate.roundTrip.p99 < 3.75ms', 'NOT_MET'],
    ['candidate.roundTrip.p50 < 1.85ms', 'MET'],
    ['candidate.errorRate < 0.01%', 'MET'],
    ['candidate.roundTrip.p99 < 1s over 48s', 'MET'],
    ['speedup.p50 >= 540', 'MET'],
  ] as const)('for %s names the smallest number of rounds that gives %s', (expression, verdict) => {
    const run = runFor(expression)
    expect(deriveResults(run).targets[0]?.verdict).toMatch(/MARGINAL|NOT_DEMONSTRATED/)
    const forecast = forecastFor(run)
    expect(forecast).toMatchObject({ state: 'WOULD_DECIDE', verdict, fromRounds: 10 })
    const rounds = forecast.rounds ?? 0
    expect(rounds).toBeGreaterThan(10)
    expect(forecast.exchanges).toBe(rounds * 2000)
    expect(forecast.durationMs).toBe(rounds * 2 * 3100)
    expect(verdictAt(run, rounds)).toBe(verdict)
    expect(verdictAt(run, rounds - 1)).not.toBe(verdict)
    // It is no lucky place in the order: the verdict stands through one more repetition.
    for (const more of [1, 4, 9]) expect(verdictAt(run, rounds + more)).toBe(verdict)
  })

  it('holds for any bar near the figure', { timeout: 60_000 }, () => {
    const bars = fc.integer({ min: 3600, max: 4100 })
    fc.assert(
      fc.property(bars, (us) => {
        const run = runFor(`candidate.roundTrip.p99 < ${us}us`, { perRound: 300, rounds: 6 })
        const { state, verdict, rounds, searchedRounds } = forecastFor(run)
        const now = deriveResults(run).targets[0]?.verdict
        if (state === 'DECIDED') return now === verdict
        if (now !== 'MARGINAL') return false
        if (state === 'BEYOND_LIMIT') return verdictAt(run, searchedRounds ?? 0) === 'MARGINAL'
        return verdictAt(run, rounds ?? 0) === verdict && verdictAt(run, (rounds ?? 0) - 1) !== verdict
      }),
      { numRuns: 10, seed: 20_260_101 },
    )
  })

  it('says so where the figure lies on the bar', () => {
    const run = runFor('candidate.roundTrip.p99 < 3.806ms')
    const forecast = forecastFor(run)
    expect(forecast).toMatchObject({ state: 'BEYOND_LIMIT', rounds: null, searchedRounds: 640 })
    expect(verdictAt(run, 640)).toBe('MARGINAL')
  })

  it('of a decided target names the rounds from which it stood', () => {
    const run = runFor('candidate.roundTrip.p99 < 4ms')
    const { state, heldFromRounds } = forecastFor(run)
    expect(state).toBe('DECIDED')
    const held = heldFromRounds ?? 0
    for (let rounds = held; rounds <= 10; rounds++) expect(verdictAt(run, rounds)).toBe('MET')
    expect(verdictAt(run, held - 1)).not.toBe('MET')
  })

  it('of a speed-up repeats the pairs that are valid on both engines, and does not pair strangers', () => {
    const run = altered(
      runFor('speedup.p50 >= 540'),
      ({ engine, round }) => engine === 'polling' && round === 1,
      (evidence) => ({ ...evidence, audit: { ...evidence.audit, valid: false, reasons: ['It was late.'] } }),
    )
    expect(forecastFor(run).fromRounds).toBe(9)
  })

  it('is none while another engine has no valid round, since the run stays INVALID', () => {
    const run = altered(
      runFor('candidate.roundTrip.p99 < 1s'),
      ({ engine }) => engine === 'polling',
      (evidence) => ({ ...evidence, audit: { ...evidence.audit, valid: false, reasons: ['It was late.'] } }),
    )
    expect(forecastFor(run)).toMatchObject({ state: 'NO_HELP', rounds: null })
    expect(forecastFor(run).reason).toContain('none of polling')
  })
})
