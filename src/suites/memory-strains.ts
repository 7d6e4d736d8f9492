/**
 * What happens to an engine while a round of the memory suite runs: a supervisor that starts it again when it dies, as one would in life,
 * and a shortage of descriptors that comes and goes. Both leave a record of what was done and what showed.
 */
import { readdirSync } from 'node:fs'
import { limitDescriptors } from './descriptor-limit.ts'
import type { BreakableEngine } from '../engines/hosts/breakable-engine.ts'
import { ConnectionProbes } from '../load/connection-probes.ts'
import type { FaultRecord } from '../measurement/round-evidence.ts'
import { delay, type Clock } from '../platform/clock.ts'
import { LighthouseError } from '../platform/errors.ts'

/** Times from the round's zero, in ms. */
export interface RoundTimes {
  readonly clock: Clock
  readonly startNs: number
  readonly durationMs: number
  /** The round is over. */
  readonly over: AbortSignal
}

export interface Death {
  readonly atMs: number
  /** null when it did not come up again. */
  readonly upAtMs: number | null
  readonly restartMs: number
  readonly reason: string
}

const watchMs = 200

/** The first death of the round, after which the engine is up again with `nodeFlags`; null when there was none. */
export async function supervise(
  engine: BreakableEngine,
  nodeFlags: readonly string[],
  times: RoundTimes,
): Promise<Death | null> {
  while (!times.over.aborted) {
    if (!(await engine.died(watchMs))) continue
    const atMs = sinceStart(times)
    let reason = ''
    try {
      await engine.restart(nodeFlags)
    } catch (error) {
      reason = messageOf(error)
    }
    const nowMs = sinceStart(times)
    return { atMs, upAtMs: reason === '' ? nowMs : null, restartMs: nowMs - atMs, reason }
  }
  return null
}

export function sinceStart({ clock, startNs }: RoundTimes): number {
  return Math.max(0, (clock.nowNs() - startNs) / 1e6)
}

export interface Cap {
  readonly of: 'heap' | 'process'
  readonly capBytes: number
  readonly needBytes: number
  /** Why the engine did not start under the cap; null when it did. */
  readonly startFailure: string | null
}

/** `kernelKills`: of the cap's cgroup; null where there is none or it does not count. */
export function capRecord(cap: Cap, death: Death | null, durationMs: number, kernelKills: number | null): FaultRecord {
  const { capBytes, needBytes, startFailure } = cap
  const record = { kind: `${cap.of}-cap`, injectedAtMs: 0, untilMs: durationMs, bit: true }
  const figures = { capBytes, needBytes, ...(kernelKills === null ? {} : { kernelKills }) }
  if (startFailure !== null) {
    const shownBy = `did not start under the cap: ${startFailure}`
    return { ...record, healedAtMs: 0, shownBy, figures: { ...figures, diedAtStart: 1 } }
  }
  if (death === null) {
    return { ...record, healedAtMs: null, shownBy: 'the process lived through the round under the cap', figures }
  }
  return {
    ...record,
    healedAtMs: death.upAtMs,
    shownBy: deathWords(death),
    figures: { ...figures, ...deathFigures(death) },
  }
}

/** Of a round in which nothing was to kill it. */
export function deathRecord(death: Death, durationMs: number): FaultRecord {
  const record = { kind: 'death', injectedAtMs: death.atMs, healedAtMs: death.upAtMs, untilMs: durationMs, bit: true }
  return { ...record, shownBy: deathWords(death), figures: deathFigures(death) }
}

function deathFigures({ atMs, upAtMs, restartMs }: Death): Record<string, number> {
  return { diedAtMs: atMs, ...(upAtMs === null ? {} : { restartMs }) }
}

function deathWords({ reason }: Death): string {
  return reason === ''
    ? 'the process died, and was started again'
    : `the process died and did not start again: ${reason}`
}

/** Shares of the round at which the limit comes and goes. */
const limitedFrom = 0.2
const limitedUntil = 0.7
/** Left free, and wanted beyond that. */
const freeDescriptors = 8
const probesBeyond = 24
const probeWithinMs = 1500
const probesAfter = 8

/** Leaves the engine a few descriptors, wants more, and asks again when it has enough. An engine that dies of it ends it. */
export async function shortenDescriptors(engine: BreakableEngine, times: RoundTimes): Promise<FaultRecord> {
  const { durationMs, over } = times
  const { pid, url } = engine
  if (pid === null) throw new LighthouseError('ENVIRONMENT', 'an engine that is down has no descriptors to limit')
  await delay(limitedFrom * durationMs - sinceStart(times), over)
  const open = openDescriptors(pid)
  const limit = open + freeDescriptors
  const wanted = new ConnectionProbes(url)
  const again = new ConnectionProbes(url)
  const former = await limitDescriptors(pid, limit)
  const injectedAtMs = sinceStart(times)
  const figures: Record<string, number> = { limitDescriptors: limit, openDescriptors: open }
  const asked = freeDescriptors + probesBeyond
  try {
    const during = await wanted.ask(asked, probeWithinMs)
    Object.assign(figures, during)
    await delay(limitedUntil * durationMs - sinceStart(times), over)
    if (engine.pid === pid) await limitDescriptors(pid, former)
    const healedAtMs = sinceStart(times)
    const { served } = await again.ask(probesAfter, probeWithinMs)
    figures['servedAfter'] = served
    figures['wantedAfter'] = probesAfter
    const shownBy =
      `of ${asked} new connections ${during.served} were served, ${during.refused} refused in words, ` +
      `${during.closed} closed without a word, ${during.silent} left without an answer; afterwards ${served} of ${probesAfter} were served`
    const bit = during.served < asked
    return { kind: 'descriptors', injectedAtMs, healedAtMs, untilMs: durationMs, bit, shownBy, figures }
  } finally {
    wanted.close()
    again.close()
    if (engine.pid === pid) await limitDescriptors(pid, former).catch(() => undefined)
  }
}

function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** One line, without what V8 prints about its last collections. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return (text.split('<---', 1)[0] ?? '').replaceAll(/\s+/g, ' ').trim().slice(0, 300)
}
