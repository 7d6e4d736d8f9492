/**
 * CPU per frame of the elicitation server without sockets: signature, nonce, rate limit, schema, append and commit.
 *
 * Frames of 1,000 agents are signed beforehand; then asks and answers (two frames an exchange, 300-byte questions) go through the
 * machine into a real store, 64 rows a commit, and CPU time of the process (all threads, garbage collection included) is divided
 * by the frames. Sending is a no-op, so sockets are not in the figure. Goal: 15 µs. Run: `node bench/elicitation-frames.ts`.
 */
import { createSecretKey } from 'node:crypto'
import { createFrameMac } from '../src/engines/elicitation/frame-mac.ts'
import { cpuUsage } from 'node:process'
import { systemClock } from '../src/platform/clock.ts'
import { inlineCommit } from '../src/engines/event-store/group-commit.ts'
import { openEventStore } from '../src/engines/event-store/sqlite-store.ts'
import { signedFrame } from '../src/engines/elicitation/frame-codec.ts'
import { ElicitationMachine } from '../src/engines/elicitation/machine.ts'
import { defaultLimits } from '../src/engines/elicitation/machine-ports.ts'
import { NonceWindow } from '../src/engines/elicitation/nonce-window.ts'
import { SessionAuthority } from '../src/engines/elicitation/sessions.ts'
import { Stages } from '../src/engines/elicitation/stages.ts'
import { answerBody, createBodyPool } from '../src/load/bodies.ts'

const agents = 1000
const exchanges = 40_000
const rowsPerCommit = 64
const repeats = 5

interface Arm {
  readonly name: string
  readonly durability: 'memory' | 'os'
  readonly schemaCacheSize: number
  readonly stageSampling: number
}

const arms: readonly Arm[] = [
  { name: 'as shipped (WAL, schema cache, 1 in 16 timed)', durability: 'os', schemaCacheSize: 1024, stageSampling: 16 },
  { name: 'schema cache off', durability: 'os', schemaCacheSize: 0, stageSampling: 16 },
  { name: 'every stage of every frame timed', durability: 'os', schemaCacheSize: 1024, stageSampling: 1 },
  { name: 'store in memory', durability: 'memory', schemaCacheSize: 1024, stageSampling: 16 },
]

function run(arm: Arm): { cpuUsPerFrame: number; rows: number; stages: string } {
  const clock = systemClock()
  const store = openEventStore({ durability: arm.durability, file: null, indexedByAgent: false })
  const authority = new SessionAuthority(store.secret, store.bootEpoch)
  const stages = new Stages(arm.stageSampling)
  let commitNow = (): void => undefined
  const commit = inlineCommit(
    store,
    {
      onCommitted: (from, to) => machine.committed(from, to),
      onFailed: (_from, _to, error) => {
        throw error
      },
    },
    'turn',
    undefined,
    (run) => {
      commitNow = run
    },
  )
  let refused = 0
  const machine = new ElicitationMachine({
    authority,
    nonces: new NonceWindow(agents),
    clock,
    stages,
    limits: {
      ...defaultLimits,
      maxAgents: agents,
      schemaCacheSize: arm.schemaCacheSize,
      ratePerSecond: 1e6,
      burst: 1e6,
    },
    log: 'bench',
    soon: null,
    sink: {
      append: (agent, source, kind, exchange, body, at) => commit.append(agent, source, kind, exchange, body, at),
      send: () => true,
      hasRoom: () => true,
      refuse: () => {
        refused++
      },
      settled: () => undefined,
      disconnect: () => undefined,
    },
  })
  const sessions = Array.from({ length: agents }, (_, agent) => {
    const issued = authority.issue(`a${agent}`, clock.wallMs(), 3_600_000)
    const key = createSecretKey(Buffer.from(issued.key, 'base64url'))
    machine.attach(
      machine.agents.intern(`a${agent}`),
      issued.session,
      createFrameMac(Buffer.from(issued.key, 'base64url')),
      Infinity,
      -1,
    )
    return { session: issued.session, key, nonce: 0, questions: 0, results: 0 }
  })
  const pool = createBodyPool('bench', 300)
  const frames: Buffer[] = []
  const senders: number[] = []
  const frame = (agent: number, verb: string, tail: string, body: string): void => {
    const session = sessions[agent]
    if (session === undefined) throw new Error(`no agent ${agent}`)
    // The cursor an agent would have by now: everything up to its last frame was processed.
    const cursor = Math.max(0, session.questions + session.results - 1)
    const signed = `${verb} ${authority.epoch} ${session.session} ${++session.nonce} ${cursor} ${tail}\n${body}`
    frames.push(Buffer.from(signedFrame(session.key, signed)))
    senders.push(agent)
  }
  for (let first = 0; first < exchanges; first += rowsPerCommit) {
    for (const leg of ['ask', 'answer'] as const) {
      for (let exchange = first; exchange < Math.min(first + rowsPerCommit, exchanges); exchange++) {
        const requester = exchange % agents
        const recipient = (exchange * 7 + 1) % agents
        const index = exchange % pool.questions.length
        const id = `bench:a${requester}:${exchange}`
        if (leg === 'ask') frame(requester, leg, `${id} a${recipient} 600000`, pool.questions[index] ?? '')
        else {
          frame(recipient, leg, id, answerBody(pool, index, exchange % 10 === 0 ? 1 : 0))
          const asked = sessions[recipient]
          const asker = sessions[requester]
          if (asked !== undefined) asked.questions++
          if (asker !== undefined) asker.results++
        }
      }
    }
  }
  const before = cpuUsage()
  for (let index = 0; index < frames.length; index++) {
    const message = frames[index]
    if (message !== undefined) machine.receive(senders[index] ?? 0, message)
    if (index % rowsPerCommit === rowsPerCommit - 1) commitNow()
  }
  commitNow()
  const used = cpuUsage(before)
  if (refused > 0) throw new Error(`${refused} frames were refused`)
  const { rows } = commit.counts()
  if (rows !== frames.length) throw new Error(`${rows} rows for ${frames.length} frames`)
  const medians = (['verify', 'nonce', 'rateLimit', 'schema', 'push', 'total'] as const)
    .map((name) => `${name} ${stages[name].quantile(0.5) ?? '-'}/${stages[name].quantile(0.99) ?? '-'}`)
    .join(', ')
  store.close()
  stages.destroy()
  return { cpuUsPerFrame: (used.user + used.system) / frames.length, rows, stages: medians }
}

for (const arm of arms) {
  const results = Array.from({ length: repeats }, () => run(arm)).toSorted((a, b) => a.cpuUsPerFrame - b.cpuUsPerFrame)
  const each = results.map((result) => result.cpuUsPerFrame.toFixed(2)).join(' ')
  const median = results[repeats >> 1]
  console.log(`${arm.name}: median ${median?.cpuUsPerFrame.toFixed(2)} µs CPU per frame (${each})`)
  console.log(`  stages p50/p99 ns: ${median?.stages}`)
}
