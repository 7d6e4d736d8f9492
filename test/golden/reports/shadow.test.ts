/** What a shadow compared, byte for byte. `vitest run test/golden --update` writes them anew; read the difference. */
import { describe, expect, it } from 'vitest'
import { noShadow } from '../../../src/engines/bridge/shadow-comparer.ts'
import type { ShadowReport } from '../../../src/measurement/shadow-document.ts'
import { mcNemar } from '../../../src/statistics/paired-outcomes.ts'
import { renderShadow } from '../../../src/reports/shadow-text.ts'

const same: ShadowReport = {
  ...noShadow(),
  state: 'on',
  share: 1,
  slaMs: 300,
  copies: 12_034,
  compared: 12_030,
  open: 4,
  delivered: { both: 12_030, onlyOld: 0, onlyNew: 0, neither: 0 },
  oldPath: { n: 24_060, p50Ms: 512, p95Ms: 971, p99Ms: 1012 },
  newPath: { n: 24_060, p50Ms: 0.412, p95Ms: 0.981, p99Ms: 2.14 },
  sla: mcNemar({ both: 0, onlyCandidate: 0, onlyBaseline: 10_411, neither: 1619 }),
}
const reports: Readonly<Record<string, ShadowReport>> = {
  off: noShadow(),
  same,
  otherwise: {
    ...same,
    share: 0.125,
    dropped: { notReady: 3, full: 17, renewed: 2, moved: 40 },
    differences: { questionLost: 2, resultLost: 1, questionBody: 0, resultBody: 4, outcome: 1, refused: 1, onlyNew: 9 },
    examples: [
      { id: 'r0:a0:17', what: ['questionLost', 'outcome'] },
      { id: 'x:a\u001b[31m│:1', what: ['resultBody'] },
    ],
    delivered: { both: 12_019, onlyOld: 2, onlyNew: 9, neither: 0 },
    sla: mcNemar({ both: 2, onlyCandidate: 31, onlyBaseline: 11, neither: 11_986 }),
  },
  failed: { ...noShadow(), state: 'failed', reason: 'Cannot listen on 127.0.0.1:0: EMFILE.', share: 1, slaMs: 300, dropped: { notReady: 7, full: 0, renewed: 0, moved: 0 } },
}

describe.each([60, 100])('at %d columns', (width) => {
  it.each(Object.entries(reports))('a shadow that is %s', async (name, report) => {
    const text = renderShadow(report, { width, color: false })
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(width)
    await expect(text).toMatchFileSnapshot(`shadow-${name}-${width}.txt`)
  })
})
