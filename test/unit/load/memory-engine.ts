/**
 * A reference engine in memory, on virtual time: correct by default, and with a switch for each fault that a
 * load session must see. Every frame takes `hopMs`; a stall holds all frames of its interval until it ends.
 */
import type {
  AnswerAction,
  ClientHandlers,
  ClientStats,
  EngineClient,
  EngineSemantics,
  Outcome,
} from '../../../src/engines/engine.ts'
import type { VirtualTime } from './virtual-time.ts'

export type Fault =
  | 'dropQuestion'
  | 'dropAskUnacknowledged'
  | 'dropResult'
  | 'duplicateQuestion'
  | 'duplicateResult'
  | 'wireDuplicate'
  | 'refuse'
  | 'refuseAnswer'
  | 'phantom'
  | 'misdeliverQuestion'
  | 'misdeliverResult'
  | 'delayQuestion'
  | 'delayResult'
  | 'doubleTerminal'
  | 'corruptQuestion'
  | 'corruptResult'
  | 'forge'
  | 'strayEarlier'
  | 'strayForeign'
  | 'loseSession'

export interface MemoryEngineOptions {
  readonly hopMs?: number
  readonly expiry?: EngineSemantics['expiry']
  readonly faults?: ReadonlyMap<number, Fault>
  /** From the first ask of the round, in ms: frames that would be handled inside wait for its end. */
  readonly stall?: { readonly fromMs: number; readonly toMs: number }
  /** How long `delayQuestion` and `delayResult` hold a frame. */
  readonly delayMs?: number
  /** The agent whose connect fails. */
  readonly unreachableAgent?: number
  readonly throwOnAsk?: number
  readonly ignoresWithdrawals?: boolean
  /** Questions to this agent take so much longer. */
  readonly slow?: { readonly agent: number; readonly byMs: number }
}

interface Pending {
  readonly requester: number
  readonly recipient: number
  readonly fault: Fault | undefined
  terminal: boolean
}

export class MemoryEngine implements EngineClient {
  readonly semantics: EngineSemantics
  readonly nonces: string[] = []
  connected = 0
  connecting = 0
  mostConnecting = 0
  pauses = 0
  closed = false
  asked = 0
  private readonly time: VirtualTime
  private readonly handlers: ClientHandlers
  private readonly options: MemoryEngineOptions
  private readonly hopMs: number
  private agents = 0
  private stallOriginNs = Number.NaN
  private pending = new Map<number, Pending>()
  private generation = 0

  constructor(time: VirtualTime, handlers: ClientHandlers, options: MemoryEngineOptions = {}) {
    this.time = time
    this.handlers = handlers
    this.options = options
    this.hopMs = options.hopMs ?? 1
    this.semantics = {
      delivery: 'exactly-once',
      durability: 'memory',
      ordering: 'per-pair',
      replay: 'cursor',
      expiry: options.expiry ?? 'engine',
    }
  }

  prepare(agents: number): Promise<void> {
    this.agents = agents
    return Promise.resolve()
  }

  async connect(agent: number): Promise<void> {
    this.connecting++
    this.mostConnecting = Math.max(this.mostConnecting, this.connecting)
    await new Promise<void>((resolve) => this.time.scheduler.after(1, resolve))
    this.connecting--
    if (agent === this.options.unreachableAgent) throw new Error('connection refused')
    this.connected++
  }

  beginRound(nonce: string): void {
    this.nonces.push(nonce)
    this.pending = new Map()
    this.generation++
    this.stallOriginNs = Number.NaN
  }

  ask(exchange: number, requester: number, recipient: number, body: string, deadlineMs: number): void {
    this.asked++
    if (exchange === this.options.throwOnAsk) throw new Error('socket is gone')
    if (Number.isNaN(this.stallOriginNs)) this.stallOriginNs = this.time.nowNs
    const fault = this.options.faults?.get(exchange)
    const state: Pending = { requester, recipient, fault, terminal: false }
    this.pending.set(exchange, state)
    if (fault === 'dropAskUnacknowledged') return
    this.frame(1, () => this.arriveAsk(exchange, state, body))
    if (this.semantics.expiry !== 'engine' || fault === 'dropQuestion' || fault === 'dropResult') return
    this.later(deadlineMs, () => {
      if (state.terminal) return
      state.terminal = true
      this.handlers.onResult(exchange, requester, 'expired', '')
    })
  }

  answer(exchange: number, _recipient: number, action: AnswerAction, body: string): void {
    const state = this.pending.get(exchange)
    if (state === undefined) return
    const { fault, requester } = state
    this.frame(1, () => {
      if (fault === 'refuseAnswer') return this.handlers.onRefused(exchange, 'answer', 'OVERLOADED', 10)
      if (state.terminal) return this.handlers.onRefused(exchange, 'answer', 'EXPIRED', 0)
      this.handlers.onAcknowledged(exchange, 'answer')
      if (fault === 'dropResult') return
      state.terminal = true
      const deliver = (): void => this.tell(exchange, requester, action, body, fault)
      if (fault === 'delayResult') this.later(this.options.delayMs ?? 0, deliver)
      else this.frame(1, deliver)
    })
  }

  cancel(exchange: number): void {
    const state = this.pending.get(exchange)
    if (state === undefined || this.options.ignoresWithdrawals === true) return
    this.frame(1, () => {
      if (state.terminal) return
      state.terminal = true
      this.frame(1, () => this.handlers.onResult(exchange, state.requester, 'withdrawn', ''))
    })
  }

  pause(): Promise<void> {
    this.pauses++
    return Promise.resolve()
  }

  stats(): ClientStats {
    return { openSockets: this.connected, reconnects: 0, retries: 0 }
  }

  close(): Promise<void> {
    this.closed = true
    return Promise.resolve()
  }

  private arriveAsk(exchange: number, state: Pending, body: string): void {
    const { handlers } = this
    const { fault, requester, recipient } = state
    const deliver = (to = recipient, text = body): void => handlers.onQuestion(exchange, requester, to, text)
    if (fault === 'refuse' || fault === 'phantom') {
      state.terminal = true
      handlers.onRefused(exchange, 'ask', 'OVERLOADED', 10)
      if (fault === 'phantom') this.frame(1, () => deliver())
      return
    }
    handlers.onAcknowledged(exchange, 'ask')
    if (fault === 'dropQuestion') return
    if (fault === 'delayQuestion') return this.later(this.options.delayMs ?? 0, () => deliver())
    const { slow } = this.options
    if (slow?.agent === recipient) return this.later(this.hopMs + slow.byMs, () => deliver())
    this.frame(1, () => {
      if (fault === 'misdeliverQuestion')
        return deliver(
          (recipient + 1) % this.agents === requester ? (recipient + 2) % this.agents : (recipient + 1) % this.agents,
        )
      deliver(recipient, fault === 'corruptQuestion' ? `${body} ` : body)
      if (fault === 'duplicateQuestion') deliver()
      if (fault === 'wireDuplicate') handlers.onWireDuplicate(exchange, 'ask')
      if (fault === 'forge') handlers.onQuestion(4_000_000_000, requester, recipient, body)
      if (fault === 'strayEarlier') handlers.onStray(recipient, 'earlier', `old:${requester}:1`)
      if (fault === 'strayForeign') handlers.onStray(recipient, 'foreign', `other:${requester}:1`)
      if (fault === 'loseSession') handlers.onLost(recipient, 'reset by peer')
    })
  }

  private tell(exchange: number, requester: number, outcome: Outcome, body: string, fault: Fault | undefined): void {
    const { handlers } = this
    const to = fault === 'misdeliverResult' ? (requester + 1) % this.agents : requester
    handlers.onResult(exchange, to, outcome, fault === 'corruptResult' ? `${body} ` : body)
    if (fault === 'duplicateResult') handlers.onResult(exchange, requester, outcome, body)
    if (fault === 'doubleTerminal') handlers.onResult(exchange, requester, 'expired', '')
  }

  /** One hop of the wire; a stall holds it. */
  private frame(hops: number, run: () => void): void {
    this.later(hops * this.hopMs, () => {
      const heldMs = this.heldMs()
      if (heldMs > 0) this.later(heldMs, run)
      else run()
    })
  }

  private heldMs(): number {
    const { stall } = this.options
    if (stall === undefined) return 0
    const nowMs = (this.time.nowNs - this.stallOriginNs) / 1e6
    return nowMs >= stall.fromMs && nowMs < stall.toMs ? stall.toMs - nowMs : 0
  }

  private later(ms: number, run: () => void): void {
    const { generation } = this
    this.time.scheduler.after(ms, () => {
      if (generation === this.generation) run()
    })
  }
}

export function faultsAt(exchange: number, fault: Fault): ReadonlyMap<number, Fault> {
  return new Map([[exchange, fault]])
}
