/** The options of a store of the contention suite, as they stand behind its name: `sqlite:batching=off`, `postgres:poolSize=20`. */
import type { GatheringBatching } from '../engines/event-store/gathering-commit.ts'
import { LighthouseError } from '../platform/errors.ts'
import type { PlannedArm } from './comparison-plan.ts'

export const storeNames = ['sqlite', 'postgres'] as const
export type StoreName = (typeof storeNames)[number]

export interface StoreSettings {
  readonly batching: GatheringBatching
  /** Connections that commit; of SQLite. */
  readonly connections: number
  /** null: the store's default; of PostgreSQL. */
  readonly poolSize: number | null
}

const known: Readonly<Record<StoreName, readonly string[]>> = {
  sqlite: ['batching', 'connections'],
  postgres: ['batching', 'poolSize'],
}

function refuse(store: Pick<PlannedArm, 'label'>, what: string, todo: string): never {
  throw new LighthouseError('USAGE', `store ${store.label}: ${what}`, { suggestions: [todo] })
}

/** Throws USAGE that names the store, the option and what is allowed. */
export function storeSettings(store: Pick<PlannedArm, 'label' | 'name' | 'options'>): StoreSettings {
  const name = storeNames.find((each) => each === store.name)
  if (name === undefined) refuse(store, 'there is no such store', `Choose from: ${storeNames.join(', ')}.`)
  const { batching = 'thread', connections, poolSize } = store.options
  const foreign = Object.keys(store.options).find((option) => !known[name].includes(option))
  if (foreign !== undefined) {
    refuse(store, `there is no option '${foreign}'`, `Options of ${name}: ${known[name].join(', ')}.`)
  }
  if (batching !== 'thread' && batching !== 'off') {
    refuse(store, `batching is '${batching}'`, 'Use batching=thread, or batching=off for one transaction per row.')
  }
  return {
    batching,
    connections: connections === undefined ? 1 : whole(store, 'connections', connections, 16),
    poolSize: poolSize === undefined ? null : whole(store, 'poolSize', poolSize, 200),
  }
}

function whole(store: Pick<PlannedArm, 'label'>, option: string, text: string, most: number): number {
  const value = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (value >= 1 && value <= most) return value
  return refuse(store, `${option} is '${text}'`, `Use a whole number from 1 to ${most}.`)
}
