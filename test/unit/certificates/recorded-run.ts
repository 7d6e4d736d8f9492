/**
 * A recorded run for tests: TEST DATA, invented figures, never measured. Latencies are spread evenly around a given
 * middle, so that every quantile is known; the run directory is otherwise written as a real one is.
 */
import { mkdirSync } from 'node:fs'
import { claimsFromJson, claimsSha256 } from '../../../src/measurement/claims-file.ts'
import { documentText } from '../../../src/measurement/canonical-json.ts'
import { deriveResults } from '../../../src/measurement/derive.ts'
import { histogramLogHeader, histogramLogLine, seriesLines } from '../../../src/measurement/histogram-log.ts'
import { createBlockedRecorder, createLatencyRecorder } from '../../../src/measurement/latency-recorder.ts'
import type { Environment, ExchangeCounts } from '../../../src/measurement/results-document.ts'
import type { EngineArm, RoundEvidence, RunManifest } from '../../../src/measurement/round-evidence.ts'
import { createRunDirectory, openRunDirectory } from '../../../src/measurement/run-directory.ts'
import { targetsFromJson, targetsSha256 } from '../../../src/measurement/targets-file.ts'

export const testCommit = '0123456789abcdef0123456789abcdef01234567'
export const runStartedMs = 1_795_313_256_000
const durationMs = 2000
const perRound = 600

export interface FixtureOptions {
  readonly dirty?: boolean
  readonly commit?: string | null
  readonly candidateMs?: number
  /** Added to the candidate's counts in its first round. */
  readonly duplicated?: number
  readonly candidateLabel?: string
  readonly targets?: readonly object[]
  readonly claims?: readonly object[]
  readonly rounds?: number
  /** Laid over the manifest, e.g. to make the run a member of a campaign. */
  readonly head?: Partial<RunManifest>
}

const defaultTargets = [
  { title: 'P50 Latency', expression: 'candidate.roundTrip.p50 < 50ms' },
  { title: 'P99 Latency', expression: 'candidate.roundTrip.p99 < 300ms' },
  { title: 'Error Rate', expression: 'candidate.errorRate < 1%' },
  { title: 'Concurrent Agents', expression: 'candidate.agents >= 10000', mandatoryIn: ['full'] },
]
const defaultClaims = [
  {
    id: 'improvement-30-300',
    document: 'TEST-DOCUMENT',
    words: '30-300x improvement',
    statement: 'Elicitation answers 30 to 300 times faster than polling.',
    suite: 'comparison',
    test: { kind: 'speedup', series: 'roundTrip', quantile: 'p50', atLeast: 30, statedUpTo: 300 },
  },
]

function environment({ commit = testCommit, dirty = false }: FixtureOptions): Environment {
  const reason = 'not in a git work tree'
  return {
    lighthouseVersion: '0.1.0',
    commit: commit === null ? { value: null, reason } : { value: commit },
    dirty: commit === null ? { value: null, reason } : { value: dirty },
    lockfileSha256: { value: 'a'.repeat(64) },
    nodeVersion: 'v26.10.0',
    libraries: { ws: '8.23.0' },
    platform: 'linux x64',
    kernel: '6.18.0',
    cpuModel: 'Test CPU (invented)',
    logicalCpus: 2,
    memoryBytes: 8_589_934_592,
    descriptorLimit: { value: 20_000 },
    loadAverageBefore: [0.1, 0.2, 0.3],
    loadAverageAfter: [0.4, 0.3, 0.3],
    stealPercent: { value: 0.1 },
    foreignCpuPercent: { value: 1.5 },
  }
}

function arm(label: string, role: EngineArm['role']): EngineArm {
  return {
    label,
    name: role === 'baseline' ? 'polling' : 'elicitation',
    options: role === 'baseline' ? { interval: '1000ms' } : {},
    role,
    host: 'thread',
    transport: role === 'baseline' ? 'http' : 'websocket',
    semantics: {
      delivery: 'at-least-once',
      durability: 'os',
      ordering: 'per-pair',
      replay: 'cursor',
      expiry: 'engine',
    },
    semanticsBasis: 'started-by-this-run',
  }
}

export function fixtureManifest(options: FixtureOptions): RunManifest {
  const rounds = options.rounds ?? 6
  const candidate = options.candidateLabel ?? 'elicitation'
  const targets = { targets: options.targets ?? defaultTargets }
  const claims = { claims: options.claims ?? defaultClaims }
  return {
    schemaVersion: 1,
    runId: 'run-20261122-020736-1a2b',
    suite: 'comparison',
    profile: 'smoke',
    startedAt: '2026-11-22T02:07:36.000Z',
    seed: 'test-data',
    plan: {
      agents: 100,
      ratePerSecond: 300,
      rounds,
      minimumRounds: 3,
      roundDurationMs: durationMs,
      warmupMs: 500,
      deadlineMs: 5000,
      pattern: 'pairs',
      payloadBytes: 300,
      pacing: 'timer',
      loadModel: 'open',
      durability: 'os',
      order: Array.from({ length: rounds }, (_, round) =>
        round % 2 === 0 ? ['polling', candidate] : [candidate, 'polling'],
      ),
    },
    engines: [arm('polling', 'baseline'), arm(candidate, 'candidate')],
    targets: { source: 'test targets', sha256: targetsSha256(targetsFromJson(targets)) },
    claims: { source: 'test claims', sha256: claimsSha256(claimsFromJson(claims)) },
    environment: environment(options),
    finishedAt: '2026-11-22T02:09:00.000Z',
    ...options.head,
  }
}

function counts(duplicated: number): ExchangeCounts {
  return {
    scheduled: perRound,
    completed: perRound,
    refused: 0,
    timedOut: 0,
    lost: 0,
    duplicated,
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

function evidence(round: number, engine: string, duplicated: number): RoundEvidence {
  return {
    schemaVersion: 1,
    round,
    attempt: 0,
    engine,
    startedAtMs: runStartedMs + round * 10_000,
    durationMs,
    drainMs: 310.5,
    counts: counts(duplicated),
    ledger: { state: 'COMPLETE', reasons: [] },
    anomalies: [],
    samples: { negative: 0, outOfRange: 0 },
    audit: {
      valid: true,
      reasons: [],
      scheduled: perRound,
      sent: perRound,
      achievedRatio: 1,
      latenessP99Ms: 0.9,
      eventLoopP99Ms: 0.2,
      cpuPercent: 12.5,
      stealPercent: 0.1,
      foreignCpuPercent: 1.5,
    },
    client: { openSockets: 100, ...(engine === 'polling' ? { wastedPolls: 7000, polls: 9000 } : {}) },
    engineStats: {
      databaseQueries: engine === 'polling' ? 9000 : 1200,
      emptyPolls: engine === 'polling' ? 7000 : 0,
      heldConnections: 100,
      pollTimeouts: 0,
      commits: 300,
      walBytes: null,
    },
    resources: {
      rssMaxBytes: null,
      heapMaxBytes: 20_000_000,
      cpuUs: 123_456,
      eventLoopP99Ms: 0.1,
      openConnectionsMax: 100,
      walBytesMax: null,
      nullReasons: { rssMaxBytes: 'the engine shares a process', walBytesMax: 'not read' },
    },
  }
}

/** Evenly from half to one and a half times `middleMs`. */
function log(middleMs: number, stages: boolean): string {
  const record = (scale: number): string[] => {
    const recorder = createBlockedRecorder({ unit: 'us', highest: 600_000_000, blocks: 2 })
    for (let index = 0; index < perRound; index++) {
      recorder.record(
        index < perRound / 2 ? 0 : 1,
        Math.round(middleMs * 1000 * scale * (0.5 + ((index * 7) % perRound) / perRound)),
      )
    }
    const blocks = recorder.encodeBlocks()
    recorder.destroy()
    return blocks
  }
  const line = (tag: string, unit: 'us' | 'ns', value: number, count: number): string => {
    const recorder = createLatencyRecorder({ unit, highest: 60_000_000_000 })
    for (let index = 0; index < count; index++) recorder.record(value + index)
    const text = histogramLogLine({ tag, startMs: 0, intervalMs: durationMs, histogram: recorder.encode() })
    recorder.destroy()
    return text
  }
  const stageValues = {
    verify: 12_000,
    nonce: 900,
    rateLimit: 700,
    schema: 2500,
    storeWait: 180_000,
    push: 9000,
    total: 400_000,
  }
  return (
    histogramLogHeader(runStartedMs) +
    seriesLines('delivery', record(0.5), durationMs) +
    seriesLines('roundTrip', record(1), durationMs) +
    seriesLines('serviceTime', record(0.99), durationMs) +
    line('lateness', 'us', 120, perRound) +
    (stages
      ? Object.entries(stageValues)
          .map(([name, ns]) => line(`stage.${name}`, 'ns', ns, perRound))
          .join('')
      : '')
  )
}

/** Writes `<parent>/run-…` and returns its path. */
export function writeRecordedRun(parent: string, options: FixtureOptions = {}): string {
  mkdirSync(parent, { recursive: true })
  const manifest = fixtureManifest(options)
  const directory = createRunDirectory(parent, manifest.runId)
  directory.start(
    manifest,
    documentText({ targets: options.targets ?? defaultTargets }),
    documentText({ claims: options.claims ?? defaultClaims }),
  )
  const candidate = options.candidateLabel ?? 'elicitation'
  for (let round = 0; round < manifest.plan.rounds; round++) {
    directory.writeRound(evidence(round, 'polling', 0), log(1000, false))
    const duplicated = round === 0 ? (options.duplicated ?? 0) : 0
    directory.writeRound(evidence(round, candidate, duplicated), log(options.candidateMs ?? 4, true))
  }
  directory.writeLedger({ note: 'test data' })
  const opened = openRunDirectory(directory.path)
  opened.directory.writeResults(deriveResults(opened))
  opened.directory.writeReport('# Not evidence\n')
  return directory.path
}
