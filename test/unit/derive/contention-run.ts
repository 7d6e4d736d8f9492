/** A contention run made of planted rounds: three stores, two pools, a search, three levels and the held rate. */
import { claimsSha256, parseClaims } from '../../../src/measurement/claims-file.ts'
import { heldCase } from '../../../src/measurement/contention-figures.ts'
import type { RoundInput } from '../../../src/measurement/derive.ts'
import type { CasePlan, EngineArm, RoundEvidence } from '../../../src/measurement/round-evidence.ts'
import { parseTargets, targetsSha256 } from '../../../src/measurement/targets-file.ts'
import { distributionOf, type Distribution } from '../../../src/statistics/distribution.ts'
import { cleanCounts, syntheticRun } from './synthetic-run.ts'

export const contentionClaims = parseClaims(
  `claims:
  - { id: batching, document: D, words: w, statement: s, suite: contention, test: { kind: batching } }
`,
  'claims.yaml',
)
const targetText = `targets:
  - { title: Factor, expression: "candidate.contention.factor <= 3x" }
  - { title: Factor of 50, expression: "candidate.contention.writers-50.factor <= 3x" }
  - { title: Held, expression: "candidate.contention.heldWritesPerMinute >= 50000" }
  - { title: Pool, expression: "candidate.contention.smallestPool <= 20" }
  - { title: Highest, expression: "candidate.contention.saturationPerSecond >= 3000" }
`

/** Microseconds of all writes of a round, but for the last 20 of every 1000, which take `tailUs`. */
interface Latency {
  readonly us: number
  readonly tailUs: number
}
export type LatencyOf = (load: string, store: string, round: number) => Latency

export interface Planted {
  readonly latency?: LatencyOf
  readonly change?: (evidence: RoundEvidence, load: string) => RoundEvidence
  readonly rounds?: number
}

export const quick: LatencyOf = () => ({ us: 500, tailUs: 2000 })
export const stores = ['sqlite:batching=off', 'sqlite', 'postgres'] as const

function armOf(label: string, role: EngineArm['role']): EngineArm {
  const [name = '', option] = label.split(':')
  return {
    label,
    name,
    options: option === undefined ? {} : { batching: 'off' },
    role,
    host: 'process',
    transport: 'store',
    semantics: { delivery: 'exactly-once', durability: 'os', ordering: 'per-pair', replay: 'cursor', expiry: 'client' },
    semanticsBasis: 'started-by-this-run',
  }
}

function blocks(n: number, seconds: number, { us, tailUs }: Latency): Distribution[] {
  const each = n / seconds
  const tail = Math.ceil(each * 0.02)
  return Array.from({ length: seconds }, () =>
    distributionOf(Array.from({ length: each }, (_, index) => (index >= each - tail ? tailUs : us))),
  )
}

function roundOf(base: RoundEvidence, load: CasePlan, store: string, index: number, planted: Planted): RoundInput {
  const n = 3000
  const latency = (planted.latency ?? quick)(load.name, store, index)
  const pooled = load.poolSize !== undefined || store === 'postgres'
  const series = blocks(n, 3, latency)
  const waits = (us: number): Distribution[] => blocks(n, 3, { us, tailUs: 3 * us })
  const evidence: RoundEvidence = {
    ...base,
    engine: store,
    round: load.firstRound + index,
    durationMs: 3000,
    drainMs: 0,
    counts: cleanCounts(n),
    audit: { ...base.audit, scheduled: n, sent: n },
    client: { writers: load.agents, readers: 1, reads: 500, rowsRead: n, emptyReads: 0 },
    engineStats: {
      commits: store === 'sqlite:batching=off' ? n : n / 4,
      committedRows: n,
      walBytesWritten: n * 1000,
      writtenBytes: n * 1500,
      fsyncs: 30,
      checkpoints: 6,
      ...(pooled ? {} : { checkpointStallMs: 12, checkpointStallMaxMs: 1 + index }),
    },
    resources: { ...base.resources, openConnectionsMax: 2 },
  }
  const histograms = new Map<string, Distribution[]>([
    ['roundTrip', series],
    ['serviceTime', series],
    ['delivery', blocks(n, 3, { us: latency.us + 5000, tailUs: latency.tailUs + 5000 })],
    ['lateness', [distributionOf([10])]],
    ['store.lockWait', waits(10)],
    ['store.read', waits(100)],
    [pooled ? 'store.poolWait' : 'store.commit', waits(40)],
  ])
  return { evidence: planted.change?.(evidence, load.name) ?? evidence, histograms }
}

export function contentionRun(planted: Planted = {}) {
  const rounds = planted.rounds ?? 6
  const base = syntheticRun({ rounds: 1 })
  const evidence = base.rounds[0]?.evidence
  if (evidence === undefined) throw new Error('the synthetic run has a round')
  const sizes = { loadModel: 'open', roundDurationMs: 3000 } as const
  const loads: Omit<CasePlan, 'firstRound'>[] = [
    ...[5, 20].map((poolSize) => {
      return {
        ...sizes,
        name: `pool-${poolSize}`,
        agents: 50,
        ratePerSecond: 1000,
        rounds: 3,
        poolSize,
        engines: ['postgres'],
      }
    }),
    {
      ...sizes,
      name: 'saturation',
      agents: 200,
      ratePerSecond: 1000,
      rounds: 2,
      engines: ['sqlite', 'postgres'],
      searchBoundsMs: { sqlite: 100, postgres: 100 },
    },
    { ...sizes, name: 'writers-10', agents: 10, ratePerSecond: 1000, rounds },
    { ...sizes, name: 'writers-50', agents: 50, ratePerSecond: 1000, rounds, engines: ['sqlite', 'postgres'] },
    { ...sizes, name: heldCase, agents: 200, ratePerSecond: 1000, rounds },
    { ...sizes, name: 'writers-200', agents: 200, ratePerSecond: 1000, rounds },
  ]
  let firstRound = 0
  const cases = loads.map((load): CasePlan => {
    const plan = { ...load, firstRound }
    firstRound += load.rounds
    return plan
  })
  const playersOf = ({ engines }: CasePlan): readonly string[] => engines ?? stores
  const targets = parseTargets(targetText, 'targets.yaml')
  const manifest = {
    ...base.manifest,
    suite: 'contention' as const,
    engines: stores.map((label, index) => armOf(label, index === 2 ? 'candidate' : 'baseline')),
    plan: {
      ...base.manifest.plan,
      agents: 200,
      ratePerSecond: 1000,
      rounds: firstRound,
      minimumRounds: Math.min(6, rounds),
      roundDurationMs: 3000,
      order: cases.flatMap((plan) => Array.from({ length: plan.rounds }, () => [...playersOf(plan)])),
      cases,
      skippedCases: [{ name: 'postgres:batching=off', reason: 'planted' }],
    },
    claims: { source: 'claims.yaml', sha256: claimsSha256(contentionClaims) },
    targets: { source: 'targets.yaml', sha256: targetsSha256(targets) },
  }
  const played = cases.flatMap((plan) =>
    playersOf(plan).flatMap((store) =>
      Array.from({ length: plan.rounds }, (_, index) => roundOf(evidence, plan, store, index, planted)),
    ),
  )
  return { manifest, targets, claims: contentionClaims, rounds: played }
}
