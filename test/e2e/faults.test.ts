/**
 * Every fault of the recovery suite on real engines: it bites, it is healed, the engine serves again and no exchange is unaccounted for.
 * Rounds are as short as they can be; nothing here asserts how long anything took.
 */
import { tmpdir } from 'node:os'
import { describe, expect, it } from 'vitest'
import { recoveryRequest } from '../../src/configuration/recovery-request.ts'
import { readSettings } from '../../src/command-flags.ts'
import { clockOrigin, systemClock } from '../../src/platform/clock.ts'
import { faultNames, type FaultName } from '../../src/suites/fault-kinds.ts'
import { openFaultyArm } from '../../src/suites/faulty-arm.ts'
import { planRecovery } from '../../src/suites/recovery.ts'
import type { RunEvents } from '../../src/suites/run-events.ts'
import type { RoundEvidence } from '../../src/measurement/round-evidence.ts'

const ignore = (): void => undefined
const silent: RunEvents = {
  started: ignore,
  stage: ignore,
  note: ignore,
  roundStart: ignore,
  progress: ignore,
  roundDone: ignore,
}

const agents = 6
/** Nobody answers some of the questions, so they end by their deadline, which should come soon. */
const mute: readonly FaultName[] = ['mute-agents', 'thundering-expiry']
const isCascade = (fault: FaultName): boolean => fault.startsWith('timeout-cascade')

async function playWith(fault: FaultName, engine: string): Promise<RoundEvidence> {
  const deadline = isCascade(fault) ? 700 : mute.includes(fault) ? 2000 : 20_000
  const flags = { seed: `faults/${fault}`, engines: 'polling:interval=100,elicitation', agents, deadline }
  const settings = readSettings({ ...flags, profile: 'smoke' })
  const request = recoveryRequest(flags, settings, tmpdir())
  const planned = request.arms.find(({ name }) => name === engine)
  if (planned === undefined) throw new Error(`no ${engine}`)
  const origin = clockOrigin()
  const clock = systemClock(origin)
  const { signal } = new AbortController()
  const sizes = { ...request.sizes, faults: [fault], beforeMs: 500, faultMs: 600, afterMs: 1500 }
  const [plan] = planRecovery({ ...sizes, agents, ratePerSecond: 60 }, [engine], fault).cases
  if (plan === undefined) throw new Error('no case')
  const { coordination } = plan
  const arm = await openFaultyArm(
    request,
    { arm: planned, agents: plan.agents, host: 'process', clockOrigin: origin },
    { faults: plan.faults ?? [], seed: fault, clock, signal },
    silent,
  )
  try {
    const { evidence } = await arm.play({
      round: 0,
      attempt: 0,
      nonce: 'faults',
      seed: fault,
      durationMs: plan.roundDurationMs,
      workload: { ...request.workload, agents: plan.agents, ratePerSecond: plan.ratePerSecond },
      ...(coordination === undefined ? {} : { coordination }),
      ...(plan.phases === undefined ? {} : { phases: plan.phases }),
      pacing: 'timer',
      loadModel: 'open',
      drainGraceMs: arm.drainGraceMs,
      latenessBoundMs: 1000,
      timeline: true,
    })
    return evidence
  } finally {
    await arm.close()
  }
}

/** The elicitation engine holds its store alone, so nobody else can take the lock. */
const cannotBite: Partial<Record<FaultName, string>> = { 'store-locked': 'elicitation' }
/** What an engine answers a client that it cannot serve is a refusal, and a refusal is an end. */
const mayRefuse: readonly FaultName[] = ['disk-full', 'store-locked', 'corrupt']
/** Nothing protects what polling clients send: a flipped bit goes through, and the ledger says so. */
const unprotected: Partial<Record<FaultName, string>> = { corrupt: 'polling' }

describe.each(['elicitation', 'polling'])('%s', (engine) => {
  it.concurrent.each(faultNames.map((name) => [name]))(
    'suffers %s, and accounts for every exchange',
    async (fault) => {
      const evidence = await playWith(fault, engine)
      const [record] = evidence.faults ?? []
      expect(record?.kind).toBe(fault)
      expect(record?.bit, record?.shownBy).toBe(cannotBite[fault] !== engine)
      expect(record?.healedAtMs).toBeGreaterThanOrEqual(record?.injectedAtMs ?? Infinity)
      const { scheduled, completed, refused, timedOut, lost, ...anomalies } = evidence.counts
      expect(completed + refused + timedOut + lost).toBe(scheduled)
      expect(completed).toBeGreaterThan(0)
      if (mute.includes(fault) || isCascade(fault)) expect(timedOut).toBeGreaterThan(0)
      if (unprotected[fault] === engine) return
      expect(lost).toBe(0)
      // A polling client that has used up its attempts takes "enrol again" of the new process as the last word.
      const gaveUp = engine === 'polling' ? (evidence.client['refused.ask.INVALID_SESSION'] ?? 0) : 0
      if (!mayRefuse.includes(fault)) expect(refused - gaveUp, JSON.stringify(evidence.client)).toBe(0)
      const { duplicated, phantom, misdelivered, corrupt, unexpected, doubleTerminal } = anomalies
      expect({ duplicated, phantom, misdelivered, corrupt, unexpected, doubleTerminal }).toEqual({
        duplicated: 0,
        phantom: 0,
        misdelivered: 0,
        corrupt: 0,
        unexpected: 0,
        doubleTerminal: 0,
      })
      const healed = evidence.marks?.find(({ name }) => name === 'healed-0')
      expect(healed?.firstSuccessMs, 'a result after the healing').not.toBeNull()
    },
    60_000,
  )
})
