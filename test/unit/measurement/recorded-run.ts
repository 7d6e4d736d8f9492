/** A small recorded run that tests write, read and damage. Figures are arbitrary but consistent. */
import { histogramLogHeader, histogramLogLine, seriesLines } from '../../../src/measurement/histogram-log.ts'
import { createBlockedRecorder, createLatencyRecorder } from '../../../src/measurement/latency-recorder.ts'
import type { Environment } from '../../../src/measurement/results-document.ts'
import type { EngineArm, RoundEvidence, RunManifest } from '../../../src/measurement/round-evidence.ts'

export const recordedEnvironment: Environment = {
  lighthouseVersion: '0.1.0',
  commit: { value: null, reason: 'not in a git work tree' },
  dirty: { value: null, reason: 'not in a git work tree' },
  lockfileSha256: { value: 'a'.repeat(64) },
  nodeVersion: 'v26.10.0',
  libraries: { ws: '8.23.0' },
  platform: 'linux x64',
  kernel: '6.18.0',
  cpuModel: 'Example CPU',
  logicalCpus: 2,
  memoryBytes: 8e9,
  descriptorLimit: { value: 20_000 },
  loadAverageBefore: [0.1, 0.2, 0.3],
  loadAverageAfter: [],
  stealPercent: { value: null, reason: 'the run has not ended' },
  foreignCpuPercent: { value: null, reason: 'the run has not ended' },
}

function arm(label: string, role: EngineArm['role']): EngineArm {
  return {
    label,
    name: label.split(':')[0] ?? label,
    options: { interval: '100ms' },
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

export const pollingLabel = 'polling:interval=100ms'

export const recordedManifest: RunManifest = {
  schemaVersion: 1,
  runId: 'run-20261122-020736-1a2b',
  suite: 'comparison',
  profile: 'smoke',
  startedAt: '2026-11-22T02:07:36.000Z',
  seed: 'feedfacecafebeef',
  plan: {
    agents: 100,
    ratePerSecond: 200,
    rounds: 2,
    minimumRounds: 2,
    roundDurationMs: 2000,
    warmupMs: 500,
    deadlineMs: 5000,
    pattern: 'pairs',
    payloadBytes: 300,
    pacing: 'timer',
    loadModel: 'open',
    durability: 'os',
    order: [
      ['elicitation', pollingLabel],
      [pollingLabel, 'elicitation'],
    ],
  },
  engines: [arm(pollingLabel, 'baseline'), arm('elicitation', 'candidate')],
  targets: { source: 'readiness', sha256: 'b'.repeat(64) },
  claims: { source: 'claims', sha256: 'c'.repeat(64) },
  environment: recordedEnvironment,
}

export function recordedRound(round: number, engine: string, attempt = 0): RoundEvidence {
  return {
    schemaVersion: 1,
    round,
    attempt,
    engine,
    startedAtMs: 1_795_313_256_000 + round * 10_000,
    durationMs: 2000,
    drainMs: 310.5,
    counts: {
      scheduled: 4,
      completed: 4,
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
    },
    ledger: { state: 'COMPLETE', reasons: [] },
    anomalies: [],
    samples: { negative: 0, outOfRange: 0 },
    audit: {
      valid: true,
      reasons: [],
      scheduled: 4,
      sent: 4,
      achievedRatio: 1,
      latenessP99Ms: 0.9,
      eventLoopP99Ms: 0.2,
      cpuPercent: 12.5,
      stealPercent: null,
      foreignCpuPercent: null,
    },
    client: { openSockets: 100 },
    engineStats: { databaseQueries: 12, walBytes: null },
    resources: {
      rssMaxBytes: null,
      heapMaxBytes: 20_000_000,
      cpuUs: 1234.5,
      eventLoopP99Ms: 0.1,
      openConnectionsMax: 100,
      walBytesMax: null,
      nullReasons: { rssMaxBytes: 'thread', walBytesMax: 'none' },
    },
  }
}

/** `delivery` and `roundTrip` in two blocks, and `lateness` in one line. */
export function recordedLog(roundTripUs: readonly [readonly number[], readonly number[]]): string {
  const recorder = createBlockedRecorder({ unit: 'us', highest: 600_000_000, blocks: 2 })
  for (const [block, values] of roundTripUs.entries()) for (const value of values) recorder.record(block, value)
  const blocks = recorder.encodeBlocks()
  recorder.destroy()
  const lateness = createLatencyRecorder({ unit: 'us', highest: 600_000_000 })
  lateness.record(120)
  const log =
    histogramLogHeader(1_795_313_256_000) +
    seriesLines('delivery', blocks, 2000) +
    seriesLines('roundTrip', blocks, 2000) +
    histogramLogLine({ tag: 'lateness', startMs: 0, intervalMs: 2000, histogram: lateness.encode() })
  lateness.destroy()
  return log
}
