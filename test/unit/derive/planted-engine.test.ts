/**
 * Proves the measurers, end to end on virtual time: a test engine under the real load session, its evidence and histograms through the real
 * derivation. Loss, duplication, reordering, a stall, amplification and a leak are each caught by name, and by no other name; the
 * clean engine passes.
 */
import { describe, expect, it } from 'vitest'
import { LoadSession } from '../../../src/load/load-session.ts'
import { deriveResults, type RoundInput } from '../../../src/measurement/derive.ts'
import { readHistogramLog } from '../../../src/measurement/histogram-log.ts'
import type { ResultsDocument } from '../../../src/measurement/results-document.ts'
import type { CasePlan, RoundEvidence } from '../../../src/measurement/round-evidence.ts'
import { parseTargets, targetsSha256 } from '../../../src/measurement/targets-file.ts'
import { planOf, workload } from '../load/session-fixture.ts'
import { MemoryEngine, type Fault, type MemoryEngineOptions } from '../load/memory-engine.ts'
import { fixedGauge, VirtualTime } from '../load/virtual-time.ts'
import { enduranceRun } from './endurance-run.ts'

const rounds = 45
const intervalMs = 1500
/** What the session needs between two intervals, and a reading at rest. */
const everyMs = 2000
const recordBytes = 2000

interface Planted {
  /** In the exchange of this number, in each of these rounds. */
  readonly fault?: Fault
  readonly inRounds?: readonly number[]
  readonly engine?: MemoryEngineOptions
  /** Frames that clients sent again. */
  readonly retries?: number
  /** Records of exchanges that are kept for ever, or so many rounds. */
  readonly keepRounds?: number
}

/** Keeps a record of every exchange it was asked for so many rounds, and says how often its clients tried again. */
class PlantedEngine extends MemoryEngine {
  private readonly planted: Planted
  private readonly records: number[] = []

  constructor(time: VirtualTime, session: LoadSession, planted: Planted, faults: ReadonlyMap<number, Fault>) {
    super(time, session, { ...planted.engine, faults })
    this.planted = planted
  }

  override stats() {
    return { ...super.stats(), retries: this.planted.retries ?? 0 }
  }

  /** Bytes held when the interval is over. */
  atRest(): number {
    this.records.push(this.asked - this.records.reduce((sum, each) => sum + each, 0))
    const kept = this.records.slice(-(this.planted.keepRounds ?? 1))
    return 20_000_000 + recordBytes * kept.reduce((sum, each) => sum + each, 0)
  }
}

/** A fault map that is empty except in the rounds that it was planted in. */
class FaultsInRounds extends Map<number, Fault> {
  active = false
  override get(exchange: number): Fault | undefined {
    return this.active ? super.get(exchange) : undefined
  }
}

async function played(planted: Planted): Promise<RoundInput[]> {
  const time = new VirtualTime()
  const faults = new FaultsInRounds(planted.fault === undefined ? [] : [[40, planted.fault]])
  const engines: PlantedEngine[] = []
  const session: LoadSession = new LoadSession({
    createClient: (handlers) => {
      const engine = new PlantedEngine(time, handlers as LoadSession, planted, faults)
      engines.push(engine)
      return engine
    },
    timing: time,
    gauge: fixedGauge(),
  })
  const engine = engines[0]
  if (engine === undefined) throw new Error('the session made no client')
  await time.drive(session.connect(workload.agents, 4))
  const template = enduranceRun({ rounds: 1 }).rounds[0]?.evidence
  if (template?.rest === undefined) throw new Error('a synthetic interval has a reading at rest')
  const inputs: RoundInput[] = []
  for (let round = 0; round < rounds; round++) {
    faults.active = (planted.inRounds ?? []).includes(round)
    const plan = planOf({ round, nonce: `r${round}`, seed: `planted/${round}`, durationMs: intervalMs })
    const { evidence, hlog } = await time.drive(session.runRound(plan))
    const process = { ...template.rest.engine, heapUsedBytes: engine.atRest() }
    const { resources, engineStats, rest } = template
    const whole: RoundEvidence = {
      ...evidence,
      ...{ engine: 'elicitation', engineStats, resources },
      rest: { ...rest, atMs: intervalMs + evidence.drainMs, engine: process },
    }
    inputs.push({ evidence: whole, histograms: readHistogramLog(hlog) })
    await time.drive(new Promise<void>((resolve) => time.scheduler.after(everyMs - intervalMs, resolve)))
  }
  return inputs
}

const targetText = `targets:
  - { title: P99, expression: "candidate.roundTrip.p99 < 100ms" }
  - { title: Errors, expression: "candidate.errorRate < 1%" }
  - { title: No leak, expression: "candidate.endurance.leaks <= 0" }
`

function manifestOf() {
  const run = enduranceRun({
    rounds,
    intervalMs,
    everyMs,
    targets: targetText,
    profile: 'standard',
    leastWarmUpMs: 1000,
    longestTtlMs: 0,
  })
  const targets = parseTargets(targetText, 'targets.yaml')
  return { ...run, manifest: { ...run.manifest, targets: { source: 'targets.yaml', sha256: targetsSha256(targets) } } }
}

async function judged(planted: Planted): Promise<ResultsDocument> {
  return deriveResults({ ...manifestOf(), rounds: await played(planted) })
}

/** Every name under which something was found, in one list. */
function namesIn(results: ResultsDocument): string[] {
  const { exchanges } = results.engines[0] ?? {}
  const classes = [
    'lost',
    'duplicated',
    'misdelivered',
    'phantom',
    'corrupt',
    'unexpected',
    'doubleTerminal',
    'reordered',
  ] as const
  return [
    ...classes.filter((name) => (exchanges?.[name] ?? 0) > 0),
    ...results.targets.flatMap(({ title, verdict }) => (verdict === 'MET' ? [] : [`${title} ${verdict}`])),
    ...(results.endurance?.engines[0]?.held ?? []).flatMap(({ series, verdict }) =>
      verdict === 'leak' ? [`leak of ${series}`] : [],
    ),
    ...(results.ledger.state === 'COMPLETE' ? [] : ['ledger UNKNOWN']),
  ]
}

describe('the clean engine', () => {
  it('passes: nothing is found, and the decision is approval', async () => {
    const results = await judged({})
    expect(namesIn(results)).toEqual([])
    expect(results.invalidRounds).toEqual([])
    expect(results.decision).toBe('APPROVED')
  }, 60_000)

  it('passes with a cache of records that fills and stays full', async () => {
    const results = await judged({ keepRounds: 8 })
    expect(namesIn(results)).toEqual([])
  }, 60_000)
})

describe('a planted fault is caught by name', () => {
  it.each([
    ['loss', { fault: 'dropResult', inRounds: [3] }, ['lost']],
    ['duplication of a question', { fault: 'duplicateQuestion', inRounds: [3] }, ['duplicated']],
    ['duplication of a result', { fault: 'duplicateResult', inRounds: [3] }, ['duplicated']],
    ['reordering', { fault: 'delayQuestion', inRounds: [3], engine: { delayMs: 90 } }, ['reordered']],
    ['misdelivery', { fault: 'misdeliverResult', inRounds: [3] }, ['misdelivered']],
    ['corruption', { fault: 'corruptResult', inRounds: [3] }, ['corrupt']],
  ] as const)(
    '%s',
    async (_what, planted, names) => {
      const results = await judged(planted)
      expect(namesIn(results)).toEqual(expect.arrayContaining([...names]))
      expect(namesIn(results).filter((name) => !name.includes(' '))).toEqual(names)
      expect(results.decision).toBe('EMERGENCY_STOP')
      expect(results.decisionReasons.join('\n')).toContain(names[0])
    },
    60_000,
  )

  it('a stall of 400 ms in every interval: the latency target is missed, and nothing else', async () => {
    const results = await judged({ engine: { stall: { fromMs: 500, toMs: 900 } } })
    expect(namesIn(results)).toEqual(['P99 NOT_MET'])
    expect(results.engines[0]?.roundTrip.p99Ms).toBeGreaterThan(350)
    expect(results.decision).toBe('REQUIRES_REMEDIATION')
  }, 60_000)

  it('a leak of two kilobytes per exchange: the heap leaks, by its size, and nothing else', async () => {
    const results = await judged({ keepRounds: rounds })
    expect(namesIn(results)).toEqual(['No leak NOT_MET', 'leak of heap'])
    const screened = results.endurance?.engines[0]?.screen.series.find(({ series }) => series === 'heap')
    expect(screened).toMatchObject({ verdict: 'retains' })
    expect(screened?.bytesPerExchange).toBeCloseTo(recordBytes, 0)
    expect(results.decision).toBe('REQUIRES_REMEDIATION')
  }, 60_000)

  it('amplification: attempts per exchange, where faults are judged', async () => {
    const [clean, amplified] = [await played({}), await played({ retries: 600 })]
    const amplificationOf = (inputs: readonly RoundInput[]): number | null | undefined => {
      const { cases: _cases, ...plan } = manifestOf().manifest.plan
      const fault = { kind: 'crash', atMs: 500, forMs: 0, untilMs: intervalMs }
      const load = { agents: 10, ratePerSecond: 200, loadModel: 'open', roundDurationMs: intervalMs } as const
      const cases: CasePlan[] = [
        { ...load, name: 'crash', firstRound: 0, rounds: 1, faults: [fault] },
        { ...load, name: 'control', firstRound: 1, rounds: rounds - 1 },
      ]
      const record = {
        kind: 'crash',
        injectedAtMs: 500,
        healedAtMs: 500,
        untilMs: intervalMs,
        bit: true,
        shownBy: 'planted',
        figures: {},
      }
      const broken = inputs.map((each) =>
        each.evidence.round === 0 ? { ...each, evidence: { ...each.evidence, faults: [record] } } : each,
      )
      const run = manifestOf()
      const manifest = { ...run.manifest, suite: 'failure-recovery' as const, plan: { ...plan, cases } }
      const text = 'targets:\n  - { title: P99, expression: "candidate.roundTrip.p99 < 100ms" }\n'
      const targets = parseTargets(text, 'targets.yaml')
      const source = { source: 'targets.yaml', sha256: targetsSha256(targets) }
      return deriveResults({ ...run, rounds: broken, targets, manifest: { ...manifest, targets: source } }).recovery
        ?.faults[0]?.amplification
    }
    const scheduled = clean[0]?.evidence.counts.scheduled ?? NaN
    expect(amplificationOf(clean)).toBe(1)
    expect(amplificationOf(amplified)).toBeCloseTo(1 + 600 / scheduled, 4)
  }, 60_000)
})
