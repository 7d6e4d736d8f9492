/**
 * How long the server's stages take, as HDR histograms in nanoseconds.
 *
 * `storeWait` (append → commit) and `push` are recorded for every row and `total` for every exchange: the server's time of
 * both legs, ask received → question pushed plus answer received → result pushed, up to the hand-over to the socket, or to
 * the inbox when the agent is not connected. verify, nonce, rateLimit and schema (with the search for the exchange) are sampled,
 * one frame in `sampleEvery`, because reading the clock costs as much as the shorter of them take.
 */
import type { EncodedSeries } from '../engine.ts'
import { createLatencyRecorder, type LatencyRecorder } from '../../measurement/latency-recorder.ts'

export const stageNames = ['verify', 'nonce', 'rateLimit', 'schema', 'storeWait', 'push', 'total'] as const

const highestNs = 60e9

export class Stages {
  readonly verify = recorder()
  readonly nonce = recorder()
  readonly rateLimit = recorder()
  readonly schema = recorder()
  readonly storeWait = recorder()
  readonly push = recorder()
  readonly total = recorder()
  private readonly sampleEvery: number
  private sinceSample = 0

  constructor(sampleEvery: number) {
    this.sampleEvery = sampleEvery
  }

  /** Whether the frame that begins now is one to time stage by stage. */
  sampleFrame(): boolean {
    if (++this.sinceSample < this.sampleEvery) return false
    this.sinceSample = 0
    return true
  }

  encode(): EncodedSeries[] {
    return stageNames.map((tag) => ({ tag, histogram: this[tag].encode() }))
  }

  reset(): void {
    for (const tag of stageNames) this[tag].reset()
  }

  destroy(): void {
    for (const tag of stageNames) this[tag].destroy()
  }
}

function recorder(): LatencyRecorder {
  return createLatencyRecorder({ unit: 'ns', highest: highestNs })
}
