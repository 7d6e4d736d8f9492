/** Explanations as text, byte for byte, and within their width whatever a run holds. `--update` writes them anew. */
import { describe, expect, it } from 'vitest'
import { explainRun } from '../../../src/measurement/explain.ts'
import type { Explanation } from '../../../src/measurement/explanation-document.ts'
import { renderExplanation } from '../../../src/reports/explain-text.ts'
import { altered, syntheticRun } from '../../unit/derive/synthetic-run.ts'

const marginal = syntheticRun({
  targets: 'targets: [{ title: P99 Latency, expression: "candidate.roundTrip.p99 < 3.85ms" }]',
})
const mixed = syntheticRun({
  targets: `targets:
  - { title: Median, expression: "candidate.roundTrip.p50 < 50ms" }
  - { title: Tail, expression: "candidate.roundTrip.p99 < 1ms", mandatoryIn: [] }
  - { title: Errors, expression: "candidate.errorRate < 0.1%" }
  - { title: Rate, expression: "candidate.throughputPerSecond >= 600" }
  - { title: Agents, expression: "candidate.agents >= 10000", mandatoryIn: [] }
  - { title: Two days, expression: "candidate.roundTrip.p99 < 300ms over 48h", mandatoryIn: [] }
  - { title: Overhead, expression: "candidate.overhead.p99 < 20ms" }
  - { title: Speed, expression: "speedup.p50 >= 545", mandatoryIn: [] }
`,
})
const insufficient = altered(
  marginal,
  ({ engine, round }) => engine === 'polling' && round < 7,
  (evidence) => ({ ...evidence, audit: { ...evidence.audit, valid: false, reasons: ['The machine was taken away.'] } }),
)

describe.each([60, 100])('on a terminal of %i columns', (width) => {
  it.each([
    ['marginal', explainRun(marginal, 'P99')],
    ['mixed', explainRun(mixed, 'all')],
    ['insufficient', explainRun(insufficient, 'all')],
    ['undeclared', explainRun(marginal, 'nats.delivery.p50 < 1s')],
  ])('%s', async (name, explanation) => {
    const text = renderExplanation(explanation, { width })
    await expect(text).toMatchFileSnapshot(`./explain-${name}-${width}.txt`)
  })

  it('keeps its width and its lines, whatever labels, titles and reasons hold', () => {
    const [target] = explainRun(marginal, 'P99').targets
    if (target === undefined) throw new Error('no target')
    const nasty = `\u001b[31m\n\u202e${'x'.repeat(150)}`
    const hostile: Explanation = {
      ...explainRun(insufficient, 'all'),
      runId: nasty,
      case: nasty,
      targets: [
        {
          ...target,
          title: nasty,
          engine: nasty,
          invalidRounds: [{ round: 0, engine: nasty, reasons: [nasty] }],
          lacks: [{ kind: 'other', what: nasty, moreRoundsHelp: false, remedy: nasty }],
          command: `lighthouse ${nasty}`,
          verdict: 'NOT_DEMONSTRATED',
        },
      ],
    }
    const lines = renderExplanation(hostile, { width }).split('\n')
    expect(lines.filter((line) => line.length > width && !line.startsWith('      $ '))).toEqual([])
    expect(lines.join('')).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u)
  })
})
