/**
 * Keeps used nonces in the store instead of in a window in memory: the arm that shows what the window saves.
 */
import type { EventStore } from '../event-store/event-store.ts'
import type { NonceStore } from './machine-ports.ts'

export function databaseNonces(store: EventStore, agents: number, countQuery: () => void): NonceStore {
  const floors = new Float64Array(agents)
  return {
    floor: (agent) => floors[agent] ?? 0,
    use(agent, nonce) {
      countQuery()
      if (!store.useNonce(agent, nonce)) return false
      floors[agent] = Math.max(floors[agent] ?? 0, nonce)
      return true
    },
  }
}
