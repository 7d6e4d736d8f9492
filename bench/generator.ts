/**
 * What the load generator itself costs per exchange: schedule, injector, ledger and recorders against a null
 * engine that answers within the call, so that nothing else runs. Time stands still until the schedule is
 * due, hence no waiting is measured: `node bench/generator.ts`. Median of 5 rounds after one to warm up.
 *
 * The clock of the injector is virtual and free; of the real clock an exchange reads three (send, delivery,
 * result), which the second line adds. The third line is the construction of the round alone.
 */
import type { AnswerAction, ClientHandlers, ClientStats, EngineClient, EngineSemantics } from '../src/engines/engine.ts'
import { LoadSession } from '../src/load/load-session.ts'
import type { RoundPlan } from '../src/load/round-plan.ts'
import { createBodyPool, poolSize } from '../src/load/bodies.ts'
import { buildSchedule } from '../src/load/schedule.ts'
import type { Timing } from '../src/load/timing.ts'
import { systemClock } from '../src/platform/clock.ts'

const exchanges = 400_000
const rounds = 5
const agents = 15_000

const plan: RoundPlan = {
  round: 0,
  attempt: 0,
  nonce: 'bench',
  seed: 'bench',
  durationMs: 40_000,
  workload: {
    name: 'pairs',
    agents,
    ratePerSecond: exchanges / 40,
    pattern: 'pairs',
    arrivals: 'poisson',
    payloadBytes: 300,
    answers: { accept: 0.9, decline: 0.08, cancel: 0.02 },
    deadlineMs: 5000,
  },
  pacing: 'timer',
  loadModel: 'open',
  drainGraceMs: 1000,
  latenessBoundMs: 2,
}

/** Carries every exchange within the call of `ask`. */
class NullEngine implements EngineClient {
  readonly semantics: EngineSemantics = {
    delivery: 'exactly-once',
    durability: 'memory',
    ordering: 'per-pair',
    replay: 'none',
    expiry: 'engine',
  }
  private readonly handlers: ClientHandlers
  private requester = 0

  constructor(handlers: ClientHandlers) {
    this.handlers = handlers
  }

  ask(exchange: number, requester: number, recipient: number, body: string): void {
    this.requester = requester
    this.handlers.onAcknowledged(exchange, 'ask')
    this.handlers.onQuestion(exchange, requester, recipient, body)
  }

  answer(exchange: number, _recipient: number, action: AnswerAction, body: string): void {
    this.handlers.onAcknowledged(exchange, 'answer')
    this.handlers.onResult(exchange, this.requester, action, body)
  }

  prepare = (): Promise<void> => Promise.resolve()
  connect = (): Promise<void> => Promise.resolve()
  pause = (): Promise<void> => Promise.resolve()
  close = (): Promise<void> => Promise.resolve()
  beginRound(): void {}
  cancel(): void {}
  stats = (): ClientStats => ({ openSockets: 0, reconnects: 0, retries: 0 })
}

/** Timers fire at once and move time on by their own length. */
class LeapingTime implements Timing {
  private now = 0
  private readonly readReal: boolean
  private readonly real = systemClock()
  /** Nanoseconds spent in timer callbacks: the generator at work. */
  busyNs = 0

  constructor(readReal: boolean) {
    this.readReal = readReal
  }

  readonly clock = {
    nowNs: (): number => {
      if (this.readReal) this.real.nowNs()
      return this.now
    },
    wallMs: () => 1_700_000_000_000,
  }

  readonly scheduler = {
    after: (ms: number, run: () => void): (() => void) => this.scheduler.every(ms, run),
    every: (ms: number, run: () => void): (() => void) => {
      const timer = { live: true }
      const fire = (): void => {
        const started = this.real.nowNs()
        // A batch of timers before yielding, so that the event loop's own cost stays out.
        for (let turn = 0; timer.live && turn < 1000; turn++) {
          this.now += ms * 1e6
          run()
        }
        this.busyNs += this.real.nowNs() - started
        if (timer.live) setImmediate(fire)
      }
      setImmediate(fire)
      return () => {
        timer.live = false
      }
    },
  }

  soon(run: () => void): void {
    setImmediate(run)
  }
}

async function nsPerExchange(readReal: boolean): Promise<number> {
  const time = new LeapingTime(readReal)
  const idle = { start: () => undefined, stop: () => ({ cpuUs: 0, eventLoopP99Ms: 0 }) }
  const session = new LoadSession({ createClient: (handlers) => new NullEngine(handlers), timing: time, gauge: idle })
  await session.connect(agents)
  const { evidence } = await session.runRound(plan)
  if (evidence.counts.completed !== evidence.counts.scheduled) throw new Error('the null engine lost exchanges')
  if (evidence.counts.scheduled < exchanges * 0.98) throw new Error('the schedule is too short')
  return time.busyNs / evidence.counts.scheduled
}

function nsToSchedule(): number {
  const clock = systemClock()
  const started = clock.nowNs()
  const { count } = buildSchedule(plan.workload, plan.seed, plan.durationMs, poolSize)
  createBodyPool(plan.seed, plan.workload.payloadBytes)
  return (clock.nowNs() - started) / count
}

async function medianOf(name: string, measure: () => number | Promise<number>): Promise<void> {
  await measure()
  const figures: number[] = []
  for (let round = 0; round < rounds; round++) figures.push(await measure())
  figures.sort((left, right) => left - right)
  const [low, middle, high] = [figures[0], figures[rounds >> 1], figures[rounds - 1]].map((ns) => ns?.toFixed(0))
  process.stdout.write(`${name.padEnd(52)} ${middle} ns per exchange (${low} to ${high}, n = ${rounds})\n`)
}

await medianOf('injector, ledger, recorders', () => nsPerExchange(false))
await medianOf('injector, ledger, recorders, real clock readings', () => nsPerExchange(true))
await medianOf('schedule and bodies', nsToSchedule)
