/**
 * What the elicitation engine promises; printed beside every figure of it.
 *
 * At least once on the wire with sequences that let a client deliver once; questions of one requester reach one
 * recipient in order, because rows commit in the order frames were taken and inboxes are sent in sequence.
 */
import type { Durability, EngineSemantics } from '../engine.ts'

export function elicitationSemantics(durability: Durability): EngineSemantics {
  return { delivery: 'at-least-once', durability, ordering: 'per-pair', replay: 'cursor', expiry: 'engine' }
}
