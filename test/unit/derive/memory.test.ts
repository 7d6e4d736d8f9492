/** A memory run of known costs: slopes find what was planted, and each thing that goes wrong under pressure is called by its name. */
import { describe, expect, it } from 'vitest'
import { deriveResults } from '../../../src/measurement/derive.ts'
import { renderMarkdown } from '../../../src/reports/markdown.ts'
import type { MemoryResult } from '../../../src/measurement/memory-result.ts'
import type { ResultsDocument } from '../../../src/measurement/results-document.ts'
import type { RoundEvidence } from '../../../src/measurement/round-evidence.ts'
import { capped, memoryRun, ofCase } from './memory-run.ts'
import { altered } from './synthetic-run.ts'

function memoryOf(results: ResultsDocument): MemoryResult {
  if (results.memory === undefined) throw new Error('the suite is memory-pressure')
  return results.memory
}

const verdicts = (results: ResultsDocument) =>
  Object.fromEntries(results.targets.map(({ title, verdict }) => [title, verdict]))
const findings = (results: ResultsDocument): string => results.decisionReasons.join('\n')
const spoiled = (evidence: RoundEvidence): RoundEvidence => ({
  ...evidence,
  audit: { ...evidence.audit, valid: false, reasons: ['The machine was away.'] },
})
const withCap = (
  figures: Record<string, number>,
  client: Record<string, number> = {},
  more: { readonly lost?: number; readonly timedOut?: number } = {},
) =>
  deriveResults(
    altered(memoryRun(), ofCase('heap-cap-80-percent'), (evidence) => {
      const scheduled = evidence.counts.scheduled + (more.lost ?? 0) + (more.timedOut ?? 0)
      return {
        ...evidence,
        faults: [capped(figures)],
        client: { ...evidence.client, ...client },
        counts: { ...evidence.counts, ...more, scheduled },
        audit: { ...evidence.audit, scheduled, sent: scheduled },
      }
    }),
  )

describe('a clean memory run', () => {
  const results = deriveResults(memoryRun())
  const memory = memoryOf(results)

  it('is approved at its control', () => {
    expect(verdicts(results)).toEqual({
      P99: 'MET',
      Idle: 'MET',
      Resident: 'MET',
      Residue: 'MET',
      Lost: 'MET',
      Died: 'MET',
    })
    expect(results.decision).toBe('APPROVED')
    expect(results.scope).toMatch(/^100 agents, 200 exchanges\/s, 6 × 3 s/)
    expect(findings(results)).not.toMatch(/leak|died/)
  })

  it('finds the costs of an agent that were planted, and what it leaves behind', () => {
    for (const engine of ['polling', 'elicitation']) {
      const agents = memory.agents.find((each) => each.engine === engine)
      expect(agents?.idleLiveBytes).toMatchObject({ n: 8, shape: 'linear' })
      expect(agents?.idleLiveBytes.value).toBeGreaterThan(4690)
      expect(agents?.idleLiveBytes.value).toBeLessThan(4710)
      expect(agents?.idleLiveBytes.low).toBeLessThanOrEqual(4700)
      expect(agents?.idleLiveBytes.high).toBeGreaterThanOrEqual(4700)
      expect(agents?.idleRssBytes.value).toBeCloseTo(7050, -2)
      expect(agents?.residueLiveBytes.value).toBeGreaterThan(1090)
      expect(agents?.residueLiveBytes.value).toBeLessThan(1110)
      expect(agents?.baseLiveBytes).toBeGreaterThan(26_000_000)
      expect(agents?.baseLiveBytes).toBeLessThan(26_200_000)
    }
  })

  it('finds the cost of an open exchange by payload, and from these its overhead and copies', () => {
    const costs = memory.inFlight.filter(({ engine }) => engine === 'elicitation')
    expect(costs.map(({ payloadBytes, mostOpen }) => [payloadBytes, mostOpen])).toEqual([
      [200, 500],
      [2000, 500],
      [20_000, 500],
    ])
    // The load that measures the need of the heap holds exchanges of the largest payload too.
    expect(costs.map(({ liveBytes }) => liveBytes.n)).toEqual([10, 10, 15])
    for (const { payloadBytes, liveBytes } of costs) {
      expect(Math.abs((liveBytes.value ?? 0) - (1500 + 1.1 * payloadBytes))).toBeLessThan(60)
    }
    const copies = memory.copies.find(({ engine }) => engine === 'elicitation')
    expect(copies?.copies).toBeCloseTo(1.1, 1)
    expect(copies?.overheadBytes).toBeGreaterThan(1400)
    expect(copies?.overheadBytes).toBeLessThan(1600)
  })

  it('has a row for every strain and engine, with the control beside the flood', () => {
    expect(memory.pressure.map(({ case: name, engine, state }) => [name, engine, state])).toEqual([
      ['heap-cap-120-percent', 'polling', 'carried'],
      ['heap-cap-80-percent', 'polling', 'carried'],
      ['heap-cap-120-percent', 'elicitation', 'carried'],
      ['heap-cap-80-percent', 'elicitation', 'carried'],
    ])
    expect(memory.descriptors.map(({ state, served, closed }) => [state, served, closed])).toEqual([
      ['valid', 9, 23],
      ['valid', 9, 23],
    ])
    const reader = memory.slowReaders.find(({ engine }) => engine === 'elicitation')
    expect(reader).toMatchObject({ state: 'valid', cutAfterMs: 9200, fedBytes: 12_000_000, refusedMessages: 3 })
    expect(reader?.controlP99Ms).toBe(results.engines.at(-1)?.roundTrip.p99Ms)
    expect(reader?.peakRssBytes).toBeGreaterThan(reader?.peakLiveBytes ?? Infinity)
    const flood = memory.flood.find(({ engine }) => engine === 'elicitation')
    expect(flood?.state).toBe('valid')
    expect(flood?.controlP99Ms).toBe(results.engines.at(-1)?.roundTrip.p99Ms)
    expect(flood?.peakLiveBytes).toBeGreaterThan(500 * 1700)
  })

  it('excludes a leak over half an hour of the same', () => {
    expect(memory.leaks.map(({ engine, series, verdict, readings }) => [engine, series, verdict, readings])).toEqual(
      ['polling', 'elicitation'].flatMap((engine) =>
        ['heapUsedBytes', 'externalBytes', 'rssBytes'].map((series) => [engine, series, 'MET', 60]),
      ),
    )
  })

  it('is told in the report', () => {
    const report = renderMarkdown(results)
    for (const title of [
      'Memory per agent',
      'Memory per exchange in flight',
      'Under a cap',
      'Short of descriptors',
      'A client that reads nothing',
      'Questions that nobody answers',
      'Growth under a steady load',
    ]) {
      expect(report).toContain(title)
    }
  })
})

describe('planted costs', () => {
  it('of an agent above the bar fail the target of idle agents, and of those that have gone that of the residue', () => {
    const heavy = deriveResults(memoryRun({ idle: (agents) => 20_000 * agents, left: (agents) => 5000 * agents }))
    expect(verdicts(heavy)).toMatchObject({ Idle: 'NOT_MET', Resident: 'NOT_MET', Residue: 'NOT_MET', P99: 'MET' })
    expect(heavy.decision).toBe('REQUIRES_REMEDIATION')
  })

  it('that grow with the square of the agents are no line', () => {
    const bent = memoryOf(deriveResults(memoryRun({ idle: (agents) => 10 * agents * agents })))
    expect(bent.agents.map(({ idleLiveBytes }) => idleLiveBytes.shape)).toEqual(['curved', 'curved'])
  })

  it('of second copies of the payload are counted', () => {
    const twice = memoryOf(deriveResults(memoryRun({ open: (exchanges, payload) => exchanges * 2 * payload })))
    expect(twice.copies.at(-1)?.copies).toBeCloseTo(2, 1)
  })

  it('that shrink count as nothing, never as less', () => {
    const shrunk = deriveResults(memoryRun({ left: (agents) => -100 * agents }))
    expect(shrunk.targets.find(({ title }) => title === 'Residue')).toMatchObject({ value: 0, low: 0, verdict: 'MET' })
    expect(memoryOf(shrunk).agents[0]?.residueLiveBytes.value).toBeLessThan(0)
  })

  it('that grow with time under the same load are a leak', () => {
    const leaking = deriveResults(memoryRun({ sustained: (atMs) => (atMs / 3_600_000) * 200e6 }))
    const heap = memoryOf(leaking).leaks.find(
      ({ engine, series }) => engine === 'elicitation' && series === 'heapUsedBytes',
    )
    expect(heap?.verdict).toBe('NOT_MET')
    expect((heap?.bytesPerHour ?? 0) / 200e6).toBeCloseTo(1, 1)
    expect(findings(leaking)).toMatch(/finding: elicitation under sustained load, heapUsedBytes: leak/)
  })
})

describe('an engine under a heap cap', () => {
  const capOf = (results: ResultsDocument) =>
    memoryOf(results).pressure.find(
      ({ case: name, engine }) => name === 'heap-cap-80-percent' && engine === 'elicitation',
    )

  it('that died without having refused anything is a finding, and no stop', () => {
    const results = withCap({ diedAtMs: 1449.1, restartMs: 800 })
    expect(capOf(results)).toMatchObject({ state: 'died', diedAtMs: 1449.1, restartMs: 800, lost: 0 })
    expect(verdicts(results)).toMatchObject({ Died: 'NOT_MET', Lost: 'MET' })
    expect(findings(results)).toMatch(
      /elicitation died under heap-cap-80-percent \(30 MiB\) 1.449 s into the load without having refused anything; nothing that it had acknowledged was lost/,
    )
  })

  it('that refused first with a hint, and died later, did not die unshed', () => {
    const hints = { refusedWithRetryAfter: 7, firstRetryAfterMs: 900 }
    const results = withCap({ diedAtMs: 1449 }, hints)
    expect(capOf(results)).toMatchObject({ state: 'shed, then died', shed: 7, firstShedMs: 900 })
    expect(verdicts(results)['Died']).toBe('MET')
    // A refusal after the restart is none before the death.
    expect(capOf(withCap({ diedAtMs: 500 }, hints))?.state).toBe('died')
    expect(capOf(withCap({}, hints))?.state).toBe('shed')
  })

  it('that did not start is said to have died there', () => {
    const results = withCap({ diedAtStart: 1 })
    expect(capOf(results)?.state).toBe('died at start')
    expect(verdicts(results)['Died']).toBe('NOT_MET')
    expect(findings(results)).toMatch(/elicitation did not start under heap-cap-80-percent/)
  })

  it('that lost what it had acknowledged stops the run', () => {
    const results = withCap({ diedAtMs: 1449 }, {}, { lost: 2 })
    expect(results.decision).toBe('EMERGENCY_STOP')
    expect(capOf(results)).toMatchObject({ state: 'died', lost: 2, failed: 2 })
    expect(verdicts(results)['Lost']).toBe('NOT_MET')
    expect(findings(results)).toMatch(/without having refused anything; 2 acknowledged exchanges were lost/)
  })

  it('that failed exchanges without refusing them did not shed', () => {
    const results = withCap({}, {}, { timedOut: 3 })
    expect(capOf(results)).toMatchObject({ state: 'failed', failed: 3, lost: 0 })
    expect(findings(results)).toMatch(/elicitation lived under .* and failed exchanges without refusing them/)
  })

  it('in a round that does not count is not judged', () => {
    const invalid = deriveResults(altered(memoryRun(), ofCase('heap-cap-80-percent'), spoiled))
    expect(capOf(invalid)).toMatchObject({ state: 'invalid', roundTripP99Ms: null })
    expect(verdicts(invalid)).toMatchObject({ Lost: 'NOT_DEMONSTRATED', Died: 'NOT_DEMONSTRATED' })
    expect(invalid.decision).toBe('NEEDS_FURTHER_REVIEW')
  })
})

describe('rounds that do not count', () => {
  it('give no readings: without three points there is no slope to judge', () => {
    const few = altered(
      memoryRun(),
      (evidence) => ofCase('idle-100')(evidence) || ofCase('idle-250')(evidence) || ofCase('idle-500')(evidence),
      spoiled,
    )
    const results = deriveResults(few)
    expect(memoryOf(results).agents.at(-1)?.idleLiveBytes).toMatchObject({ value: null, n: 2 })
    expect(verdicts(results)).toMatchObject({ Idle: 'NOT_DEMONSTRATED', P99: 'MET' })
    expect(results.targets.find(({ title }) => title === 'Idle')?.reason).toMatch(/1 distinct x/)
  })

  it('a client that was not disconnected, and one that was sent too little, are findings', () => {
    const planted = (figures: Record<string, number>, bit: boolean) =>
      deriveResults(
        altered(memoryRun(), ofCase('slow-reader'), (evidence) => ({
          ...evidence,
          faults: (evidence.faults ?? []).map((each) => ({ ...each, bit, figures })),
        })),
      )
    const held = planted({ fedBytes: 20 * 2 ** 20 }, true)
    expect(memoryOf(held).slowReaders.at(-1)).toMatchObject({ state: 'valid', cutAfterMs: null, refusedMessages: null })
    expect(findings(held)).toMatch(
      /elicitation did not disconnect a client that read nothing of 20 MiB; its resident memory rose by/,
    )
    const little = planted({ fedBytes: 1000 }, false)
    expect(memoryOf(little).slowReaders.at(-1)?.state).toBe('did not bite')
    expect(findings(little)).toMatch(/the client that does not read says nothing of elicitation: did not bite/)
  })

  it('a shortage that did not bite, silence, lost sessions and a death are findings', () => {
    const planted = (change: (evidence: RoundEvidence) => RoundEvidence): string =>
      findings(deriveResults(altered(memoryRun(), ofCase('descriptors'), change)))
    const withFigures =
      (figures: Record<string, number>, bit = true) =>
      (evidence: RoundEvidence) => ({
        ...evidence,
        faults: (evidence.faults ?? []).map((each) => ({ ...each, bit, figures: { ...each.figures, ...figures } })),
      })
    expect(planted(withFigures({}, false))).toMatch(/shortage of descriptors says nothing of elicitation: did not bite/)
    expect(planted(withFigures({ silent: 4 }))).toMatch(/elicitation left 4 connections without any answer/)
    expect(planted(withFigures({ servedAfter: 3 }))).toMatch(/elicitation served 3 of 8 connections after/)
    expect(planted((evidence) => ({ ...evidence, client: { ...evidence.client, lostSessions: 5 } }))).toMatch(
      /elicitation lost 5 open sessions/,
    )
    const death = {
      kind: 'death',
      injectedAtMs: 700,
      healedAtMs: 1500,
      untilMs: 3000,
      bit: true,
      shownBy: 'x',
      figures: { diedAtMs: 700 },
    }
    expect(planted((evidence) => ({ ...evidence, faults: [...(evidence.faults ?? []), death] }))).toMatch(
      /finding: elicitation died in descriptors 0.7 s into the load/,
    )
  })
})
