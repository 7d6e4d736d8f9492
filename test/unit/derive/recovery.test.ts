/** Recovery from planted timelines: what was planted is found by name, and a clean round recovers at once. */
import { describe, expect, it } from 'vitest'
import { claimsSha256, parseClaims } from '../../../src/measurement/claims-file.ts'
import { deriveResults, type RoundInput } from '../../../src/measurement/derive.ts'
import type { FaultResult } from '../../../src/measurement/results-document.ts'
import type { CasePlan, FaultRecord, RoundEvidence } from '../../../src/measurement/round-evidence.ts'
import { parseTargets, targetsSha256 } from '../../../src/measurement/targets-file.ts'
import { renderMarkdown } from '../../../src/reports/markdown.ts'
import { distributionOf } from '../../../src/statistics/distribution.ts'
import { altered, syntheticRun } from './synthetic-run.ts'

const perSecond = 40
const controlRounds = 6

interface Planted {
  readonly seconds?: number
  readonly faults?: readonly Partial<FaultRecord>[]
  /** Seconds whose exchanges take 900 ms instead of 2, and those in which half of them fail. */
  readonly slow?: readonly number[]
  readonly failing?: readonly number[]
  /** Waiting at the end of these seconds. */
  readonly backlog?: Readonly<Record<number, number>>
  readonly marks?: RoundEvidence['marks']
  readonly change?: (evidence: RoundEvidence) => RoundEvidence
}

const crash: FaultRecord = {
  kind: 'crash',
  injectedAtMs: 5400,
  healedAtMs: 7400,
  untilMs: 30_000,
  bit: true,
  shownBy: 'process killed',
  figures: { restartMs: 300 },
}

function faultyRound(base: RoundInput, planted: Planted): RoundInput {
  const { seconds = 30, faults = [{}], slow = [], failing = [], backlog = {}, marks = [] } = planted
  const list = Array.from({ length: seconds }, (_, second) => second)
  const completed = list.map((second) => (failing.includes(second) ? perSecond / 2 : perSecond))
  const blocks = list.map((second) =>
    distributionOf(Array.from({ length: completed[second] ?? 0 }, () => (slow.includes(second) ? 900_000 : 2000))),
  )
  const scheduled = seconds * perSecond
  const done = completed.reduce((sum, each) => sum + each, 0)
  const { evidence } = base
  const changed: RoundEvidence = {
    ...evidence,
    durationMs: seconds * 1000,
    counts: { ...evidence.counts, scheduled, completed: done, timedOut: scheduled - done },
    audit: { ...evidence.audit, scheduled, sent: scheduled, achievedRatio: 1 },
    client: { ...evidence.client, retries: 60 },
    timeline: {
      scheduled: list.map(() => perSecond),
      completed,
      results: completed,
      backlog: list.map((second) => backlog[second] ?? 1),
    },
    marks,
    faults: faults.map((fault) => ({ ...crash, ...fault })),
  }
  const histograms = new Map(base.histograms)
  for (const tag of ['delivery', 'roundTrip', 'serviceTime']) histograms.set(tag, blocks)
  return { evidence: planted.change?.(changed) ?? changed, histograms }
}

const targetText = `targets:
  - { title: Back, expression: "candidate.recovery.crash.timeToFull <= 5s" }
  - { title: Noticed, expression: "candidate.recovery.timeToDetect <= 10s" }
  - { title: Up, expression: "candidate.recovery.metastable <= 0" }
`

function recoveryRun(planted: Planted = {}) {
  const base = syntheticRun({ rounds: 1 + controlRounds, perRound: 600, targets: targetText })
  const size = { agents: 100, ratePerSecond: perSecond, loadModel: 'open' } as const
  const cases: CasePlan[] = [
    {
      ...size,
      name: 'crash',
      roundDurationMs: 30_000,
      firstRound: 0,
      rounds: 1,
      faults: [{ kind: 'crash', atMs: 5400, forMs: 2000, untilMs: (planted.seconds ?? 30) * 1000 }],
    },
    { ...size, name: 'control', roundDurationMs: 3000, firstRound: 1, rounds: controlRounds },
  ]
  const rounds = base.rounds.map((each) => (each.evidence.round === 0 ? faultyRound(each, planted) : each))
  const targets = parseTargets(targetText, 'targets.yaml')
  return {
    ...base,
    rounds,
    manifest: {
      ...base.manifest,
      suite: 'failure-recovery' as const,
      plan: { ...base.manifest.plan, minimumRounds: controlRounds, cases },
      targets: { source: 'targets.yaml', sha256: targetsSha256(targets) },
    },
  }
}

function ofCandidate(planted: Planted): FaultResult {
  const found = deriveResults(recoveryRun(planted)).recovery?.faults.find(({ engine }) => engine === 'elicitation')
  if (found === undefined) throw new Error('no fault')
  return found
}

const outage: Planted = {
  slow: [5, 6, 7, 8],
  failing: [6],
  backlog: { 5: 20, 6: 80, 7: 60, 8: 9 },
  marks: [
    { name: 'injected-0', atMs: 5400, firstFailureMs: 5437, firstSuccessMs: 7900 },
    { name: 'healed-0', atMs: 7400, firstFailureMs: null, firstSuccessMs: 7912.5 },
  ],
}

describe('a fault', () => {
  it('is timed from injection and healing, and found to have recovered in the first of ten good seconds', () => {
    expect(ofCandidate(outage)).toEqual({
      case: 'crash',
      kind: 'crash',
      engine: 'elicitation',
      round: 0,
      state: 'recovered',
      timeToDetectMs: 37,
      timeToFirstSuccessMs: 512.5,
      timeToFullMs: 1600,
      // The second that ends at 10 s is the first with no more than before: 1.5 × 1 and five of slack.
      backlogDrainedMs: 2600,
      windows: 10,
      watchedMs: 22_600,
      backlogMax: 80,
      // 20 of 1,200 failed; a budget of 0.1 % is 1.2.
      budgetBurnt: 16.6667,
      amplification: 1.05,
      rssOvershoot: null,
      // 900 ms over 2 ms, each as its bucket's upper edge.
      p99Ratio: expect.closeTo(450, 0) as number,
      chains: null,
      failed: 20,
      lost: 0,
      duplicated: 0,
      wireDuplicates: 0,
      shownBy: 'process killed',
      figures: { restartMs: 300 },
    })
  })

  it('that harms nobody recovers at once, and nobody detected it', () => {
    const clean = ofCandidate({})
    expect([clean.state, clean.timeToDetectMs, clean.timeToFullMs]).toEqual(['recovered', null, 600])
  })

  it('does not count a good second between bad ones as recovery', () => {
    expect(ofCandidate({ slow: [7, 8, 10, 13, 15] }).timeToFullMs).toBe(16_000 - 7400)
  })

  it.each([
    ['latency', { slow: [12, 20, 27] }],
    ['failures', { failing: [12, 20, 27] }],
    ['a backlog', { backlog: { 12: 99, 20: 99, 27: 99 } }],
  ])('is not recovered from while %s comes back within ten seconds', (_what, planted) => {
    const fault = ofCandidate(planted)
    expect([fault.state, fault.timeToFullMs]).toEqual(['not recovered', null])
  })

  it('is metastable when a minute and five times the fault of load did not bring the engine back', () => {
    const seconds = 80
    const ill = Array.from({ length: seconds - 6 }, (_, index) => 6 + index)
    expect(ofCandidate({ slow: ill, seconds, faults: [{ untilMs: 80_000 }] }).state).toBe('metastable')
    const longFault = { untilMs: 80_000, healedAtMs: 5400 + 14_000 }
    expect(ofCandidate({ slow: ill, seconds, faults: [longFault] }).state).toBe('not recovered')
  })

  it('that did not bite proves nothing, nor does a round that does not count', () => {
    expect(ofCandidate({ faults: [{ bit: false }] })).toMatchObject({ state: 'did not bite', timeToFullMs: null })
    const audit = { valid: false, reasons: ['The machine was away.'] }
    const change = (evidence: RoundEvidence) => ({ ...evidence, audit: { ...evidence.audit, ...audit } })
    expect(ofCandidate({ change })).toMatchObject({ state: 'invalid', timeToFullMs: null })
  })

  it('shows the memory that it cost, unless the process is another one since', () => {
    const change = (evidence: RoundEvidence) => ({
      ...evidence,
      resources: { ...evidence.resources, rssMaxBytes: 150e6, nullReasons: {} },
    })
    expect(ofCandidate({ change, faults: [{ figures: { rssBeforeBytes: 100e6 } }] }).rssOvershoot).toBe(1.5)
    expect(
      ofCandidate({ change, faults: [{ figures: { rssBeforeBytes: 100e6, restartMs: 1 } }] }).rssOvershoot,
    ).toBeNull()
  })
})

describe('a timeout cascade', () => {
  const cascadeTargets = `targets:
  - { title: Multiplied, expression: "candidate.recovery.timeout-cascade-4.questionRatio <= 2x" }
  - { title: Back, expression: "candidate.recovery.timeToFull <= 5s" }
`
  /** Ten chains of four begin each second; in the two whole seconds of the fault each takes so many questions. */
  function cascadeRun(askedInFault: number, completed: number) {
    const seconds = Array.from({ length: 30 }, (_, second) => second)
    const during = (inFault: number, otherwise: number) =>
      seconds.map((second) => (second === 6 || second === 7 ? inFault : otherwise))
    const finished = 280 + 2 * completed
    const chain = {
      begun: seconds.map(() => 10),
      completed: during(completed, 10),
      asked: during(10 * askedInFault, perSecond),
      askedInVain: during(10, 0),
    }
    const asked = chain.asked.reduce((sum, each) => sum + each, 0)
    const change = (evidence: RoundEvidence): RoundEvidence => ({
      ...evidence,
      counts: { ...evidence.counts, scheduled: asked, timedOut: asked - evidence.counts.completed },
      audit: { ...evidence.audit, scheduled: asked, sent: asked },
      coordination: {
        instances: { scheduled: 300, completed: finished, failed: 300 - finished },
        withdrawals: { asked: 0, withdrawn: 0 },
        neverOffered: 0,
        fairness: [],
        chain,
      },
    })
    const run = recoveryRun({ ...outage, change, faults: [{ kind: 'timeout-cascade-4', healedAtMs: 8000 }] })
    const cases = run.manifest.plan.cases.map((each, index): CasePlan =>
      index > 0
        ? each
        : {
            ...each,
            name: 'timeout-cascade-4',
            coordination: {
              pattern: { kind: 'chain', callers: 10, links: 50, depth: 4, attempts: 3, deadlines: 'ignored' },
              instancesPerSecond: 10,
              arrivals: 'poisson',
              payloadBytes: 300,
              workMs: 0,
              deadlineMs: 600,
            },
          },
    )
    const targets = parseTargets(cascadeTargets, 'targets.yaml')
    const pattern = [distributionOf(Array.from({ length: finished }, () => 9000))]
    const rounds = run.rounds.map((each) =>
      each.evidence.coordination === undefined
        ? each
        : { ...each, histograms: new Map(each.histograms).set('pattern', pattern) },
    )
    return {
      ...run,
      rounds,
      targets,
      manifest: {
        ...run.manifest,
        plan: { ...run.manifest.plan, cases },
        targets: { source: 'targets.yaml', sha256: targetsSha256(targets) },
      },
    }
  }

  it('is told of the chains that began in it, in the results, in targets and in the report', () => {
    const results = deriveResults(cascadeRun(12, 4))
    expect(results.recovery?.faults.find(({ engine }) => engine === 'elicitation')?.chains).toEqual({
      depth: 4,
      begun: 20,
      failed: 12,
      questionRatio: 3,
      questionRatioBefore: 1,
      inVainShare: 0.0833333,
    })
    expect(results.targets.map(({ verdict }) => verdict)).toEqual(['NOT_MET', 'MET'])
    expect(deriveResults(cascadeRun(6, 9)).targets[0]?.verdict).toBe('MET')
    const report = renderMarkdown(results)
    for (const text of ['Timeout cascades', 'timeout-cascade-4', '3.00', '8.33 %']) expect(report).toContain(text)
  })

  it('is no figure of another fault', () => {
    const run = recoveryRun(outage)
    expect(run.manifest.plan.cases[0]?.name).toBe('crash')
    expect(deriveResults(run).recovery?.faults.map(({ chains }) => chains)).toEqual([null, null])
  })
})

describe('targets on figures of the suite', () => {
  const verdicts = (planted: Planted) => deriveResults(recoveryRun(planted)).targets.map(({ verdict }) => verdict)

  it('are met by the worst fault within the bar', () => {
    expect(verdicts(outage)).toEqual(['MET', 'MET', 'MET'])
    expect(deriveResults(recoveryRun(outage)).decision).toBe('APPROVED')
  })

  it('are missed by one that took longer, also when it never ended within what was watched', () => {
    expect(verdicts({ ...outage, slow: [7, 8, 9, 10, 11, 12, 13] })[0]).toBe('NOT_MET')
    const never = { ...outage, slow: Array.from({ length: 23 }, (_, index) => 7 + index) }
    expect(verdicts(never)[0]).toBe('NOT_MET')
    expect(deriveResults(recoveryRun(never)).decisionReasons.join('\n')).toMatch(
      /elicitation under crash .* was not back at full throughput within the 22\.6 s it was watched/,
    )
  })

  it('are not demonstrated when nobody noticed, or a fault did not bite', () => {
    expect(verdicts({})[1]).toBe('NOT_DEMONSTRATED')
    expect(verdicts({ ...outage, faults: [{ bit: false }] })).toEqual(Array(3).fill('NOT_DEMONSTRATED'))
  })
})

describe('the decision of a recovery run', () => {
  it('stops on a loss under a fault, and on no loss of the baseline', () => {
    const losing = (engine: string) =>
      altered(
        recoveryRun(outage),
        (evidence) => evidence.engine === engine && evidence.round === 0,
        (evidence) => ({ ...evidence, counts: { ...evidence.counts, timedOut: 19, lost: 1 } }),
      )
    expect(deriveResults(losing('elicitation')).decision).toBe('EMERGENCY_STOP')
    expect(deriveResults(losing('polling')).decision).toBe('APPROVED')
  })

  it('is left open by an unknown ledger of the candidate; of the baseline it is a finding', () => {
    const unknown = (engine: string) =>
      deriveResults(
        altered(
          recoveryRun(outage),
          (evidence) => evidence.engine === engine && evidence.round === 0,
          (evidence) => ({ ...evidence, ledger: { state: 'UNKNOWN', reasons: ['3 agents had no session'] } }),
        ),
      )
    expect(unknown('elicitation').decision).toBe('NEEDS_FURTHER_REVIEW')
    const baseline = unknown('polling')
    expect(baseline.decision).toBe('APPROVED')
    expect(baseline.decisionReasons.join('\n')).toMatch(/finding: the ledger is UNKNOWN: crash: polling, round 1/)
  })
})

describe('the claim that retries cost latency', () => {
  const claims = parseClaims(
    `claims:
  - id: retry-latency
    document: D
    words: timeouts and retries create latency
    statement: Retries add latency.
    suite: failure-recovery
    test: { kind: retryLatency, engine: polling }
`,
    'claims.yaml',
  )
  /** `slow`: of each repeat, whether the seconds of the reset were. */
  function verdictOf(slow: readonly boolean[], kind = 'reset-all', retries = 60) {
    const base = recoveryRun()
    const repeats = slow.length
    const reset = { kind, injectedAtMs: 5400, healedAtMs: 5410, figures: {} }
    const planned = { rounds: repeats + controlRounds, perRound: 600, targets: targetText }
    const rounds = syntheticRun(planned).rounds.map((each) => {
      const { round, engine } = each.evidence
      if (round >= repeats) return each
      const ill = slow[round] === true && engine === 'polling' ? [5, 6] : []
      const change = (evidence: RoundEvidence) => ({ ...evidence, client: { ...evidence.client, retries } })
      return faultyRound(each, { slow: ill, faults: [reset], change })
    })
    const size = { agents: 100, ratePerSecond: perSecond, loadModel: 'open' } as const
    const faults = [{ kind, atMs: 5400, forMs: 0, untilMs: 30_000 }]
    const plan = {
      ...base.manifest.plan,
      rounds: repeats + controlRounds,
      cases: [
        { ...size, name: kind, roundDurationMs: 30_000, firstRound: 0, rounds: repeats, faults },
        { ...size, name: 'control', roundDurationMs: 3000, firstRound: repeats, rounds: controlRounds },
      ],
    }
    const manifest = { ...base.manifest, plan, claims: { source: 'claims.yaml', sha256: claimsSha256(claims) } }
    return deriveResults({ ...base, manifest, claims, rounds }).claims[0]
  }
  const all = (state: boolean) => Array.from({ length: 8 }, () => state)

  it('is shown by resets that made p99 longer, refuted by as many that did not', () => {
    const shown = verdictOf(all(true))
    expect(shown?.verdict).toBe('SHOWN')
    expect(shown?.low).toBeGreaterThan(400)
    expect(verdictOf(all(false))).toMatchObject({ verdict: 'REFUTED', value: 1 })
  })

  it('is not shown by fewer than six, by another fault, or without a retry', () => {
    expect(verdictOf(all(true).slice(3))).toMatchObject({ verdict: 'NOT_SHOWN', low: null })
    expect(verdictOf(all(true), 'crash')?.verdict).toBe('NOT_SHOWN')
    expect(verdictOf(all(true), 'reset-all', 0)?.reason).toMatch(/0 resets with retries/)
  })
})
