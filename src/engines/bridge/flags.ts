/**
 * The flags that say who takes which path, and what a change of them may look like.
 *
 * A change comes from outside, so it is read strictly: every name known, every value of its type and within its bounds, lists
 * without repeats. What is not named stays.
 */
import type { Flags } from '../../measurement/flags-document.ts'
import { isAgentName } from '../elicitation/frame-codec.ts'
import { isJsonObject } from '../elicitation/schema.ts'

export const defaultFlags: Flags = {
  enabled: false,
  percentage: 0,
  optIn: [],
  optOut: [],
  fallback: true,
  dualMode: true,
  deprecation: false,
  legacyOff: false,
}

const longestList = 10_000
const switches = ['enabled', 'fallback', 'dualMode', 'deprecation', 'legacyOff'] as const
const lists = ['optIn', 'optOut'] as const

/** The flags after a change, or what is wrong with it. */
export function changedFlags(flags: Flags, change: unknown): Flags | string {
  if (!isJsonObject(change)) return 'a change of flags is an object'
  const names = Object.keys(change)
  if (names.length === 0) return 'the change names no flag'
  for (const name of names) {
    if (!Object.hasOwn(defaultFlags, name)) return `there is no flag '${name.slice(0, 64)}'`
    const problem = problemOf(name, change[name])
    if (problem !== null) return problem
  }
  const changed: Flags = { ...flags, ...(change as Partial<Flags>) }
  return changed.legacyOff && !changed.enabled ? 'legacyOff without enabled would leave agents no path at all' : changed
}

/** What a log or an answer holds, read as strictly as a change; null when it is not a whole set of flags. */
export function readFlags(value: unknown): Flags | null {
  if (!isJsonObject(value) || Object.keys(value).length !== Object.keys(defaultFlags).length) return null
  const flags = changedFlags(defaultFlags, value)
  return typeof flags === 'string' ? null : flags
}

function problemOf(name: string, value: unknown): string | null {
  if (switches.some((known) => known === name)) return typeof value === 'boolean' ? null : `${name} is true or false`
  if (name === 'percentage') return isPercentage(value) ? null : 'percentage is a number from 0 to 100 in steps of 0.01'
  if (!lists.some((known) => known === name)) return `there is no flag '${name}'`
  if (!Array.isArray(value) || value.length > longestList) return `${name} is a list of at most ${longestList} agents`
  const seen = new Set<unknown>()
  for (const agent of value) {
    if (typeof agent !== 'string' || !isAgentName(agent)) return `${name} holds something that is no agent's name`
    if (seen.has(agent)) return `${name} names '${agent}' twice`
    seen.add(agent)
  }
  return null
}

function isPercentage(value: unknown): value is number {
  if (typeof value !== 'number' || !(value >= 0 && value <= 100)) return false
  // 16.35 × 100 is not a whole number in binary: what counts is that two decimals write it.
  return Number(value.toFixed(2)) === value
}
