/**
 * What SQLite's write-ahead log index says of the log: frames in it, and frames that a checkpoint has brought into the database.
 *
 * The index is the file beside the store that ends in `-shm`; its layout is part of the format (https://sqlite.org/walformat.html,
 * "WAL-Index File Format"): mxFrame at byte 16 and nBackfill at byte 96, unsigned and in the machine's byte order. Reading 4 bytes of
 * a file that is mapped elsewhere costs a microsecond and takes no lock; a checkpoint is seen by nBackfill having grown.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { endianness } from 'node:os'

export interface WalReading {
  readonly frames: number
  readonly backfilled: number
}

export interface WalIndex {
  read(): WalReading
  close(): void
}

const headerBytes = 100
const framesAt = 16
const backfilledAt = 96

/** Bytes that one frame takes in the log: a page of SQLite's default size, which the store uses, and its header. */
export const frameBytes = 4096 + 24

/** Throws when there is no index, as for a store that no connection has open. */
export function openWalIndex(storeFile: string): WalIndex {
  const descriptor = openSync(`${storeFile}-shm`, 'r')
  const header = Buffer.alloc(headerBytes)
  const numberAt = (offset: number): number =>
    endianness() === 'LE' ? header.readUInt32LE(offset) : header.readUInt32BE(offset)
  return {
    read() {
      readSync(descriptor, header, 0, headerBytes, 0)
      return { frames: numberAt(framesAt), backfilled: numberAt(backfilledAt) }
    },
    close: () => closeSync(descriptor),
  }
}

/** Frames that were written between two readings: a log that was reset in between starts again from its first frame. */
export function framesWritten(before: WalReading, after: WalReading): number {
  return after.frames >= before.frames ? after.frames - before.frames : after.frames
}
