/**
 * Which path an agent is assigned: by a bucket that depends on its name and a fixed salt, and on nothing else.
 *
 * Buckets are the same in every process and at every percentage, so whoever is in at 5 % is in at 25 %. 48 bits of SHA-256
 * modulo 10,000 favour no bucket by more than 1 in 2.8 × 10¹⁰.
 */
import { createHash } from 'node:crypto'
import type { Flags } from '../../measurement/flags-document.ts'
import type { Path } from '../elicitation/machine-ports.ts'

export const bucketCount = 10_000

/** 0 … 9,999. */
export function bucketOf(salt: string, agent: string): number {
  return createHash('sha256').update(`${salt}\n${agent}`).digest().readUIntBE(0, 6) % bucketCount
}

/** Flags made ready for asking about many agents, again and again: what is asked for each poll and each delivery may not cost a hash. */
export class Assignment {
  private readonly salt: string
  private readonly enabled: boolean
  private readonly everybody: boolean
  /** Buckets below it are assigned push. */
  private readonly firstOut: number
  private readonly optIn: ReadonlySet<string>
  private readonly optOut: ReadonlySet<string>
  private readonly paths = new Map<string, Path>()

  constructor(salt: string, flags: Flags) {
    this.salt = salt
    this.enabled = flags.enabled
    // Without the old path there is nothing else to assign.
    this.everybody = flags.legacyOff
    this.firstOut = Math.round(flags.percentage * 100)
    this.optIn = new Set(flags.optIn)
    this.optOut = new Set(flags.optOut)
  }

  /** Of a name that was enrolled; each is remembered. */
  pathOf(agent: string): Path {
    const known = this.paths.get(agent)
    if (known !== undefined) return known
    const path = this.decide(agent)
    this.paths.set(agent, path)
    return path
  }

  private decide(agent: string): Path {
    if (this.everybody) return 'push'
    if (!this.enabled || this.optOut.has(agent)) return 'poll'
    return this.optIn.has(agent) || bucketOf(this.salt, agent) < this.firstOut ? 'push' : 'poll'
  }
}
