/** Results documents as the derivation makes them, one of every kind, for whatever must hold of all of them. */
import type { RoleFairness } from '../../../src/measurement/coordination-evidence.ts'
import { deriveResults } from '../../../src/measurement/derive.ts'
import { scalabilityOf } from '../../../src/measurement/derive-knees.ts'
import type { KneeResult, ResultsDocument } from '../../../src/measurement/results-document.ts'
import type { CasePlan, RoundEvidence } from '../../../src/measurement/round-evidence.ts'
import { hostileResults, results } from '../../golden/reports/results-fixture.ts'
import { burstRun } from '../derive/burst-run.ts'
import { contentionRun } from '../derive/contention-run.ts'
import { coordinationRun } from '../derive/coordination-run.ts'
import { memoryRun } from '../derive/memory-run.ts'
import { enduranceRun } from '../derive/endurance-run.ts'
import { altered, plainTargets, syntheticRun } from '../derive/synthetic-run.ts'

const claims = `claims:
  - id: speed-up
    document: D
    words: 30 to 300 times
    statement: Push is 30 to 300 times faster.
    suite: comparison
    test: { kind: speedup, series: roundTrip, quantile: p50, atLeast: 30, statedUpTo: 300 }
  - id: linear-memory
    document: D
    words: Linear memory growth
    statement: Polling grows linearly.
    suite: scaling
    test: { kind: linearGrowth, engine: polling, metrics: [rssBytes, openConnections] }
`
const targets = `${plainTargets}
  - { title: Errors, expression: "candidate.errorRate < 1%" }
  - { title: Rate, expression: "candidate.throughputPerSecond >= 10000", mandatoryIn: [full] }
  - { title: Agents, expression: "candidate.agents >= 10", mandatoryIn: [] }
  - { title: Overhead, expression: "candidate.overhead.p99 < 20ms" }
`

const spoiled = (evidence: RoundEvidence): RoundEvidence => ({
  ...evidence,
  audit: { ...evidence.audit, valid: false, reasons: ['The machine was away.'] },
})
const unknown = (evidence: RoundEvidence): RoundEvidence => ({
  ...evidence,
  ledger: { state: 'UNKNOWN', reasons: ['The drain reached its bound.'] },
})
const unserved = (role: RoleFairness): RoleFairness => ({
  ...role,
  ...{ served: 0, index: null, indexByChance: null, medianMs: null, worstMs: null, worstToMedian: null },
})
const comparisonRun = () => syntheticRun({ perRound: 600, targets, claims })

/** Three arms, of which two are of the candidate's engine. */
function savings(): ResultsDocument {
  const run = comparisonRun()
  const label = 'elicitation:batching=off'
  const [polling, elicitation] = run.manifest.engines
  if (polling === undefined || elicitation === undefined) throw new Error('the synthetic run has two engines')
  const sibling = { ...elicitation, label, options: { batching: 'off' }, role: 'baseline' as const }
  const siblings = run.rounds.filter(({ evidence }) => evidence.engine === 'elicitation')
  return deriveResults({
    ...run,
    manifest: { ...run.manifest, engines: [polling, sibling, elicitation] },
    rounds: [...run.rounds, ...siblings.map((each) => ({ ...each, evidence: { ...each.evidence, engine: label } }))],
  })
}

/** Three levels and a search, an engine stopped at a level, a round that does not count, and a case that was skipped. */
function scaling(): ResultsDocument {
  const perCase = 6
  const sizes = [10, 50, 100, 200, 50]
  const run = syntheticRun({ rounds: sizes.length * perCase, perRound: 600, targets, claims })
  const cases = sizes.map((agents, index): CasePlan => {
    const search = index === sizes.length - 1
    return {
      name: search ? `knee-${agents}` : `agents-${agents}`,
      agents,
      ratePerSecond: 200,
      loadModel: index === 0 ? 'closed' : 'open',
      roundDurationMs: run.manifest.plan.roundDurationMs,
      firstRound: index * perCase,
      rounds: perCase,
      ...(search ? { searchBoundsMs: { polling: 3000, elicitation: 300 } } : {}),
    }
  })
  const skippedCases = [{ name: 'agents-15000', reason: 'too few descriptors' }]
  const plan = { ...run.manifest.plan, agents: 200, cases, skippedCases }
  const grown = altered(
    { ...run, manifest: { ...run.manifest, suite: 'scaling', plan } },
    () => true,
    (evidence) => {
      const agents = sizes[Math.floor(evidence.round / perCase)] ?? 0
      const noise = 500 * (evidence.round % 3)
      const resources = {
        ...evidence.resources,
        rssMaxBytes: 5e7 + 12_000 * agents + noise,
        openConnectionsMax: agents,
      }
      return { ...evidence, connectsPerSecond: 1000, resources: { ...resources, nullReasons: {} } }
    },
  )
  const failing = altered(
    grown,
    ({ engine, round }) => engine === 'polling' && round >= 2 * perCase && round < 3 * perCase,
    (evidence) => ({ ...evidence, counts: { ...evidence.counts, completed: 300, timedOut: 300 } }),
  )
  const rounds = failing.rounds.filter(({ evidence }) => evidence.engine !== 'polling' || evidence.round < 3 * perCase)
  return deriveResults(altered({ ...failing, rounds }, ({ round }) => round === 1, spoiled))
}

/** The law needs knees at more loads than a synthetic run has. */
function fitted(): ResultsDocument {
  const document = scaling()
  if (document.scaling === undefined) throw new Error('the suite is scaling')
  const knees = [1, 2, 5, 10, 20, 50, 100].map((agents, index): KneeResult => {
    const ratePerSecond = (100 * agents) / (1 + 0.02 * (agents - 1) + 0.001 * agents * (agents - 1))
    const cpu = { engineCpuPercent: 150, generatorCpuPercent: null }
    return { engine: 'polling', agents, boundMs: 3000, ratePerSecond, limit: 'errors', probes: 1 + index, ...cpu }
  })
  return { ...document, scaling: { ...document.scaling, knees, scalability: [scalabilityOf('polling', knees)] } }
}

/** A crash in each round of one case: one that did not bite, one that never healed, and a control without any. */
function recovery(): ResultsDocument {
  const perCase = 6
  const run = syntheticRun({ rounds: 2 * perCase, perRound: 500, roundDurationMs: 5000, targets })
  const { agents, ratePerSecond, roundDurationMs, loadModel } = run.manifest.plan
  const load = { agents, ratePerSecond, roundDurationMs, loadModel, rounds: perCase }
  const planned = { kind: 'crash', atMs: 1000, forMs: 500, untilMs: 5000 }
  const cases: CasePlan[] = [
    { ...load, name: 'crash', firstRound: 0, faults: [planned] },
    { ...load, name: 'control', firstRound: perCase },
  ]
  const plan = { ...run.manifest.plan, cases }
  const broken = altered(
    { ...run, manifest: { ...run.manifest, suite: 'failure-recovery' as const, plan } },
    ({ round }) => round < perCase,
    (evidence) => {
      const healedAtMs = evidence.round === 1 ? null : 1500
      const fault = { kind: 'crash', injectedAtMs: 1000, healedAtMs, untilMs: 5000, bit: evidence.round !== 2 }
      const figures: Record<string, number> = {
        rssBeforeBytes: 4e7,
        ...(evidence.round === 3 ? { restartMs: 300 } : {}),
      }
      const perSecond = [100, 100, 100, 100, 100]
      return {
        ...evidence,
        resources: { ...evidence.resources, rssMaxBytes: 5e7 },
        timeline: { scheduled: perSecond, completed: perSecond, results: perSecond, backlog: [2, 90, 3, 2, 1, 0] },
        marks: [
          { name: 'injected-0', atMs: 1000, firstFailureMs: 1002.5, firstSuccessMs: 1510 },
          { name: 'healed-0', atMs: 1500, firstFailureMs: null, firstSuccessMs: 1510 },
        ],
        faults: [{ ...fault, shownBy: 'process killed', figures }],
      }
    },
  )
  return deriveResults(broken)
}

/** As it is written and read back: JSON, so without undefined, NaN and infinities. */
export function asWritten<T>(document: T): T {
  return JSON.parse(JSON.stringify(document)) as T
}

/** By what they are; made once, since synthetic rounds take their time. */
export const resultsDocuments: Readonly<Record<string, ResultsDocument>> = {
  'a comparison': deriveResults(comparisonRun()),
  'a smoke run without claims': deriveResults(syntheticRun({ perRound: 200, profile: 'smoke', rounds: 3 })),
  'arms of one engine': savings(),
  'a scaling run': scaling(),
  'a scaling run with a fitted law': fitted(),
  'a recovery run': recovery(),
  'a contention run': deriveResults(contentionRun()),
  'a contention run of few rounds, with searches that ended': deriveResults(
    contentionRun({ rounds: 3, latency: (load) => ({ us: 500, tailUs: load === 'saturation' ? 300_000 : 2000 }) }),
  ),
  'a contention run without a valid round': deriveResults(altered(contentionRun(), () => true, spoiled)),
  'a memory run': deriveResults(memoryRun()),
  'a memory run without a valid round': deriveResults(altered(memoryRun(), () => true, spoiled)),
  'an endurance run': deriveResults(
    enduranceRun({
      rounds: 60,
      engine: ({ hours }) => ({ heapUsedBytes: 10e6 * hours }),
      slower: ({ index }) => (index < 45 ? 1 : 2),
    }),
  ),
  'an endurance run of few intervals, resumed': deriveResults(enduranceRun({ rounds: 8, gaps: { 5: 1e6 } })),
  'an endurance run without a valid interval': deriveResults(altered(enduranceRun({ rounds: 8 }), () => true, spoiled)),
  'a burst run': deriveResults(burstRun({ times: (second) => (second === 3 ? 3 : 1) })),
  'a burst run of few rounds, one without recovery': deriveResults(
    burstRun({ rounds: 1, perSecond: 5, failing: (second) => (second > 3 ? 3 : 0) }),
  ),
  'a coordination run': deriveResults(
    coordinationRun({ case: 'quorum', timesUs: () => Array<number>(150).fill(9000) }),
  ),
  'a coordination run without fairness': deriveResults(
    coordinationRun({ coordination: (evidence) => ({ ...evidence, fairness: evidence.fairness.map(unserved) }) }),
  ),
  'a run with no valid round': deriveResults(altered(comparisonRun(), () => true, spoiled)),
  'a run that is interrupted before its first round': deriveResults({ ...interrupted(), rounds: [] }),
  'a run that is interrupted after some rounds': deriveResults(interrupted()),
  'a run with an UNKNOWN ledger': deriveResults(altered(comparisonRun(), ({ round }) => round < 2, unknown)),
  'a run written by hand': results,
  'a run written by hand with a hostile label': hostileResults,
}

function interrupted() {
  const run = comparisonRun()
  const environment = {
    ...run.manifest.environment,
    loadAverageAfter: [],
    stealPercent: { value: null, reason: 'the run has not ended' },
  }
  const rounds = run.rounds.filter(({ evidence }) => evidence.round < 4)
  return { ...run, manifest: { ...run.manifest, environment, interrupted: true }, rounds }
}
