/** A run of several loads: cases are cut apart, growth is fitted, and what is planted in one load shows in that load alone. */
import { describe, expect, it } from 'vitest'
import { deriveResults, type RoundInput } from '../../../src/measurement/derive.ts'
import { claimsSha256, parseClaims } from '../../../src/measurement/claims-file.ts'
import type { ResultsDocument } from '../../../src/measurement/results-document.ts'
import type { CasePlan, RoundEvidence } from '../../../src/measurement/round-evidence.ts'
import { caseViews } from '../../../src/measurement/run-cases.ts'
import { altered, syntheticRun } from './synthetic-run.ts'

const levels = [10, 50, 100, 200, 400]
const perLevel = 6
const claims = parseClaims(
  `claims:
  - id: linear-memory
    document: D
    words: Linear memory and connection growth
    statement: Polling grows linearly.
    suite: scaling
    test: { kind: linearGrowth, engine: polling, metrics: [rssBytes, openConnections] }
`,
  'claims.yaml',
)

/** The synthetic run's rounds dealt out to levels, with memory that grows by `bytesOf`. */
function scalingRun(bytesOf: (agents: number, round: number) => number) {
  const base = syntheticRun({ rounds: levels.length * perLevel, perRound: 600 })
  const cases: CasePlan[] = levels.map((agents, index) => ({
    name: `agents-${agents}`,
    agents,
    ratePerSecond: 200,
    loadModel: 'open',
    roundDurationMs: base.manifest.plan.roundDurationMs,
    firstRound: index * perLevel,
    rounds: perLevel,
  }))
  const agentsOf = (round: number): number => levels[Math.floor(round / perLevel)] ?? 0
  const run = altered(
    base,
    () => true,
    (evidence) => ({
      ...evidence,
      connectsPerSecond: 1000,
      client: { ...evidence.client, openSockets: agentsOf(evidence.round) },
      resources: {
        ...evidence.resources,
        rssMaxBytes: Math.round(bytesOf(agentsOf(evidence.round), evidence.round) + 500 * (evidence.round % 3)),
        openConnectionsMax: agentsOf(evidence.round),
        nullReasons: {},
      },
    }),
  )
  const manifest = {
    ...run.manifest,
    suite: 'scaling' as const,
    plan: { ...run.manifest.plan, agents: levels.at(-1) ?? 0, cases },
    claims: { source: 'claims.yaml', sha256: claimsSha256(claims) },
  }
  return { ...run, manifest, claims }
}

const linear = (agents: number): number => 50e6 + 12_000 * agents
const failing = (evidence: RoundEvidence): RoundEvidence => {
  const half = evidence.counts.scheduled / 2
  return { ...evidence, counts: { ...evidence.counts, completed: half, timedOut: half } }
}
/** Histograms hold completed exchanges only. */
function halved(round: RoundInput): RoundInput {
  const histograms = new Map(round.histograms)
  for (const tag of ['roundTrip', 'serviceTime']) {
    const blocks = histograms.get(tag) ?? []
    const whole = blocks[0]
    if (whole === undefined) throw new Error(`no ${tag}`)
    let left = round.evidence.counts.scheduled / 2
    histograms.set(
      tag,
      blocks.map((block) => {
        const counts = block.counts.map((count) => {
          const kept = Math.min(count, left)
          left -= kept
          return kept
        })
        return { n: counts.reduce((sum, count) => sum + count, 0), values: block.values, counts }
      }),
    )
  }
  return { evidence: failing(round.evidence), histograms }
}

function levelOf(results: ResultsDocument, agents: number, engine: string) {
  const found = results.scaling?.levels.find((level) => level.case === `agents-${agents}` && level.engine === engine)
  if (found === undefined) throw new Error(`no level ${agents} of ${engine}`)
  return found
}

describe('a scaling run', () => {
  it('names the levels that were skipped and the command that says what this machine lacks', () => {
    const run = scalingRun(linear)
    const skippedCases = [{ name: '15000 agents', reason: 'the limit is 4096' }]
    const results = deriveResults({
      ...run,
      manifest: { ...run.manifest, plan: { ...run.manifest.plan, skippedCases } },
    })
    expect(results.notAssessed).toContainEqual({
      what: '15000 agents, SKIPPED: the limit is 4096',
      command: 'lighthouse doctor',
    })
  })

  it('is judged at its largest load and lists every load with its engines', () => {
    const results = deriveResults(scalingRun(linear))
    expect(results.suite).toBe('scaling')
    expect(results.scope).toMatch(/^400 agents, 200 exchanges\/s, 6 × 3 s/)
    expect(results.decision).toBe('APPROVED')
    expect(results.plannedRounds).toBe(perLevel)
    expect(results.cases?.map(({ name, engines }) => [name, engines.map(({ validRounds }) => validRounds)])).toEqual(
      levels.map((agents) => [`agents-${agents}`, [perLevel, perLevel]]),
    )
    expect(results.engines).toEqual(results.cases?.at(-1)?.engines)
    expect(levelOf(results, 50, 'polling')).toEqual({
      case: 'agents-50',
      engine: 'polling',
      connectsPerSecond: 1000,
      successShare: 1,
      databaseQueriesPerExchange: 2.5,
      state: 'held',
    })
  })

  it('finds the slope that was planted and shows the claim of linear growth', () => {
    const results = deriveResults(scalingRun(linear))
    const memory = results.scaling?.growth.find(({ engine, metric }) => engine === 'polling' && metric === 'rssBytes')
    expect(memory).toMatchObject({ shape: 'linear', n: levels.length * perLevel })
    expect(memory?.perAgent).toBeCloseTo(12_000, -2)
    expect(memory?.low).toBeLessThan(12_000)
    expect(memory?.high).toBeGreaterThan(12_000)
    expect(results.claims[0]?.verdict).toBe('SHOWN')
  })

  it('refutes the claim when memory grows with the square of the agents', () => {
    const results = deriveResults(scalingRun((agents) => 50e6 + 60 * agents * agents))
    expect(results.scaling?.growth[0]).toMatchObject({ engine: 'polling', metric: 'rssBytes', shape: 'curved' })
    expect(results.claims[0]?.verdict).toBe('REFUTED')
  })

  it('shows nothing when the noise could hide a bend', () => {
    const noisy = (agents: number, round: number): number => linear(agents) + ((round * 7919) % 13) * 400_000
    expect(deriveResults(scalingRun(noisy)).claims[0]?.verdict).toBe('NOT_SHOWN')
  })
})

describe('an engine that fails at a load', () => {
  const from100 = (evidence: RoundEvidence, engine: string): boolean =>
    evidence.engine === engine && evidence.round >= 2 * perLevel && evidence.round < 3 * perLevel

  it('is stopped there if it is the baseline, which spoils no larger load', () => {
    const run = scalingRun(linear)
    const rounds = run.rounds
      .filter(({ evidence }) => evidence.engine !== 'polling' || evidence.round < 3 * perLevel)
      .map((each) => (from100(each.evidence, 'polling') ? halved(each) : each))
    const results = deriveResults({ ...run, rounds, ...noTargets(run) })
    expect(levels.map((agents) => levelOf(results, agents, 'polling').state)).toEqual([
      'held',
      'held',
      'stopped',
      'not played',
      'not played',
    ])
    expect(results.cases?.map(({ engines }) => engines.length)).toEqual([2, 2, 2, 1, 1])
    expect(results.decisionReasons.join('\n')).toMatch(/finding: polling completed 50 % at agents-100, below 90 %/)
    expect(results.scope).toMatch(/^400 agents/)
  })

  it('is judged where it failed if it is the candidate', () => {
    const run = scalingRun(linear)
    const rounds = run.rounds
      .filter(({ evidence }) => evidence.engine !== 'elicitation' || evidence.round < 3 * perLevel)
      .map((each) => (from100(each.evidence, 'elicitation') ? halved(each) : each))
    const results = deriveResults({ ...run, rounds })
    expect(results.scope).toMatch(/^100 agents/)
    expect(levelOf(results, 200, 'elicitation').state).toBe('not played')
    expect(results.engines.at(-1)?.errorRate).toBe(0.5)
  })

  it('stops the run by what broke at a smaller load', () => {
    const broken = altered(
      scalingRun(linear),
      ({ engine, round }) => engine === 'elicitation' && round === 1,
      (evidence) => ({ ...evidence, counts: { ...evidence.counts, duplicated: 1 } }),
    )
    expect(deriveResults(broken).decision).toBe('EMERGENCY_STOP')
  })

  it('says the case of a round that does not count', () => {
    const spoiled = altered(
      scalingRun(linear),
      ({ engine, round }) => engine === 'polling' && round === perLevel + 2,
      (evidence) => ({ ...evidence, audit: { ...evidence.audit, valid: false, reasons: ['The machine was away.'] } }),
    )
    expect(deriveResults(spoiled).invalidRounds).toEqual([
      { round: 2, engine: 'polling', reasons: ['The machine was away.'], case: 'agents-50' },
    ])
  })
})

describe('a search within the run', () => {
  const searching = (spoil: (evidence: RoundEvidence) => RoundEvidence, agents = 200) => {
    const run = scalingRun(linear)
    const cases = run.manifest.plan.cases.map((each, index) =>
      index === levels.length - 1
        ? { ...each, name: `knee-${agents}`, agents, searchBoundsMs: { polling: 3000, elicitation: 300 } }
        : each,
    )
    const own = (evidence: RoundEvidence) => evidence.round >= (levels.length - 1) * perLevel
    const searched = altered(
      { ...run, manifest: { ...run.manifest, plan: { ...run.manifest.plan, cases } } },
      own,
      spoil,
    )
    return deriveResults(searched).scaling?.knees
  }
  const sentInThreeSeconds = 600

  it('publishes the rate that the schedules of its probes had, not one that was written down', () => {
    const knees = searching((evidence) => ({ ...evidence, connectsPerSecond: 9999 }))
    expect(knees?.map(({ engine, ratePerSecond, limit, probes }) => [engine, ratePerSecond, limit, probes])).toEqual([
      ['polling', sentInThreeSeconds / 3, 'not reached', perLevel],
      ['elicitation', sentInThreeSeconds / 3, 'not reached', perLevel],
    ])
  })

  it('does not let a probe count whose generator was the limit', () => {
    const audit = { valid: false, reasons: ['The machine was away.'] }
    const spoil = (evidence: RoundEvidence) => ({ ...evidence, audit: { ...evidence.audit, ...audit } })
    expect(searching(spoil, 300)?.map(({ ratePerSecond, limit }) => [ratePerSecond, limit])).toEqual([
      [null, 'generator'],
      [null, 'generator'],
    ])
  })

  it('ends no lower than what the level of as many agents held itself', () => {
    // Probes at three times the rate of the level, in which the generator failed.
    const spoil = (evidence: RoundEvidence) => ({
      ...evidence,
      durationMs: evidence.durationMs / 3,
      audit: { ...evidence.audit, valid: false, reasons: ['Sends were late.'] },
    })
    expect(searching(spoil)?.map(({ ratePerSecond, limit }) => [ratePerSecond, limit])).toEqual([
      [sentInThreeSeconds / 3, 'generator'],
      [sentInThreeSeconds / 3, 'generator'],
    ])
  })
})

describe('cases that do not divide the rounds', () => {
  const run = scalingRun(linear)
  const { cases } = run.manifest.plan
  it.each([
    ['a gap', cases.map((each, index) => (index === 1 ? { ...each, firstRound: each.firstRound + 1 } : each))],
    ['too few', cases.slice(0, -1)],
    ['a name twice', cases.map((each) => ({ ...each, name: 'same' }))],
  ])('are a contradiction: %s', (_what, wrong) => {
    const manifest = { ...run.manifest, plan: { ...run.manifest.plan, cases: wrong } }
    expect(() => caseViews(manifest, run.rounds)).toThrow(/do not divide its rounds/)
  })
})

/** Without targets of speed, which a stopped baseline cannot show. */
function noTargets(run: ReturnType<typeof scalingRun>) {
  const bare = syntheticRun({
    targets: 'targets:\n  - { title: P99, expression: "candidate.roundTrip.p99 < 300ms" }\n',
  })
  return { targets: bare.targets, manifest: { ...run.manifest, targets: bare.manifest.targets } }
}
