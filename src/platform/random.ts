/**
 * Seeded randomness. Every draw of a run derives from one printed seed: a stream is named by a path
 * such as `${seed}/round-3/schedule`, hashed with SHA-256 into the state of sfc32 (Chris Doty-Humphrey's
 * small fast counting generator, PractRand), so streams are independent and replay alike everywhere.
 */
import { createHash, randomBytes } from 'node:crypto'

export interface Random {
  /** Uniform in [0, 1), 32 bits of resolution. */
  uniform(): number
  /** Uniform integer in 0 … bound−1; bound in 1 … 2³². */
  below(bound: number): number
  /** Exponential with mean 1. */
  exponential(): number
}

export function seededRandom(path: string): Random {
  const digest = createHash('sha256').update(path).digest()
  let a = digest.readUInt32LE(0)
  let b = digest.readUInt32LE(4)
  let c = digest.readUInt32LE(8)
  let counter = 1
  const next = (): number => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return sum >>> 0
  }
  for (let round = 0; round < 12; round++) next()
  const uniform = (): number => next() / 4_294_967_296
  return {
    uniform,
    below: (bound) => Math.floor(uniform() * bound),
    exponential: () => -Math.log(1 - uniform()),
  }
}

/** Fisher–Yates on a copy. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const copy = [...items]
  for (let index = copy.length - 1; index > 0; index--) {
    const other = random.below(index + 1)
    const held = copy[index] as T
    copy[index] = copy[other] as T
    copy[other] = held
  }
  return copy
}

/** A fresh seed for a run that was given none: 16 hex characters of the operating system's randomness. */
export function freshSeed(): string {
  return randomBytes(8).toString('hex')
}
