/**
 * Pauses between attempts: exponential with full jitter, uniform(0, min(cap, base · 2ⁿ)), so that clients that
 * lost the same server do not come back together.
 */
import type { Random } from '../../platform/random.ts'

const baseMs = 50

export function backoffMs(attempt: number, capMs: number, random: Random): number {
  return random.uniform() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 20))
}
