/**
 * The thread behind background checkpoints: waits for a command in shared memory, copies the log into the database
 * until little of it is left, and says how that ended. It blocks between commands and has no event loop to speak of.
 */
import { DatabaseSync } from 'node:sqlite'
import { workerData } from 'node:worker_threads'
import { cells, checkpointOutcomes, type CheckpointWorkerData, commands } from './background-checkpoint.ts'

/** Each pass copies what was written during the one before; few, so that a writer faster than the disk is soon met. */
const mostPasses = 3
const littleFrames = 64

function checkpoint(database: DatabaseSync): void {
  for (let pass = 0; pass < mostPasses; pass++) {
    const row = database.prepare('PRAGMA wal_checkpoint(PASSIVE)').get()
    if (Number(row?.['log']) - Number(row?.['checkpointed']) <= littleFrames) return
  }
}

function serve(database: DatabaseSync, state: Int32Array): void {
  for (;;) {
    Atomics.wait(state, cells.command, commands.idle)
    if (Atomics.load(state, cells.command) === commands.stop) return
    let outcome: number = checkpointOutcomes.done
    try {
      checkpoint(database)
    } catch {
      outcome = checkpointOutcomes.failed
    }
    Atomics.compareExchange(state, cells.command, commands.checkpoint, commands.idle)
    Atomics.store(state, cells.outcome, outcome)
    Atomics.notify(state, cells.outcome)
  }
}

const { file, shared } = workerData as CheckpointWorkerData
const state = new Int32Array(shared)
try {
  const database = new DatabaseSync(file)
  try {
    // A checkpoint syncs what it copies before it lets the log start over.
    database.exec('PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0')
    serve(database, state)
  } finally {
    database.close()
  }
} finally {
  Atomics.store(state, cells.ended, 1)
  Atomics.notify(state, cells.ended)
}
