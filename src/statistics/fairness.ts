/**
 * How evenly something was shared out: Jain's index (Jain, Chiu, Hawe, "A Quantitative Measure of Fairness and Discrimination for
 * Resource Allocation in Shared Computer Systems", DEC-TR-301, 1984), (Σx)² / (n Σx²) = 1 / (1 + CV²). Dimensionless, from 1/n
 * (one has everything) to 1 (all alike), unchanged by the unit of x.
 */

/** Null for no value at all, or when every value is 0. Values ≥ 0. */
export function jainIndex(values: readonly number[]): number | null {
  let sum = 0
  let squares = 0
  for (const value of values) {
    sum += value
    squares += value * value
  }
  return squares === 0 ? null : (sum * sum) / (values.length * squares)
}

/** Running sums of one agent's samples. */
export interface SampleSums {
  readonly n: number
  readonly sum: number
  readonly squares: number
}

/**
 * The index to expect of the agents' means when all samples come from one distribution: a mean of m samples varies by CV²/m, so
 * the index tends to 1 / (1 + CV² · mean(1/m)), CV that of all samples together. Agents without samples do not count; null
 * without any.
 */
export function indexByChance(agents: readonly SampleSums[]): number | null {
  let n = 0
  let sum = 0
  let squares = 0
  let served = 0
  let inverse = 0
  for (const each of agents) {
    if (each.n === 0) continue
    served++
    inverse += 1 / each.n
    n += each.n
    sum += each.sum
    squares += each.squares
  }
  if (served === 0 || sum === 0) return null
  const mean = sum / n
  const variance = Math.max(0, squares / n - mean * mean)
  return 1 / (1 + (variance / (mean * mean)) * (inverse / served))
}

/**
 * The index of what agents are truly served, from the index of their means and the one that chance gives: 1 / (1 + CV²) again, CV² the variance between the
 * agents, by the method of moments of a one-way layout (Searle, Casella, McCulloch, "Variance Components", 1992, §3.6). With m samples of each of k agents, the variance
 * of the means is a = b + (w/m)·(k−1)/k on average, and that of all samples, which chance divides by m, is a + w·(m−1)/m; so w = (m·c − a)·m/(m−1), c being CV² by
 * chance, and b = a − (w/m)·(k−1)/k. 1 where chance alone gives as much. Null for m ≤ 1 or a single agent, where one cannot be told from the other.
 */
export function indexBeyondChance(
  index: number,
  byChance: number,
  samplesPerAgent: number,
  agents: number,
): number | null {
  if (!(index > 0) || !(byChance > 0) || !(samplesPerAgent > 1) || !(agents > 1)) return null
  const means = 1 / index - 1
  const chance = 1 / byChance - 1
  const within = Math.max(0, (samplesPerAgent * chance - means) / (samplesPerAgent - 1))
  return 1 / (1 + Math.max(0, means - (within * (agents - 1)) / agents))
}
