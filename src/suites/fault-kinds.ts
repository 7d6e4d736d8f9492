/** The faults that the recovery suite knows, by the names of its command line. */
import type { Bite, FaultKind } from './fault.ts'
import { reset, toxic, unreachable } from './network-faults.ts'
import { crash, crashAt, gracefulStop, pause, stall } from './process-faults.ts'
import { diskFull, storeLocked } from './store-faults.ts'
import type { RoundEvidence } from '../measurement/round-evidence.ts'
import { delay } from '../platform/clock.ts'

/** Faults of the load and of the agents are in the plan of the round; here are only their moments, and what shows that they came. */
function planned(summary: string, load: Pick<FaultKind, 'loadFactor' | 'atOnce' | 'late' | 'chain'>): FaultKind {
  return {
    summary,
    network: false,
    ...load,
    biteOf: load.late === undefined ? offered : keptBack,
    async run({ injected, healed, signal }, forMs) {
      injected()
      await delay(forMs, signal)
      healed()
      return { bit: false, shownBy: 'the round did not tell' }
    },
  }
}

const leastSentShare = 0.99

/** The schedule holds the load; it was offered if it was sent in time. */
function offered({ audit: { sent, scheduled } }: RoundEvidence): Bite {
  return { bit: sent >= leastSentShare * scheduled, shownBy: `${sent} of ${scheduled} exchanges were sent in time` }
}

function keptBack({ client }: RoundEvidence): Bite {
  const kept = client['answersKeptBack'] ?? 0
  return { bit: kept > 0, shownBy: `${kept} answers were kept back` }
}

function overload(loadFactor: number): FaultKind {
  return planned(`${loadFactor} times the load`, { loadFactor })
}

/** Ten of fifty are slow. */
const slowShare = 0.2

function cascade(depth: number, deadlines: 'heeded' | 'ignored'): FaultKind {
  const who = deadlines === 'heeded' ? 'who heed deadlines' : 'who retry whatever became of the question'
  return planned(`a fifth of the agents answers too late, in chains of ${depth} agents ${who}`, {
    chain: { depth, deadlines },
    late: { share: slowShare },
  })
}

/** Beyond the deadline of every workload that a command accepts. */
const neverMs = 86_400_000
const atOnce = 1000
const muteMs = 500

export const faultKinds = {
  crash: { summary: 'SIGKILL, started again after the outage', network: false, run: crash },
  'crash-before-commit': {
    summary: 'dies with rows written and not committed',
    network: false,
    run: crashAt('beforeCommit'),
  },
  'crash-after-commit': {
    summary: 'dies with rows committed and not acknowledged',
    network: false,
    run: crashAt('afterCommit'),
  },
  'crash-in-checkpoint': {
    summary: 'dies while the log is copied into the database',
    network: false,
    run: crashAt('checkpoint'),
  },
  'graceful-stop': { summary: 'asked to stop under load, started again', network: false, run: gracefulStop },
  pause: { summary: 'SIGSTOP, then SIGCONT', network: false, run: pause },
  stall: { summary: 'its event loop is held', network: false, run: stall },
  'reset-1': { summary: '1 % of the connections reset', network: true, instant: true, run: reset(0.01) },
  'reset-10': { summary: '10 % of the connections reset', network: true, instant: true, run: reset(0.1) },
  'reset-all': { summary: 'every connection reset: a reconnect storm', network: true, instant: true, run: reset(1) },
  unreachable: { summary: 'every connection reset, new ones refused', network: true, run: unreachable },
  'black-hole': {
    summary: 'bytes of both directions vanish, connections stay',
    network: true,
    run: toxic(() => ({ type: 'black_hole' })),
  },
  'one-way-loss': {
    summary: 'what the engine says vanishes, what it hears arrives',
    network: true,
    run: toxic(() => ({ type: 'one_way', stream: 'downstream' })),
  },
  freeze: {
    summary: 'bytes of both directions wait until the end',
    network: true,
    run: toxic(() => ({ type: 'freeze' })),
  },
  latency: {
    summary: '100 ± 50 ms added in both directions',
    network: true,
    run: toxic(() => ({ type: 'latency', stream: 'both', latencyMs: 100, jitterMs: 50 })),
  },
  bandwidth: {
    summary: '2 kB/s for each connection and direction',
    network: true,
    run: toxic(() => ({ type: 'bandwidth', stream: 'both', bytesPerSecond: 2000 })),
  },
  corrupt: {
    summary: 'one bit is flipped in one of twenty chunks that clients send',
    network: true,
    run: toxic(() => ({ type: 'corrupt', stream: 'upstream', chunkShare: 0.05 })),
  },
  'overload-2': overload(2),
  'overload-5': overload(5),
  'overload-10': overload(10),
  'slow-agents': planned('a fifth of the agents answers after two seconds', {
    late: { share: slowShare, delayMs: 2000 },
  }),
  'mute-agents': planned('a fifth of the agents answers nothing', {
    late: { share: slowShare, delayMs: neverMs },
  }),
  'timeout-cascade-1': cascade(1, 'ignored'),
  'timeout-cascade-2': cascade(2, 'ignored'),
  'timeout-cascade-3': cascade(3, 'ignored'),
  'timeout-cascade-4': cascade(4, 'ignored'),
  'timeout-cascade-5': cascade(5, 'ignored'),
  'timeout-cascade-5-heeded': cascade(5, 'heeded'),
  'thundering-expiry': planned(`${atOnce} questions at once that nobody answers, and so as many deadlines`, {
    atOnce,
    late: { share: 1, delayMs: neverMs, forMs: muteMs },
  }),
  'disk-full': { summary: 'no file of the engine can grow', network: false, tool: 'prlimit', run: diskFull },
  'store-locked': { summary: 'another process holds the write lock of the store', network: false, run: storeLocked },
} as const satisfies Readonly<Record<string, FaultKind>>

export type FaultName = keyof typeof faultKinds
export const faultNames = Object.keys(faultKinds) as readonly FaultName[]

export function faultKind(name: string): FaultKind | undefined {
  const kinds: Readonly<Record<string, FaultKind>> = faultKinds
  return Object.hasOwn(kinds, name) ? kinds[name] : undefined
}
