import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  kneeOf,
  kneeResolution,
  levelProbe,
  nextProbeRate,
  offeredPerSecond,
  probeOutcome,
  type Probe,
} from '../../../src/measurement/knee.ts'
import { distributionOf } from '../../../src/statistics/distribution.ts'
import { syntheticRun } from '../derive/synthetic-run.ts'

/** A search on an engine that holds every rate up to `truth`. */
function search(truth: number, start: number, most: number): Probe[] {
  const probes: Probe[] = []
  for (;;) {
    const rate = nextProbeRate(probes, start, most)
    if (rate === null) return probes
    probes.push({ ratePerSecond: rate, outcome: rate <= truth ? 'held' : 'latency' })
  }
}

describe('the search for a knee', () => {
  it('ends at the truth within its resolution, from below as from above, in bounded probes', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 10, max: 1e5, noNaN: true }),
        fc.double({ min: 50, max: 5000, noNaN: true }),
        (truth, start) => {
          const probes = search(truth, start, 40)
          expect(probes.length).toBeLessThan(40)
          const { ratePerSecond } = kneeOf(probes)
          expect(ratePerSecond).not.toBeNull()
          expect(ratePerSecond).toBeLessThanOrEqual(truth)
          expect((ratePerSecond ?? 0) * kneeResolution * 1.0001).toBeGreaterThanOrEqual(truth)
        },
      ),
    )
  })

  it('stops at the number of probes it was given, with what it has', () => {
    expect(search(3000, 100, 4).map(({ ratePerSecond }) => ratePerSecond)).toEqual([100, 400, 1600, 6400])
    expect(kneeOf(search(3000, 100, 4))).toMatchObject({ ratePerSecond: 1600, limit: 'latency' })
    expect(kneeOf(search(3000, 100, 3))).toMatchObject({ ratePerSecond: 1600, limit: 'not reached' })
  })

  it('gives up below one exchange per second', () => {
    const probes = search(0, 100, 40)
    expect(kneeOf(probes)).toMatchObject({ ratePerSecond: null, limit: 'latency' })
    expect(probes.at(-1)?.ratePerSecond).toBeGreaterThanOrEqual(1)
  })

  it('does not count a rate above one that failed', () => {
    const probes: Probe[] = [
      { ratePerSecond: 100, outcome: 'held' },
      { ratePerSecond: 200, outcome: 'errors' },
      { ratePerSecond: 400, outcome: 'held' },
    ]
    expect(kneeOf(probes)).toEqual({ ratePerSecond: 100, limit: 'errors', ceilingPerSecond: 200 })
  })

  it('counts a rate above one at which only the generator failed: the engine bears the lower one as well', () => {
    const probes: Probe[] = [
      { ratePerSecond: 100, outcome: 'generator' },
      { ratePerSecond: 200, outcome: 'held' },
      { ratePerSecond: 800, outcome: 'generator' },
    ]
    expect(kneeOf(probes)).toEqual({ ratePerSecond: 200, limit: 'generator', ceilingPerSecond: 800 })
  })

  it("never ends below what the level itself held, though every probe is the generator's failure", () => {
    const level: Probe = { ratePerSecond: 1500, outcome: 'held' }
    const probes: Probe[] = []
    for (;;) {
      const rate = nextProbeRate(probes, 1000, 6, level)
      if (rate === null) break
      probes.push({ ratePerSecond: rate, outcome: 'generator' })
    }
    expect(probes[0]).toMatchObject({ ratePerSecond: 6000 })
    for (const { ratePerSecond } of probes) expect(ratePerSecond).toBeGreaterThan(1500)
    expect(kneeOf([level, ...probes])).toMatchObject({ ratePerSecond: 1500, limit: 'generator' })
  })

  it('begins where it was told to when the level says less, or nothing', () => {
    expect(nextProbeRate([], 1000, 6, { ratePerSecond: 20, outcome: 'held' })).toBe(1000)
    expect(nextProbeRate([], 1000, 6, null)).toBe(1000)
  })
})

describe('a level', () => {
  const evidence = syntheticRun().rounds[1]?.evidence
  if (evidence === undefined) throw new Error('no round')
  const quick = distributionOf(Array.from({ length: 500 }, () => 10_000))
  const slow = distributionOf(Array.from({ length: 500 }, () => 400_000))

  it('is a probe at its own rate when all its rounds held, and says nothing otherwise', () => {
    const round = { evidence, roundTrip: quick }
    const ratePerSecond = offeredPerSecond(evidence)
    expect(levelProbe([round, round], 300)).toEqual({ ratePerSecond, outcome: 'held' })
    expect(levelProbe([round, { evidence, roundTrip: slow }], 300)).toBeNull()
    expect(levelProbe([], 300)).toBeNull()
  })

  it('is not held by a repeat when the engine itself failed the round before; what the generator failed says nothing', () => {
    const { scheduled } = evidence.counts
    const refused = { ...evidence, counts: { ...evidence.counts, completed: 0, refused: scheduled } }
    const repeat = { evidence, roundTrip: quick }
    expect(levelProbe([{ evidence: refused, roundTrip: null }, repeat], 300)).toBeNull()
    expect(levelProbe([{ evidence, roundTrip: null }, repeat], 300)).toMatchObject({ outcome: 'held' })
    expect(levelProbe([{ evidence, roundTrip: null }], 300)).toBeNull()
  })
})

describe('a probe', () => {
  const evidence = syntheticRun().rounds[1]?.evidence
  if (evidence === undefined) throw new Error('no round')
  const trips = (ms: number) => distributionOf(Array.from({ length: 500 }, () => ms * 1000))
  const { scheduled } = evidence.counts
  const failed = (kind: 'refused' | 'lost' | 'timedOut', count: number) => ({
    ...evidence,
    counts: { ...evidence.counts, completed: scheduled - count, [kind]: count },
  })
  const most = Math.floor(scheduled / 1000)

  it.each([
    ['holds below its bound', evidence, trips(10), 'held'],
    ['holds with one failure in a thousand', failed('refused', most), trips(10), 'held'],
    ['misses by latency at its bound', evidence, trips(400), 'latency'],
    ['fails by refusals, also when the round does not count', failed('refused', most + 1), null, 'errors'],
    ['fails by losses, also when the round does not count', failed('lost', most + 1), null, 'errors'],
    ['fails by time-outs of a round that counts', failed('timedOut', most + 1), trips(10), 'errors'],
    [
      'does not blame the engine for time-outs of a round that does not',
      failed('timedOut', most + 1),
      null,
      'generator',
    ],
    ['does not hold without a round that counts', evidence, null, 'generator'],
  ] as const)('%s', (_what, round, roundTrip, outcome) => {
    expect(probeOutcome(round, roundTrip, 300)).toBe(outcome)
  })
})
