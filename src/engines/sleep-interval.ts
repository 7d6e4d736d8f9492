/**
 * How long a message may wait for a sleep of its engine, by name and options: what drains and bounds of latency have to grant.
 */
import { bridgeOptions } from './bridge/options.ts'
import type { EngineOptions } from './engine.ts'
import { pollingOptions } from './polling/options.ts'

/** Of one leg, in ms; 0 where nobody sleeps. */
export function sleepIntervalMs({ name, options }: { readonly name: string; readonly options: EngineOptions }): number {
  if (name === 'polling') return pollingOptions(options).intervalMs
  if (name !== 'bridge') return 0
  const { flags, intervalMs } = bridgeOptions(options)
  return flags.percentage === 100 ? 0 : intervalMs
}
