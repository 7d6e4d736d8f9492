/** A process that appends as fast as it can and tells the last sequence of each batch only once it is committed. */
import { RowBatch } from '../../../src/engines/event-store/event-store.ts'
import { openEventStore } from '../../../src/engines/event-store/sqlite-store.ts'

const rowsPerBatch = 12
const store = openEventStore({ durability: 'os', file: process.argv[2] ?? '', indexedByAgent: false })
const batch = new RowBatch()
const body = 'x'.repeat(430)

function appendForever(): void {
  batch.clear()
  for (let row = 0; row < rowsPerBatch; row++) batch.add('a1', 'a2', 1, 'r1:a2:1', body, 1)
  process.stdout.write(`${store.append(batch) + rowsPerBatch - 1}\n`)
  setImmediate(appendForever)
}
appendForever()
