/** Rendered reports, byte for byte. `vitest run test/golden --update` writes them anew; read the difference. */
import { describe, expect, it } from 'vitest'
import { renderMarkdown } from '../../../src/reports/markdown.ts'
import { renderTerminal } from '../../../src/reports/terminal.ts'
import { hostileResults, results } from './results-fixture.ts'

const cases = [
  ['conditional', results],
  ['hostile', hostileResults],
] as const

describe.each(cases)('the %s run', (name, document) => {
  it.each([60, 100, 200])('on a terminal of %i columns', async (width) => {
    const text = renderTerminal(document, { width, color: false })
    await expect(text).toMatchFileSnapshot(`./${name}-${width}.txt`)
  })

  it('in colour', async () => {
    await expect(renderTerminal(document, { width: 120, color: true })).toMatchFileSnapshot(`./${name}-colour.txt`)
  })

  it('as Markdown', async () => {
    await expect(renderMarkdown(document)).toMatchFileSnapshot(`./${name}.md`)
  })
})
