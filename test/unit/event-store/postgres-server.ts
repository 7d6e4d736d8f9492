/**
 * A PostgreSQL server for tests: where none is installed tests skip and say so; on a build machine (CI or LIGHTHOUSE_CI set)
 * they fail.
 */
import { postgresBinaries } from '../../../src/engines/event-store/postgres-server.ts'
import { delay, systemClock } from '../../../src/platform/clock.ts'

export { startPostgres, type PostgresServer } from '../../../src/engines/event-store/postgres-server.ts'

/** Whether tests that need a server are to be skipped. Throws on a build machine, where skipping would go unseen. */
export function skipWithoutPostgres(
  binaries: string | null = postgresBinaries(),
  environment: NodeJS.ProcessEnv = process.env,
): boolean {
  if (binaries !== null) return false
  const what = 'initdb and postgres are neither on PATH nor in /usr/lib/postgresql/*/bin'
  if (['CI', 'LIGHTHOUSE_CI'].some((name) => (environment[name] ?? '') !== '')) {
    throw new Error(`${what}: install postgresql, so that the tests of the PostgreSQL store run`)
  }
  console.warn(`SKIPPED the tests of the PostgreSQL store: ${what}`)
  return true
}

/** Waits for a condition and fails loudly when it does not come. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const clock = systemClock()
  const deadlineNs = clock.nowNs() + withinMs * 1e6
  while (!(await holds())) {
    if (clock.nowNs() > deadlineNs) throw new Error(`did not happen within ${withinMs} ms: ${what}`)
    await delay(10)
  }
}
