/** Comparisons of two groups, byte for byte. `vitest run test/golden --update` writes them anew; read the difference. */
import { describe, expect, it } from 'vitest'
import type { ComparisonDocument, PhaseComparison } from '../../../src/measurement/comparison-document.ts'
import { renderComparison } from '../../../src/reports/comparison-text.ts'

const half: PhaseComparison = {
  phase: 'half',
  attempt: 1,
  percentage: 50,
  quantile: 'p99',
  margin: 1.1,
  alpha: 0.05,
  verdict: 'NON_INFERIOR',
  reason: 'the ratio is shown to be below 1.1',
  moreIntervals: 0,
  moreMs: 0,
  intervals: 60_450,
  intervalsPerCell: 32,
  cells: 1890,
  block: 22,
  resamples: 2000,
  candidate: { due: 6_044_120, failed: 181 },
  baseline: { due: 6_045_377, failed: 302 },
  quantiles: [
    { quantile: 'p50', candidateMs: 1.2, baselineMs: 512, ratio: 0.00234, low: 0.00231, high: 0.00238 },
    { quantile: 'p95', candidateMs: 4.81, baselineMs: 971, ratio: 0.00495, low: 0.0048, high: 0.0051 },
    { quantile: 'p99', candidateMs: 12.1, baselineMs: 1012, ratio: 0.01196, low: 0.0101, high: 0.0141 },
  ],
  failures: {
    candidate: 181 / 6_044_120,
    baseline: 302 / 6_045_377,
    difference: { value: -2e-5, low: -2.75e-5, high: -1.26e-5 },
    ratio: { value: 0.599, low: 0.496, high: 0.723 },
    phi: 1.12,
  },
  bounds: [
    {
      title: 'candidate.delivery.p99 < 300ms',
      expression: 'candidate.delivery.p99 < 300ms',
      both: 0,
      onlyCandidate: 0,
      onlyBaseline: 86,
      neither: 0,
      p: 2.6e-26,
      share: 0,
      low: 0,
      high: 0.042,
    },
  ],
  control: { pairs: 945, ratio: 1.004, noise: 1.02, verdict: 'NON_INFERIOR' },
  notes: ['32 neighbouring intervals are one cell: more than 2000 are not kept apart'],
}
const canary: PhaseComparison = {
  ...half,
  phase: 'canary-5',
  attempt: 2,
  percentage: 5,
  verdict: 'NOT_DEMONSTRATED',
  reason: '340 deliveries of the smaller group are too few for this quantile',
  moreIntervals: 117,
  moreMs: 1_170_000,
  intervals: 60,
  intervalsPerCell: 1,
  cells: 60,
  block: 6,
  candidate: { due: 340, failed: 8 },
  baseline: { due: 6120, failed: 0 },
  quantiles: [
    { quantile: 'p50', candidateMs: 1.2, baselineMs: 512, ratio: 0.00234, low: 0.00231, high: 0.00238 },
    { quantile: 'p95', candidateMs: 4.81, baselineMs: 971, ratio: 0.00495, low: null, high: 0.0051 },
    { quantile: 'p99', candidateMs: null, baselineMs: 1012, ratio: null, low: null, high: null },
  ],
  failures: {
    candidate: 8 / 340,
    baseline: 0,
    difference: { value: 0.0235, low: 0.0102, high: 0.0459 },
    ratio: { value: null, low: 30.1, high: null },
    phi: 1,
  },
  bounds: [],
  control: { pairs: 30, ratio: 1.09, noise: 1.31, verdict: 'NOT_DEMONSTRATED' },
  notes: [
    'on the new path P99 is among deliveries that never arrived',
    'the old path differs from itself by up to 1.31 times: a margin of 1.1 is within its noise',
  ],
}
const about = { schemaVersion: 1, id: 'migration-20260101-000000-c0de', planSha256: 'c0ffee' } as const
const journal = { lines: 121_004, sha256: 'f00d'.repeat(16) }
const documents: Readonly<Record<string, ComparisonDocument>> = {
  shown: { ...about, plan: 'runsheet', phase: 'half', verdict: 'NON_INFERIOR', reason: half.reason, phases: [canary, half], journal },
  worse: {
    ...about,
    plan: 'mine\u001b[31m │ forged',
    phase: 'half',
    verdict: 'INFERIOR',
    reason: 'the ratio is shown not to be below 1.1',
    phases: [{ ...half, verdict: 'INFERIOR', reason: 'the ratio is shown not to be below 1.1', notes: ['a note\u001b[2J'] }],
    journal,
  },
  nothing: {
    ...about,
    plan: 'quick',
    phase: null,
    verdict: 'NOT_DEMONSTRATED',
    reason: 'there was no interval with agents on both paths',
    phases: [],
    journal,
  },
}

describe.each([60, 100])('at %d columns', (width) => {
  it.each(Object.entries(documents))('a comparison that has %s', async (name, document) => {
    const text = renderComparison(document, { width, color: false })
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(width)
    await expect(text).toMatchFileSnapshot(`comparison-${name}-${width}.txt`)
  })
})
