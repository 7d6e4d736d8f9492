/**
 * Processes that tests kill. `append URL`: appends row after row and prints each sequence once it is acknowledged.
 * `serve`: starts a server and prints the id of its first process and its folder.
 */
import { RowBatch } from '../../../src/engines/event-store/event-store.ts'
import { openPostgresStore } from '../../../src/engines/event-store/postgres-store.ts'
import { startPostgres } from './postgres-server.ts'

const [mode, url] = process.argv.slice(2)

async function append(to: string): Promise<never> {
  const store = await openPostgresStore({ url: to, durability: 'os', indexedByAgent: false, connection: 'second' })
  const batch = new RowBatch()
  for (;;) {
    batch.clear()
    batch.add('a1', 'child', 1, 'x', 'from a process that is killed', 0)
    process.stdout.write(`${await store.append(batch)}\n`)
  }
}

if (mode === 'append') await append(String(url))
else {
  const server = await startPostgres()
  const [row] = await server.query<{ pid: string; folder: string }>(
    `SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1) AS pid, current_setting('data_directory') AS folder`,
  )
  process.stdout.write(`${row?.pid} ${row?.folder}\n`)
  setInterval(() => {}, 1000)
}
