/** The percentile text against the library's own print of the same samples. */
import { build, encodeIntoCompressedBase64 } from 'hdr-histogram-js'
import { describe, expect, it } from 'vitest'
import { hgrmText } from '../../../src/measurement/hgrm.ts'
import { decodeHistogram } from '../../../src/measurement/histogram-codec.ts'
import { emptyDistribution } from '../../../src/statistics/distribution.ts'
import { seededRandom } from '../../../src/platform/random.ts'

function rows(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => /^ +\d/.test(line))
    .map((line) => line.trim().split(/ +/))
}

describe('hgrmText', () => {
  it.each([1, 2, 7, 100, 5000])('has the rows of HdrHistogram for %i samples', (n) => {
    const random = seededRandom(`hgrm/${n}`)
    const histogram = build({ highestTrackableValue: 600_000_000, autoResize: false })
    for (let index = 0; index < n; index++) histogram.recordValue(Math.floor(random.exponential() * 20_000))
    const own = hgrmText(decodeHistogram(encodeIntoCompressedBase64(histogram)), 1000)
    expect(rows(own)).toEqual(rows(histogram.outputPercentileDistribution(5, 1000)))
  })

  it('prints milliseconds with a header that the plotter knows and the moments of HdrHistogram', () => {
    const histogram = build({ highestTrackableValue: 600_000_000, autoResize: false })
    for (const value of [1000, 2000, 3000, 250_000]) histogram.recordValue(value)
    const own = hgrmText(decodeHistogram(encodeIntoCompressedBase64(histogram)), 1000)
    const library = histogram.outputPercentileDistribution(5, 1000)
    expect(own.split('\n').slice(0, 3)).toEqual(library.split('\n').slice(0, 3))
    expect(own).toContain(library.split('\n').find((line) => line.startsWith('#[Mean')))
    expect(own.endsWith(']\n')).toBe(true)
  })

  it('has no rows without samples', () => {
    expect(rows(hgrmText(emptyDistribution, 1000))).toEqual([])
  })

  it('prints nanoseconds with six decimals and ends in a row without the last column', () => {
    const table = rows(hgrmText({ n: 4, values: Float64Array.of(5), counts: Float64Array.of(4) }, 1e6))
    expect(table).toEqual([
      ['0.000005', '0.000000000000', '4', '1.00'],
      ['0.000005', '1.000000000000', '4'],
    ])
  })
})
