/**
 * Single use of nonces, per agent: the highest nonce seen and a bitmap of those below it.
 *
 * Method: anti-replay window of RFC 4303 (appendix A2) in the ring form of RFC 6479: advancing clears whole
 * words and shifts nothing. Sixteen words give 512 bits, of which 480 are always valid. 72 bytes an agent.
 */

const words = 16
export const nonceWindowSize = (words - 1) * 32

export class NonceWindow {
  private readonly highest: Float64Array
  private readonly bits: Uint32Array

  constructor(agents: number) {
    this.highest = new Float64Array(agents)
    this.bits = new Uint32Array(agents * words)
  }

  /** Highest nonce this agent used, 0 before the first. */
  floor(agent: number): number {
    return this.highest[agent] ?? 0
  }

  /** Uses `nonce`; false when it was used before or lies below the window. Call only for verified frames. */
  use(agent: number, nonce: number): boolean {
    const top = this.highest[agent] ?? 0
    if (nonce < 1 || top - nonce >= nonceWindowSize) return false
    const base = agent * words
    const word = Math.floor(nonce / 32)
    if (nonce > top) {
      const topWord = Math.floor(top / 32)
      const steps = Math.min(word - topWord, words)
      for (let step = 1; step <= steps; step++) this.bits[base + ((topWord + step) % words)] = 0
      this.highest[agent] = nonce
    }
    const place = base + (word % words)
    const mask = (1 << (nonce % 32)) >>> 0
    const held = this.bits[place] ?? 0
    if ((held & mask) !== 0) return false
    this.bits[place] = held | mask
    return true
  }
}
