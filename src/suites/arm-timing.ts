/**
 * How long after the deadline a round waits for what is still in flight: two sleeps of a polling loop, since each
 * leg may wait one, or a second for an engine that pushes.
 */
import { sleepIntervalMs } from '../engines/sleep-interval.ts'
import type { ArmSpec } from './comparison-plan.ts'

const pushGraceMs = 1000

export function drainGraceMs(arm: Pick<ArmSpec, 'name' | 'options'>): number {
  return Math.max(pushGraceMs, 2 * sleepIntervalMs(arm))
}
