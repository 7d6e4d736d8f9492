/**
 * How long after the deadline a round waits for what is still in flight: two sleeps of a polling loop, since each
 * leg may wait one, or a second for an engine that pushes.
 */
import { pollingOptions } from '../engines/polling/options.ts'
import type { ArmSpec } from './comparison-plan.ts'

const pushGraceMs = 1000

export function drainGraceMs(arm: Pick<ArmSpec, 'name' | 'options'>): number {
  return arm.name === 'polling' ? Math.max(pushGraceMs, 2 * pollingOptions(arm.options).intervalMs) : pushGraceMs
}
