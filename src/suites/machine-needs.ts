/**
 * Upper estimates of what engines and load take of a machine, since a run that is refused wrongly is repeated, but one that dies midway is
 * lost: memory from 33 to 48 KiB per agent and engine measured at both ends, the store from rows of two messages per exchange.
 */
import type { LevelNeeds, SuiteNeeds } from '../measurement/doctor-document.ts'
import { sharedPoolDescriptors } from './comparison-plan.ts'
import type { SuiteRequest } from './run-frame.ts'

/** What a suite needs at one profile, without what all rows have alike. */
export type Row = Omit<SuiteNeeds, 'suite' | 'command' | 'profile' | 'cores' | 'latenessBoundMs'>

const kibibyte = 1024
const mebibyte = 1024 * kibibyte
export const commandLineBytes = 128 * mebibyte
/** An engine or a load host before its first agent. */
export const hostBytes = { thread: 64 * mebibyte, process: 96 * mebibyte } as const
const bytesPerAgent = 60 * kibibyte

export function levelNeeds(agents: number, enginesAtOnce: number, host: 'thread' | 'process'): LevelNeeds {
  return {
    agents,
    portsPerAddress: agents + sharedPoolDescriptors,
    memoryBytes: commandLineBytes + enginesAtOnce * (2 * hostBytes[host] + agents * bytesPerAgent),
  }
}

/** Of all numbers of agents in a plan, ascending. */
export function levelsOf(
  cases: readonly { readonly agents: number }[],
  enginesAtOnce: number,
  host: 'thread' | 'process',
): LevelNeeds[] {
  const numbers = [...new Set(cases.map(({ agents }) => agents))].sort((a, b) => a - b)
  return numbers.map((agents) => levelNeeds(agents, enginesAtOnce, host))
}

/** A row per question and per answer: body, envelope, keys and, with polling, the index by agent. */
const rowsPerExchange = 2
export const bytesBesidePayload = 400
/** In the table with its index, and in the write-ahead log. */
export const copiesPerRow = 2

/** Of one engine. */
export function storeBytes({ durability }: SuiteRequest, exchanges: number, payloadBytes: number): number {
  return durability === 'memory' ? 0 : Math.ceil(exchanges) * rowsPerExchange * (payloadBytes + bytesBesidePayload)
}
