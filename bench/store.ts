/**
 * What group commit costs: rows/s when rows come as fast as they are taken (256 waiting at most), and wait until the
 * commit and CPU per row when they come at a fixed rate in 1 ms bursts, for each way of batching and each durability.
 *
 *   node bench/store.ts [--seconds 0.5] [--repeats 3] [--rate 20000] [--indexed]
 *
 * Rows carry 300 bytes. Each figure is the median of `repeats` windows; the ways of batching take turns within a
 * repeat, so that a disturbance of the machine hits all of them alike. CPU is that of the whole process, the committing
 * thread included. Not part of the tests: it asserts nothing.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import {
  batchings,
  type Batching,
  type CommitHandlers,
  type GroupCommit,
} from '../src/engines/event-store/group-commit.ts'
import { inlineCommit } from '../src/engines/event-store/group-commit.ts'
import { openEventStore } from '../src/engines/event-store/sqlite-store.ts'
import { threadedCommit } from '../src/engines/event-store/threaded-commit.ts'
import { type Durability, durabilities } from '../src/measurement/vocabulary.ts'
import { systemClock } from '../src/platform/clock.ts'

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '0.5' },
    repeats: { type: 'string', default: '3' },
    rate: { type: 'string', default: '20000' },
    indexed: { type: 'boolean', default: false },
  },
})
const windowNs = Number(flags.seconds) * 1e9
const repeats = Number(flags.repeats)
const ratePerSecond = Number(flags.rate)
const body = 'x'.repeat(300)
const waitingAtMost = 256
const clock = systemClock()

interface Figures {
  readonly rowsPerSecond: number
  readonly rowsPerCommit: number
  readonly cpuUsPerRow: number
  readonly waitP50Ms: number
  readonly waitP99Ms: number
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** Feeds the committer for one window and waits until nothing is pending. */
function feed(commit: GroupCommit, rowsDue: (elapsedNs: number) => number, appendedAtNs: number[]): Promise<number> {
  const start = clock.nowNs()
  return new Promise((resolve) => {
    const turn = (): void => {
      const now = clock.nowNs()
      const over = now - start >= windowNs
      if (!over) {
        for (let due = rowsDue(now - start) - appendedAtNs.length; due > 0; due--) {
          const ticket = commit.append(`a${appendedAtNs.length % 1000}`, 'a0', 1, 'r1:a0:1', body, 0)
          if (ticket === -1) break
          appendedAtNs.push(now)
        }
      } else if (commit.pendingRows() === 0) {
        resolve(clock.nowNs() - start)
        return
      }
      setTimeout(turn, 1)
    }
    turn()
  })
}

/** As `feed`, but a row comes whenever one may wait, without a timer between. */
function saturate(commit: GroupCommit, appendedAtNs: number[]): Promise<number> {
  const start = clock.nowNs()
  return new Promise((resolve) => {
    const turn = (): void => {
      const now = clock.nowNs()
      if (now - start < windowNs) {
        while (commit.pendingRows() < waitingAtMost) {
          commit.append(`a${appendedAtNs.length % 1000}`, 'a0', 1, 'r1:a0:1', body, 0)
          appendedAtNs.push(now)
        }
      } else if (commit.pendingRows() === 0) {
        resolve(clock.nowNs() - start)
        return
      }
      setImmediate(turn)
    }
    turn()
  })
}

async function measure(batching: Batching, durability: Durability, paced: boolean): Promise<Figures> {
  const options = { durability, file: null, indexedByAgent: flags.indexed }
  const store = openEventStore(options)
  const appendedAtNs: number[] = []
  const waitsNs: number[] = []
  const handlers: CommitHandlers = {
    onCommitted(from, to) {
      const now = clock.nowNs()
      for (let ticket = from; ticket <= to; ticket++) waitsNs.push(now - (appendedAtNs[ticket - 1] ?? now))
    },
    onFailed(_from, _to, error) {
      throw error
    },
  }
  const commit =
    batching === 'thread'
      ? await threadedCommit({ ...options, file: store.file }, handlers)
      : inlineCommit(store, handlers, batching)
  const cpuBefore = process.cpuUsage()
  const elapsedNs = paced
    ? await feed(commit, (ns) => Math.floor((ns * ratePerSecond) / 1e9), appendedAtNs)
    : await saturate(commit, appendedAtNs)
  const cpu = process.cpuUsage(cpuBefore)
  const { commits, rows } = commit.counts()
  await commit.close()
  store.close()
  waitsNs.sort((a, b) => a - b)
  return {
    rowsPerSecond: (rows * 1e9) / elapsedNs,
    rowsPerCommit: rows / commits,
    cpuUsPerRow: (cpu.user + cpu.system) / rows,
    waitP50Ms: (waitsNs[Math.floor(waitsNs.length * 0.5)] ?? Number.NaN) / 1e6,
    waitP99Ms: (waitsNs[Math.floor(waitsNs.length * 0.99)] ?? Number.NaN) / 1e6,
  }
}

function row(name: string, runs: readonly Figures[]): string {
  const of = (pick: (figures: Figures) => number): number => median(runs.map(pick))
  return [
    name.padEnd(24),
    Math.round(of((figures) => figures.rowsPerSecond))
      .toString()
      .padStart(9),
    of((figures) => figures.rowsPerCommit)
      .toFixed(1)
      .padStart(12),
    of((figures) => figures.cpuUsPerRow)
      .toFixed(1)
      .padStart(11),
    of((figures) => figures.waitP50Ms)
      .toFixed(2)
      .padStart(12),
    of((figures) => figures.waitP99Ms)
      .toFixed(2)
      .padStart(12),
  ].join(' ')
}

const shape = flags.indexed ? 'indexed by agent' : 'append-only'
console.log(`${shape}, ${repeats} windows of ${flags.seconds} s, ${availableParallelism()} cores`)
console.log('                            rows/s  rows/commit  CPU µs/row  wait p50 ms  wait p99 ms')
for (const paced of [false, true]) {
  for (const durability of durabilities) {
    const runs = new Map<Batching, Figures[]>(batchings.map((batching) => [batching, []]))
    for (let repeat = 0; repeat < repeats; repeat++) {
      for (const [batching, figures] of runs) figures.push(await measure(batching, durability, paced))
    }
    const kind = paced ? `${ratePerSecond}/s` : 'saturated'
    for (const [batching, figures] of runs) console.log(row(`${kind} ${durability} ${batching}`, figures))
  }
}
