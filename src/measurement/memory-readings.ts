/** The rounds of one case of a memory run for one engine, and what can be read from one of them. */
import type { ArmRounds, ValidRound } from './derive-rounds.ts'
import type { MemoryCasePlan, MemoryReading } from './round-evidence.ts'

export interface CaseRounds {
  readonly name: string
  readonly agents: number
  readonly ratePerSecond: number
  readonly memory: MemoryCasePlan
  readonly arm: ArmRounds
}

export function readingsOf({ evidence }: ValidRound, moment: MemoryReading['moment']): MemoryReading[] {
  return (evidence.memory ?? []).filter((each) => each.moment === moment)
}

/** What is in use, to the byte: the heap and what objects hold outside it. */
export function liveBytes({ heapUsedBytes, externalBytes }: MemoryReading): number {
  return heapUsedBytes + externalBytes
}

/** null without values. */
export function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle]
  if (upper === undefined) return null
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2
}
