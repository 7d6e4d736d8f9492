/** Contention from planted rounds: each figure finds what was planted for it, and a clean run has nothing to say. */
import { describe, expect, it } from 'vitest'
import { claimsSha256 } from '../../../src/measurement/claims-file.ts'
import { heldCase } from '../../../src/measurement/contention-figures.ts'
import { deriveResults } from '../../../src/measurement/derive.ts'
import type { ResultsDocument, TargetResult } from '../../../src/measurement/results-document.ts'
import { resultsSchema } from '../../../src/measurement/results-schema.ts'
import { reportContent } from '../../../src/reports/report-content.ts'
import { contentionClaims as claims, contentionRun, quick, stores } from './contention-run.ts'
import type { LatencyOf, Planted } from './contention-run.ts'
import { syntheticRun } from './synthetic-run.ts'

const derive = (planted: Planted = {}): ResultsDocument => deriveResults(contentionRun(planted))
const section = (results: ResultsDocument) => {
  if (results.contention === undefined) throw new Error('a contention run has its section')
  return results.contention
}
const target = (results: ResultsDocument, title: string): TargetResult => {
  const found = results.targets.find((each) => each.title === title)
  if (found === undefined) throw new Error(`no target ${title}`)
  return found
}
const loadOf = (results: ResultsDocument, name: string, store: string) =>
  section(results).loads.find((each) => each.case === name && each.store === store)

describe('a clean run', () => {
  const results = derive()

  it('holds every load, meets every target and fits its schema', () => {
    expect(
      section(results)
        .loads.map(({ state }) => state)
        .filter((state) => state !== 'held'),
    ).toEqual([])
    expect(results.targets.map(({ verdict }) => verdict)).toEqual(['MET', 'MET', 'MET', 'MET', 'MARGINAL'])
    // Nothing ended the search, so what it found is only a lower bound.
    expect(section(results).saturation.map(({ engine, limit }) => [engine, limit])).toEqual([
      ['sqlite', 'not reached'],
      ['postgres', 'not reached'],
    ])
    expect(resultsSchema.safeParse(JSON.parse(JSON.stringify(results))).error).toBeUndefined()
    expect(results.decisionReasons.filter((line) => line.startsWith('finding'))).toEqual([])
  })

  it('has a row for each store and load that were played together, and no other', () => {
    const rows = section(results).loads.map((each) => `${each.case} ${each.store}`)
    expect(rows).toContain('pool-5 postgres')
    expect(rows).not.toContain('pool-5 sqlite')
    expect(rows).not.toContain('writers-50 sqlite:batching=off')
    expect(rows.filter((row) => row.startsWith('writers-200 '))).toHaveLength(3)
  })

  it('counts commits, bytes, syncs and IOPS by hand-made sums', () => {
    const load = loadOf(results, 'writers-200', 'sqlite')
    // 6 rounds of 3 s with 3,000 rows, 750 commits, 30 syncs and 6 checkpoints each.
    expect(load).toMatchObject({
      commitsPerSecond: 250,
      rowsPerCommit: 4,
      fsyncsPerSecond: 10,
      fsyncsBasis: 'inferred',
      requiredIops: 252,
      walBytesPerSecond: 1_000_000,
      bytesPerWrite: 1500,
      checkpoints: 36,
      checkpointStallMs: 72,
      checkpointStallMaxMs: 6,
      walBytesMax: 1_000_000,
      writesPerMinute: 60_000,
      lockWait: { n: 18_000, p50Ms: 0.01, p99Ms: 0.03 },
      poolWait: null,
    })
    const served = loadOf(results, 'writers-200', 'postgres')
    expect(served).toMatchObject({
      fsyncsBasis: 'counted',
      checkpointStallMs: null,
      checkpointStallMaxMs: null,
      commit: null,
    })
    expect(served?.poolWait?.p99Ms).toBe(0.12)
  })

  it('says nothing of the last store from rounds that it had no part in, and which store was left out', () => {
    expect(results.engines.map(({ label }) => label)).toEqual([...stores])
    expect(results.notAssessed).toContainEqual({
      what: 'postgres:batching=off, SKIPPED: planted',
      command: 'lighthouse bench contention --start-postgres',
    })
    const titles = reportContent(results).sections.map(({ title }) => title)
    for (const title of ['Writers', 'What writes cost', 'What is waited for', 'Contention', 'Connection pools'])
      expect(titles).toContain(title)
  })
})

describe('what is planted is found', () => {
  it('contention: four times the p99 with 200 writers, and no more with 50', () => {
    const results = derive({
      latency: (load, store) =>
        load === 'writers-200' && store === 'postgres' ? { us: 500, tailUs: 8000 } : { us: 500, tailUs: 2000 },
    })
    const found = section(results).factors.map(({ store, writers, ratio, verdict }) => [store, writers, ratio, verdict])
    const four =
      section(results).factors.find(({ store, writers }) => store === 'postgres' && writers === 200)?.ratio ?? 0
    expect(Math.abs(four - 4)).toBeLessThan(0.01)
    expect(
      found.filter(([, , , verdict]) => verdict === 'contended').map(([store, writers]) => [store, writers]),
    ).toEqual([['postgres', 200]])
    expect([target(results, 'Factor').verdict, target(results, 'Factor of 50').verdict]).toEqual(['NOT_MET', 'MET'])
    expect(results.decision).toBe('REQUIRES_REMEDIATION')
  })

  it('a factor of rounds that share the noise of their pass is that of the pairs', () => {
    const noisy: LatencyOf = (load, _store, round) => ({
      us: 100,
      tailUs: (load === 'writers-10' ? 1000 : 2000) * (1 + round),
    })
    const [factor] = section(derive({ latency: noisy })).factors.filter(
      ({ store, writers }) => store === 'sqlite' && writers === 200,
    )
    expect(factor?.rounds).toBe(6)
    for (const each of [factor?.ratio, factor?.low, factor?.high]) expect(Math.abs((each ?? 0) - 2)).toBeLessThan(0.02)
  })

  it('too few rounds give a factor, and no verdict', () => {
    const results = derive({ rounds: 3 })
    expect(section(results).factors.map(({ low, verdict }) => [low, verdict])).toEqual(
      section(results).factors.map(() => [null, 'NOT_DEMONSTRATED']),
    )
    expect(target(results, 'Factor').verdict).toBe('NOT_DEMONSTRATED')
  })

  it('a rate that is committed too late is not held', () => {
    const late = derive({
      latency: (load, store, round) =>
        load === heldCase && store === 'postgres' && round === 2
          ? { us: 150_000, tailUs: 150_000 }
          : quick(load, store, round),
    })
    expect(loadOf(late, heldCase, 'postgres')).toMatchObject({ state: 'not held', writesPerMinute: 0 })
    expect(target(late, 'Held')).toMatchObject({ verdict: 'NOT_MET', value: 0 })
    expect(loadOf(late, heldCase, 'sqlite')?.state).toBe('held')
    expect(late.decisionReasons.join()).toMatch(/finding: postgres did not hold held-50000-per-minute/)
  })

  it('a pool that is too small, and the smallest that is large enough', () => {
    const slow = (sizes: readonly string[]): Planted => ({
      latency: (load, store, round) =>
        sizes.includes(load) ? { us: 500, tailUs: 120_000 } : quick(load, store, round),
    })
    const some = derive(slow(['pool-5']))
    expect(section(some).pools.map(({ poolSize, state }) => [poolSize, state])).toEqual([
      [5, 'not held'],
      [20, 'held'],
    ])
    expect(target(some, 'Pool')).toMatchObject({ verdict: 'MET', value: 20 })
    expect(section(some).pools[0]?.waitP99MsBySecond).toEqual([0.12, 0.12, 0.12])
    const none = derive(slow(['pool-5', 'pool-20']))
    expect(target(none, 'Pool')).toMatchObject({
      verdict: 'NOT_DEMONSTRATED',
      reason: expect.stringMatching(/no pool up to 20/) as string,
    })
    expect(none.decisionReasons.join()).toMatch(/finding: no pool of postgres held its load/)
  })

  it('a smaller pool without a round that counts leaves the smallest open', () => {
    const results = derive({
      change: (evidence, load) =>
        load === 'pool-5' ? { ...evidence, audit: { ...evidence.audit, valid: false, reasons: ['away'] } } : evidence,
    })
    expect(target(results, 'Pool')).toMatchObject({ verdict: 'NOT_DEMONSTRATED', reason: 'no round of pool-5 counts' })
  })

  it('a held rate or a pool with fewer valid rounds than it needs is not demonstrated', () => {
    const spoiled = (load: string): Planted => ({
      change: (evidence, name) =>
        name === load && evidence.round % 3 === 0
          ? { ...evidence, audit: { ...evidence.audit, valid: false, reasons: ['away'] } }
          : evidence,
    })
    expect(target(derive(spoiled(heldCase)), 'Held')).toMatchObject({ verdict: 'NOT_DEMONSTRATED', n: 4 })
    expect(target(derive(spoiled('pool-5')), 'Pool')).toMatchObject({
      verdict: 'NOT_DEMONSTRATED',
      reason: '2 rounds of pool-5 count, and it needs 3',
    })
  })

  it('the end of the search, by latency', () => {
    const results = derive({
      latency: (load, store, round) =>
        load === 'saturation' && round === 1 ? { us: 500, tailUs: 300_000 } : quick(load, store, round),
    })
    // Both probes offered the same rate here, so the one that failed takes the other with it.
    expect(section(results).saturation.map(({ limit, ratePerSecond }) => [limit, ratePerSecond])).toEqual([
      ['latency', null],
      ['latency', null],
    ])
    expect(target(results, 'Highest')).toMatchObject({ verdict: 'NOT_DEMONSTRATED', reason: 'no probe held' })
  })

  it('broken delivery of the judged store stops, of another it is a finding', () => {
    const broken = (store: string): Planted => ({
      change: (evidence, load) =>
        evidence.engine === store && load === 'writers-200'
          ? { ...evidence, counts: { ...evidence.counts, duplicated: 1 } }
          : evidence,
    })
    expect(derive(broken('postgres')).decision).toBe('EMERGENCY_STOP')
    const other = derive(broken('sqlite'))
    expect(other.decision).not.toBe('EMERGENCY_STOP')
    expect(other.decisionReasons.join()).toMatch(/finding about sqlite, not the candidate: .*duplicated/)
  })
})

describe('claims', () => {
  const verdictOf = (results: ResultsDocument, id: string): string | undefined =>
    results.claims.find((claim) => claim.id === id)?.verdict

  it('batching is shown, refuted or neither by what was planted', () => {
    const ratio = (off: number): Planted => ({
      latency: (_load, store, round) => ({ us: 500, tailUs: (store === 'sqlite:batching=off' ? off : 2000) + round }),
    })
    expect(verdictOf(derive(ratio(6000)), 'batching')).toBe('SHOWN')
    expect(verdictOf(derive(ratio(600)), 'batching')).toBe('REFUTED')
    expect(verdictOf(derive(ratio(2010)), 'batching')).toBe('NOT_SHOWN')
    const [saved] = section(derive(ratio(6000))).batching.filter((each) => each.case === 'writers-200')
    expect(saved).toMatchObject({
      off: 'sqlite:batching=off',
      on: 'sqlite',
      commitsPerWriteOff: 1,
      commitsPerWriteOn: 0.25,
      verdict: 'saves',
    })
  })

  it('are not tested by a run of another suite', () => {
    const run = syntheticRun()
    const results = deriveResults({
      ...run,
      claims,
      manifest: { ...run.manifest, claims: { source: 'claims.yaml', sha256: claimsSha256(claims) } },
    })
    for (const claim of results.claims) {
      expect(claim).toMatchObject({
        verdict: 'NOT_SHOWN',
        reason: expect.stringMatching(/The contention suite would test it/) as string,
      })
    }
  })
})
