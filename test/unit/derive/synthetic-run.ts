/**
 * A whole run made of nothing but a seed: polling of 1 s against elicitation of about 2 ms, ten rounds of 3 s at
 * 200/s, with honest counts. Tests damage one thing in it and look at what the derivation says.
 */
import { claimsSha256, parseClaims, type Claim } from '../../../src/measurement/claims-file.ts'
import type { DerivationInput, RoundInput } from '../../../src/measurement/derive.ts'
import type { Environment, ExchangeCounts } from '../../../src/measurement/results-document.ts'
import type { EngineArm, RoundEvidence, RunManifest } from '../../../src/measurement/round-evidence.ts'
import { parseTargets, targetsSha256, type Target } from '../../../src/measurement/targets-file.ts'
import { seededRandom, type Random } from '../../../src/platform/random.ts'
import { distributionOf, type Distribution } from '../../../src/statistics/distribution.ts'

const environment: Environment = {
  lighthouseVersion: '0.1.0',
  commit: { value: 'a'.repeat(40) },
  dirty: { value: false },
  lockfileSha256: { value: null, reason: 'not in a checkout' },
  nodeVersion: 'v26.0.0',
  libraries: {},
  platform: 'linux x64',
  kernel: '6.0',
  cpuModel: 'test',
  logicalCpus: 2,
  memoryBytes: 8e9,
  descriptorLimit: { value: 65_536 },
  loadAverageBefore: [0, 0, 0],
  loadAverageAfter: [0, 0, 0],
  stealPercent: { value: 0 },
  foreignCpuPercent: { value: 0 },
}

function arm(name: string, role: 'baseline' | 'candidate'): EngineArm {
  return {
    label: name,
    name,
    options: {},
    role,
    host: 'thread',
    transport: name === 'polling' ? 'http' : 'websocket',
    semantics: {
      delivery: 'at-least-once',
      durability: 'os',
      ordering: name === 'polling' ? 'none' : 'per-pair',
      replay: 'cursor',
      expiry: name === 'polling' ? 'client' : 'engine',
    },
    semanticsBasis: 'started-by-this-run',
  }
}

export interface RunOptions {
  readonly profile?: RunManifest['profile']
  readonly rounds?: number
  readonly roundDurationMs?: number
  readonly agents?: number
  readonly perRound?: number
  readonly targets?: string
  readonly claims?: string
  /** Candidate round trips in µs; 2 ms and a thin tail when absent. */
  readonly candidateUs?: (random: Random) => number
  /** Multiplies what polling takes. */
  readonly pollingScale?: number
}

export const plainTargets = `targets:
  - { title: P50, expression: "candidate.roundTrip.p50 < 50ms" }
  - { title: P99, expression: "candidate.roundTrip.p99 < 300ms" }
  - { title: Speed, expression: "speedup.p50 >= 30" }
`

function blocksOf(samples: readonly number[], blocks: number): Distribution[] {
  const size = Math.ceil(samples.length / blocks)
  return Array.from({ length: blocks }, (_, index) => distributionOf(samples.slice(index * size, (index + 1) * size)))
}

export function cleanCounts(scheduled: number): ExchangeCounts {
  return {
    scheduled,
    completed: scheduled,
    refused: 0,
    timedOut: 0,
    lost: 0,
    duplicated: 0,
    wireDuplicates: 0,
    phantom: 0,
    misdelivered: 0,
    reordered: 0,
    doubleTerminal: 0,
    corrupt: 0,
    late: 0,
    unexpected: 0,
  }
}

function round(engine: string, index: number, options: Required<RunOptions>): RoundInput {
  const random = seededRandom(`synthetic/${engine}/${index}`)
  const n = options.perRound
  const polling = engine === 'polling'
  const fast = (): number => Math.round(options.candidateUs(random))
  const roundTrip = Array.from({ length: n }, () =>
    polling ? Math.round((random.uniform() + random.uniform()) * 1e6 * options.pollingScale) : fast(),
  )
  const delivery = Array.from({ length: n }, () =>
    polling ? Math.round(random.uniform() * 1e6 * options.pollingScale) : Math.round(fast() / 2),
  )
  const blocks = Math.max(1, Math.floor(options.roundDurationMs / 1000))
  const histograms = new Map<string, Distribution[]>([
    ['roundTrip', blocksOf(roundTrip, blocks)],
    ['serviceTime', blocksOf(roundTrip, blocks)],
    ['delivery', blocksOf(delivery, blocks)],
    ['lateness', [distributionOf(Array.from({ length: n }, () => Math.round(random.exponential() * 100)))]],
  ])
  if (!polling) {
    for (const stage of ['verify', 'nonce', 'rateLimit', 'schema', 'storeWait', 'push', 'total']) {
      histograms.set(`stage.${stage}`, [distributionOf(Array.from({ length: n }, () => 20_000 + random.below(30_000)))])
    }
  }
  const evidence: RoundEvidence = {
    schemaVersion: 1,
    round: index,
    attempt: 0,
    engine,
    startedAtMs: 1_700_000_000_000 + index * 10_000,
    durationMs: options.roundDurationMs,
    drainMs: 100,
    counts: cleanCounts(n),
    ledger: { state: 'COMPLETE', reasons: [] },
    anomalies: [],
    samples: { negative: 0, outOfRange: 0 },
    audit: {
      valid: true,
      reasons: [],
      scheduled: n,
      sent: n,
      achievedRatio: 1,
      latenessP99Ms: 0.5,
      eventLoopP99Ms: 1.2,
      cpuPercent: 12.5,
      stealPercent: 0,
      foreignCpuPercent: 0,
    },
    client: polling
      ? { openSockets: 100, polls: 500, wastedPolls: 12, reconnects: 0, retries: 0 }
      : { openSockets: options.agents, reconnects: 0, retries: 0 },
    engineStats: {
      databaseQueries: polling ? 1500 : 0,
      emptyPolls: 900,
      pollTimeouts: 0,
      heldConnections: 100,
      commits: 50,
    },
    resources: {
      rssMaxBytes: null,
      heapMaxBytes: 5e7,
      cpuUs: 200_000,
      eventLoopP99Ms: 2,
      openConnectionsMax: options.agents,
      walBytesMax: 1e6,
      nullReasons: { rssMaxBytes: 'the engine shares its process with others' },
    },
  }
  return { evidence, histograms }
}

/** Ten rounds of 600 exchanges on each engine, or as the options say. */
export function syntheticRun(given: RunOptions = {}): DerivationInput & {
  manifest: RunManifest
  targets: Target[]
  claims: Claim[]
  rounds: RoundInput[]
} {
  const options: Required<RunOptions> = {
    profile: 'standard',
    rounds: 10,
    roundDurationMs: 3000,
    agents: 100,
    perRound: 2000,
    targets: plainTargets,
    claims: 'claims: []',
    candidateUs: (random) => 1500 + random.exponential() * 500,
    pollingScale: 1,
    ...given,
  }
  const targets = parseTargets(options.targets, 'targets.yaml')
  const claims = parseClaims(options.claims, 'claims.yaml')
  const manifest: RunManifest = {
    schemaVersion: 1,
    runId: 'test-run',
    suite: 'comparison',
    profile: options.profile,
    startedAt: '2025-09-01T00:00:00Z',
    seed: 'seed',
    plan: {
      agents: options.agents,
      ratePerSecond: (options.perRound * 1000) / options.roundDurationMs,
      rounds: options.rounds,
      minimumRounds: options.profile === 'smoke' ? 3 : Math.max(6, Math.ceil(options.rounds * 0.8)),
      roundDurationMs: options.roundDurationMs,
      warmupMs: 500,
      deadlineMs: 5000,
      pattern: 'pairs',
      payloadBytes: 200,
      pacing: 'timer',
      loadModel: 'open',
      durability: 'os',
      order: Array.from({ length: options.rounds }, () => ['polling', 'elicitation']),
    },
    engines: [arm('polling', 'baseline'), arm('elicitation', 'candidate')],
    targets: { source: 'targets.yaml', sha256: targetsSha256(targets) },
    claims: { source: 'claims.yaml', sha256: claimsSha256(claims) },
    environment,
  }
  const rounds = Array.from({ length: options.rounds }, (_, index) => [
    round('polling', index, options),
    round('elicitation', index, options),
  ]).flat()
  return { manifest, targets, claims, rounds }
}

/** The same run with the evidence of some rounds changed. */
export function altered<T extends DerivationInput>(
  run: T,
  which: (evidence: RoundEvidence) => boolean,
  change: (evidence: RoundEvidence) => RoundEvidence,
): T {
  const rounds = run.rounds.map((each) => (which(each.evidence) ? { ...each, evidence: change(each.evidence) } : each))
  return { ...run, rounds }
}
