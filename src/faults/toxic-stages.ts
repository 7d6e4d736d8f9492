/**
 * Which stage stands for which toxic, and when each of the delaying ones lets things go.
 *
 * Due times are nanoseconds of the clock, computed from arrivals and never from when a timer fired, so that late timers
 * do not add up.
 */
import type { Random } from '../platform/random.ts'
import { CorruptStage, LimitStage, ResetStage, SwallowStage, TimeoutStage } from './lossy-stages.ts'
import { PacedStage, type Plan } from './paced-stage.ts'
import type { Stage, StagePort } from './stage.ts'
import type { ConnectionTally } from './toxic-tally.ts'
import type { Toxic } from './toxics.ts'

export function createStage(toxic: Toxic, port: StagePort, tally: ConnectionTally, random: Random): Stage {
  switch (toxic.type) {
    case 'latency':
      return new PacedStage(port, tally, latencyPlan(toxic.latencyMs, toxic.jitterMs, random))
    case 'bandwidth':
      return new PacedStage(port, tally, bandwidthPlan(toxic.bytesPerSecond))
    case 'slow_close':
      return new PacedStage(port, tally, (passage, arrivedNs) => ({
        takeBytes: Infinity,
        dueNs: passage.kind === 'end' ? arrivedNs + toxic.delayMs * 1e6 : arrivedNs,
      }))
    case 'slicer': {
      const size = (): number => toxic.averageBytes - toxic.variationBytes + random.below(2 * toxic.variationBytes + 1)
      return new PacedStage(port, tally, slicerPlan(size, toxic.delayMs), true)
    }
    case 'timeout':
      return new TimeoutStage(port, tally, toxic.timeoutMs)
    case 'reset_peer':
      return new ResetStage(port, tally, toxic.timeoutMs)
    case 'limit_data':
      return new LimitStage(port, tally, toxic.bytes)
    case 'black_hole':
    case 'one_way':
      return new SwallowStage(port, tally)
    case 'freeze':
      // Held without end: only a removal lets it go.
      return new PacedStage(port, tally, () => ({ takeBytes: Infinity, dueNs: Infinity }))
    case 'corrupt':
      return new CorruptStage(port, tally, random, toxic.chunkShare)
  }
}

function latencyPlan(latencyMs: number, jitterMs: number, random: Random): Plan {
  return (_, arrivedNs) => {
    const offsetMs = jitterMs === 0 ? 0 : (2 * random.uniform() - 1) * jitterMs
    return { takeBytes: Infinity, dueNs: arrivedNs + Math.round((latencyMs + offsetMs) * 1e6) }
  }
}

/**
 * A line of `bytesPerSecond`: byte k of a busy period has left at its start + k/rate, whatever the chunks were.
 * Pieces of a tenth of a second at most, so that a slow line trickles instead of bursting.
 */
function bandwidthPlan(bytesPerSecond: number): Plan {
  const pieceBytes = Math.max(1, Math.floor(bytesPerSecond / 10))
  let startNs = 0
  let sentBytes = 0
  let freeAtNs = -Infinity
  return (passage, arrivedNs) => {
    if (passage.kind !== 'bytes') return { takeBytes: 0, dueNs: arrivedNs }
    if (arrivedNs > freeAtNs) {
      startNs = arrivedNs
      sentBytes = 0
    }
    const takeBytes = Math.min(pieceBytes, passage.bytes.length)
    sentBytes += takeBytes
    freeAtNs = startNs + Math.round((sentBytes * 1e9) / bytesPerSecond)
    return { takeBytes, dueNs: freeAtNs }
  }
}

function slicerPlan(size: () => number, delayMs: number): Plan {
  let nextNs = -Infinity
  return (passage, arrivedNs) => {
    if (passage.kind !== 'bytes') return { takeBytes: 0, dueNs: arrivedNs }
    const dueNs = Math.max(arrivedNs, nextNs)
    nextNs = dueNs + delayMs * 1e6
    return { takeBytes: size(), dueNs }
  }
}
