/**
 * A client that hangs while a round runs: it subscribes and reads nothing, while another agent sends it more than the kernel holds for
 * both ends together. Watched until the engine lets go of it, or the round is over.
 */
import type { BreakableEngine } from '../engines/hosts/breakable-engine.ts'
import { loadEngine } from '../engines/registry.ts'
import { createBodyPool } from '../load/bodies.ts'
import type { FaultRecord } from '../measurement/round-evidence.ts'
import { isEstablished } from '../measurement/tcp-states.ts'
import { delay } from '../platform/clock.ts'
import { LighthouseError } from '../platform/errors.ts'
import { sinceStart, type RoundTimes } from './memory-strains.ts'

/** Messages of 20 kB: what the kernel keeps for a connection is a few MB at either end. */
const bodyBytes = 20_000
const leastFedBytes = 10_000_000
const messagesPerSecond = 100
/** More than an inbox holds. */
const mostMessages = 1500
const tickMs = 50
/** Shares of the round in which it is fed. */
const fedFrom = 0.05
const fedUntil = 0.6

export interface SlowReaderTarget {
  readonly engine: BreakableEngine
  readonly name: string
  readonly enrolmentKey: string
  readonly seed: string
}

export async function readSlowly(target: SlowReaderTarget, times: RoundTimes): Promise<FaultRecord> {
  const { engine, name, enrolmentKey, seed } = target
  const { durationMs, over } = times
  const definition = await loadEngine(name)
  if (definition.openUnreadInbox === undefined) {
    throw new LighthouseError('INTERNAL', `the engine ${name} knows no client that does not read`)
  }
  await delay(fedFrom * durationMs - sinceStart(times), over)
  const inbox = await definition.openUnreadInbox({ url: engine.url, enrolmentKey })
  const enginePort = Number(new URL(engine.url).port)
  const bodies = createBodyPool(`${seed}/slow-reader`, bodyBytes).questions
  const injectedAtMs = sinceStart(times)
  let fed = 0
  let cutAtMs: number | null = null
  try {
    while (!over.aborted && sinceStart(times) < durationMs && cutAtMs === null) {
      const feedingMs = Math.min(sinceStart(times), fedUntil * durationMs) - injectedAtMs
      const due = Math.min(mostMessages, Math.floor((feedingMs / 1000) * messagesPerSecond))
      while (fed < due) inbox.feed(bodies[fed++ % bodies.length] ?? '')
      if (isEstablished(enginePort, inbox.port) === false) cutAtMs = sinceStart(times)
      await delay(tickMs, over)
    }
    const { taken, refused } = inbox.counts()
    const figures: Record<string, number> = {
      fedBytes: taken * bodyBytes,
      takenMessages: taken,
      refusedMessages: refused,
    }
    if (cutAtMs !== null) figures['cutAfterMs'] = cutAtMs - injectedAtMs
    const told = `${taken} messages of ${bodyBytes} bytes were taken for it and ${refused} refused; `
    const end =
      cutAtMs === null
        ? 'its connection was held to the end'
        : `its connection was let go after ${Math.round(cutAtMs - injectedAtMs)} ms`
    const bit = cutAtMs !== null || taken * bodyBytes >= leastFedBytes
    return {
      kind: 'slow-reader',
      injectedAtMs,
      healedAtMs: cutAtMs,
      untilMs: durationMs,
      bit,
      shownBy: told + end,
      figures,
    }
  } finally {
    inbox.close()
  }
}
