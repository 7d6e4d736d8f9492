/** An endurance run made of nothing but a seed: one engine, intervals with readings at rest, and whatever a test plants in them. */
import type { RoundInput } from '../../../src/measurement/derive.ts'
import type { ProcessReading } from '../../../src/measurement/process-reading.ts'
import type { RestReading } from '../../../src/measurement/rest-evidence.ts'
import type { CasePlan, RoundEvidence } from '../../../src/measurement/round-evidence.ts'
import { parseTargets, targetsSha256 } from '../../../src/measurement/targets-file.ts'
import { seededRandom, type Random } from '../../../src/platform/random.ts'
import { distributionOf, type Distribution } from '../../../src/statistics/distribution.ts'
import { cleanCounts, syntheticRun } from './synthetic-run.ts'

export const hourMs = 3_600_000
const startMs = 1_700_000_000_000
const mega = 1e6

export interface At {
  readonly index: number
  /** Since the start of the life that the interval belongs to. */
  readonly hours: number
  /** Since the start of the run. */
  readonly runHours: number
  readonly random: Random
}

export interface Planted {
  readonly rounds?: number
  readonly intervalMs?: number
  readonly everyMs?: number
  readonly perRound?: number
  readonly profile?: 'smoke' | 'standard' | 'full'
  readonly targets?: string
  readonly leastWarmUpMs?: number
  readonly longestTtlMs?: number
  /** Standard deviation of what is held, in bytes. */
  readonly noiseBytes?: number
  /** Beside base and noise. */
  readonly engine?: (at: At) => Partial<ProcessReading>
  readonly load?: (at: At) => Partial<ProcessReading>
  readonly rest?: (at: At) => Partial<RestReading>
  /** Round trip of the exchanges of an interval, times this; `tail` of the slowest 2 % alone. */
  readonly slower?: (at: At) => number
  readonly tail?: (at: At) => number
  /** Share of the exchanges of an interval that time out. */
  readonly failing?: (at: At) => number
  /** Before these intervals the run was down for so long, and came back as new processes. */
  readonly gaps?: Readonly<Record<number, number>>
  readonly change?: (evidence: RoundEvidence) => RoundEvidence
}

export const targetText = `targets:
  - { title: P99, expression: "candidate.roundTrip.p99 < 300ms" }
  - { title: No leak, expression: "candidate.endurance.leaks <= 0" }
  - { title: P99 over 72 h, expression: "candidate.roundTrip.p99 < 300ms over 72h" }
  - { title: No leak over 72 h, expression: "candidate.endurance.leaks <= 0 over 72h" }
  - { title: No drift, expression: "candidate.endurance.p99Drift <= 1.1x" }
  - { title: No step, expression: "candidate.endurance.steps <= 0" }
`

export function normal(random: Random): number {
  return Math.sqrt(2 * random.exponential()) * Math.cos(2 * Math.PI * random.uniform())
}

const base: Omit<ProcessReading, 'startedAtMs'> = {
  heapUsedBytes: 60 * mega,
  heapLimitBytes: 4000 * mega,
  externalBytes: 40 * mega,
  nativeBytes: 80 * mega,
  rssBytes: 200 * mega,
  allocatedBytes: 0,
  descriptors: 5040,
}

function reading(startedAtMs: number, noise: () => number, extra: Partial<ProcessReading>): ProcessReading {
  const sum = (key: 'heapUsedBytes' | 'externalBytes' | 'nativeBytes'): number =>
    Math.round(base[key] + noise() + (extra[key] ?? 0))
  return {
    ...base,
    startedAtMs,
    heapUsedBytes: sum('heapUsedBytes'),
    externalBytes: sum('externalBytes'),
    nativeBytes: sum('nativeBytes'),
    descriptors: (base.descriptors ?? 0) + Math.round(extra.descriptors ?? 0),
    allocatedBytes: Math.round(extra.allocatedBytes ?? 0),
  }
}

function blocksOf(at: At, completed: number, planted: Planted): Distribution[] {
  const slower = planted.slower?.(at) ?? 1
  const tail = planted.tail?.(at) ?? 1
  const wobble = 1 + 0.01 * normal(at.random)
  const samples = Array.from({ length: completed }, (_, index) => {
    const slow = index >= 0.98 * completed
    return Math.round((slow ? 8000 * tail : 1500 + (index % 100) * 10) * slower * wobble)
  })
  const part = (odd: number): Distribution => distributionOf(samples.filter((_, index) => index % 2 === odd))
  return [part(0), part(1)]
}

/** 432 intervals of ten minutes, unless told otherwise. */
export function enduranceRun(planted: Planted = {}) {
  const { rounds = 432, intervalMs = 600_000, perRound = 1000, profile = 'full', targets: text = targetText } = planted
  const everyMs = planted.everyMs ?? intervalMs
  const synthetic = syntheticRun({ rounds: 1, perRound, roundDurationMs: intervalMs, targets: text, profile })
  const candidate = synthetic.manifest.engines[1]
  const template = synthetic.rounds[1]
  if (candidate === undefined || template === undefined) throw new Error('the synthetic run has two engines')
  const random = seededRandom('unit/endurance')
  let lifeMs = startMs
  let nowMs = startMs
  const inputs = Array.from({ length: rounds }, (_, index): RoundInput => {
    const gapMs = planted.gaps?.[index] ?? 0
    nowMs += gapMs
    if (gapMs > 0) lifeMs = nowMs
    const at: At = { index, hours: (nowMs - lifeMs) / hourMs, runHours: (nowMs - startMs) / hourMs, random }
    const completed = Math.round(perRound * (1 - (planted.failing?.(at) ?? 0)))
    const noise = (): number => (planted.noiseBytes ?? mega) * normal(random)
    const rest: RestReading = {
      atMs: intervalMs - 500,
      tookMs: 300,
      engine: reading(lifeMs, noise, planted.engine?.(at) ?? {}),
      openConnections: 5000,
      storeBytes: null,
      walBytes: 4_124_152,
      diskFreeBytes: null,
      load: reading(lifeMs, noise, planted.load?.(at) ?? {}),
      main: reading(lifeMs, noise, {}),
      ...planted.rest?.(at),
    }
    const evidence: RoundEvidence = {
      ...template.evidence,
      round: index,
      startedAtMs: nowMs,
      durationMs: intervalMs,
      drainMs: 50,
      counts: { ...cleanCounts(perRound), completed, timedOut: perRound - completed },
      audit: { ...template.evidence.audit, scheduled: perRound, sent: perRound },
      rest,
    }
    nowMs += everyMs
    const blocks = blocksOf(at, completed, planted)
    const histograms = new Map([...template.histograms].filter(([tag]) => !tag.startsWith('stage.')))
    for (const tag of ['roundTrip', 'serviceTime', 'delivery']) histograms.set(tag, blocks)
    return { evidence: planted.change?.(evidence) ?? evidence, histograms }
  })
  const targets = parseTargets(text, 'targets.yaml')
  const plan: CasePlan = {
    name: 'intervals',
    agents: 100,
    ratePerSecond: (perRound * 1000) / intervalMs,
    loadModel: 'open',
    roundDurationMs: intervalMs,
    firstRound: 0,
    rounds,
    endurance: {
      everyMs,
      leastWarmUpMs: planted.leastWarmUpMs ?? 600_000,
      longestTtlMs: { elicitation: planted.longestTtlMs ?? 120_000 },
    },
  }
  return {
    ...synthetic,
    rounds: inputs,
    manifest: {
      ...synthetic.manifest,
      suite: 'endurance' as const,
      engines: [candidate],
      plan: {
        ...synthetic.manifest.plan,
        rounds,
        minimumRounds: Math.max(3, Math.ceil(0.8 * rounds)),
        roundDurationMs: intervalMs,
        cases: [plan],
        order: Array.from({ length: rounds }, () => ['elicitation']),
      },
      targets: { source: 'targets.yaml', sha256: targetsSha256(targets) },
    },
  }
}
