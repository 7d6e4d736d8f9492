/**
 * A world for the state machine on virtual time: agents' real links, lossy connections, a log that commits, fails or
 * is cut off by a crash, and an adversary that plays recorded frames again. Everything is synchronous and chosen by the test.
 *
 * The world checks as it goes: whatever a link reports or the server sends must rest on a committed row.
 */
import { refusalCodes, type Leg, type Outcome, type RefusalCode } from '../../../src/engines/engine.ts'
import type { StoredEvent } from '../../../src/engines/event-store/event-store.ts'
import { AgentLink, type LinkOwner } from '../../../src/engines/elicitation/agent-link.ts'
import { createFrameMac } from '../../../src/engines/elicitation/frame-mac.ts'
import { ElicitationMachine } from '../../../src/engines/elicitation/machine.ts'
import { defaultLimits, rowKinds, tickMs, type MachineLimits } from '../../../src/engines/elicitation/machine-ports.ts'
import { NonceWindow } from '../../../src/engines/elicitation/nonce-window.ts'
import { recovery } from '../../../src/engines/elicitation/recovery.ts'
import { SessionAuthority } from '../../../src/engines/elicitation/sessions.ts'
import { Stages } from '../../../src/engines/elicitation/stages.ts'

export const agentCount = 3
const wallOriginMs = 1_800_000_000_000
const question = '{"message":"m","requestedSchema":{"type":"object","properties":{"n":{"type":"integer"}}}}'
const answers = ['{"action":"accept","content":{"n":1}}', '{"action":"decline"}', '{"action":"cancel"}'] as const
const stages = new Stages(1_000_000)

export interface WorldOptions {
  readonly limits?: Partial<MachineLimits>
  readonly pipelined?: boolean
  /** Frames travel as POSTs, which overtake each other and are answered one by one, instead of over one socket. */
  readonly posted?: boolean
  /** Characters in every answer besides its own, so that a few fill the room that ended exchanges have. */
  readonly padding?: number
  /** Rows the log takes while uncommitted. */
  readonly logRoom?: number
  /** A defect to plant, to prove that the checks see it. */
  readonly defect?: 'commit-is-a-lie' | 'forget-on-restart' | 'acknowledges-nothing'
}

export interface Wire {
  open: boolean
  toServer: string[]
  toClient: string[]
  /** Nonces of POSTs under way. */
  posts: Set<number>
}

export class World implements LinkOwner {
  readonly log: StoredEvent[] = []
  readonly violations: string[] = []
  readonly results = new Map<number, Outcome[]>()
  readonly refusals = new Map<string, RefusalCode>()
  readonly acknowledgements = new Set<string>()
  readonly answered = new Map<number, string>()
  readonly counts = { crashes: 0, failures: 0, replays: 0, breaks: 0, duplicates: 0, expired: 0, vanished: 0, gaps: 0 }
  machine!: ElicitationMachine
  private readonly options: WorldOptions
  protected readonly links: AgentLink[] = []
  protected readonly wires: Wire[] = []
  private readonly recorded: { agent: number; frame: string; epoch: number }[] = []
  private readonly openQuestions: { exchange: number; recipient: number; id: string }[] = []
  private pending: StoredEvent[] = []
  private nextTicket = 1
  protected epoch = 0
  private nowNsValue = 1e9
  private asked = 0
  private soon: (() => void)[] = []
  private readonly secret = Buffer.alloc(32, 7)

  constructor(options: WorldOptions = {}) {
    this.options = options
    for (let agent = 0; agent < agentCount; agent++) {
      this.links.push(new AgentLink(agent, this, options.posted !== true))
      this.wires.push({ open: false, toServer: [], toClient: [], posts: new Set() })
    }
    this.boot()
    for (let agent = 0; agent < agentCount; agent++) {
      this.reconnect(agent)
      this.toClient(agent)
    }
  }

  // The server.

  private boot(): void {
    this.epoch++
    this.pending = []
    this.soon = []
    // Short delays, so that acknowledgements of their own are part of what is explored.
    const delays = { ackDelayAskMs: 100, ackDelayAnswerMs: 1000 }
    const limits = { ...defaultLimits, ...delays, maxAgents: 16, maxPendingRows: 1024, ...this.options.limits }
    const clock = { nowNs: () => this.nowNsValue, wallMs: () => wallOriginMs + Math.floor(this.nowNsValue / 1e6) }
    this.machine = new ElicitationMachine({
      authority: new SessionAuthority(this.secret, this.epoch),
      nonces: new NonceWindow(16),
      clock,
      stages,
      limits,
      log: 'log',
      soon: this.options.pipelined === true ? (run) => void this.soon.push(run) : null,
      sink: {
        append: (agent, source, kind, exchange, body, producedAtMs) => {
          if (this.pending.length >= (this.options.logRoom ?? 256)) return -1
          this.pending.push({ sequence: 0, agent, source, kind, exchange, body, producedAtMs })
          const ticket = this.nextTicket++
          return ticket
        },
        send: (agent, frame) => this.fromServer(agent, frame),
        hasRoom: (agent) => (this.wires[agent]?.toClient.length ?? 0) < 64,
        refuse: (agent, nonce, id, code, retryAfterMs) => {
          if (nonce < 0) this.ticketEnded(nonce, `${code} ${retryAfterMs}`)
          else if (this.options.posted === true && nonce > 0) this.reply(agent, nonce, `${code} ${retryAfterMs}`)
          else this.fromServer(agent, `refused ${nonce} ${id} ${code} ${retryAfterMs}`)
        },
        settled: (agent, nonce) => {
          if (nonce < 0) this.ticketEnded(nonce, 'taken')
          else if (this.options.posted === true) this.reply(agent, nonce, 'taken')
        },
        disconnect: (agent, code) => {
          this.fromServer(agent, `bye ${code}`)
        },
      },
    })
    for (let agent = 0; agent < agentCount; agent++) this.machine.agents.intern(`a${agent}`)
    if (this.options.defect === 'forget-on-restart') return
    const visit = recovery(this.machine, clock, limits)
    for (const event of this.log) visit(event)
  }

  private fromServer(agent: number, frame: string): boolean {
    const wire = this.wires[agent]
    if (wire === undefined || !wire.open) return false
    const [verb, , , id] = frame.split('\n', 1)[0]?.split(' ') ?? []
    if (verb === 'question' && !this.has(id, [rowKinds.asked])) this.violate(`question ${id} left before its commit`)
    if (verb === 'result' && !this.has(id, terminalKinds)) this.violate(`result ${id} left before its commit`)
    const muted = this.options.defect === 'acknowledges-nothing'
    wire.toClient.push(muted ? frame.replace(/^(question|result|void|ack|ping|pong) \d+/, '$1 0') : frame)
    return wire.toClient.length < 64
  }

  /** What became of a request without a frame. */
  protected ticketEnded(ticket: number, what: string): void {
    this.violate(`nobody posted ${ticket}, which was ${what}`)
  }

  /** The answer to a POST, if its sender still waits: one that was broken off learns nothing. */
  private reply(agent: number, nonce: number, what: string): void {
    const wire = this.wires[agent]
    if (wire?.open === true && wire.posts.delete(nonce)) wire.toClient.push(`POST ${nonce} ${what}`)
  }

  private has(id: string | undefined, kinds: readonly number[]): boolean {
    return this.log.some((row) => row.exchange === id && kinds.includes(row.kind))
  }

  protected violate(what: string): void {
    this.violations.push(what)
  }

  /** Commits the `count` oldest uncommitted rows in one batch. */
  commit(count: number): void {
    for (const run of this.soon.splice(0)) run()
    const rows = this.pending.splice(0, count)
    if (rows.length === 0) return
    const from = this.nextTicket - this.pending.length - rows.length
    if (this.options.defect === 'commit-is-a-lie') return this.machine.committed(from, from + rows.length - 1)
    for (const row of rows) {
      if (terminalKinds.includes(row.kind) && this.has(row.exchange, terminalKinds))
        this.violate(`second end of ${row.exchange}`)
      if (row.kind === rowKinds.asked && this.has(row.exchange, [row.kind]))
        this.violate(`asked twice: ${row.exchange}`)
      if (row.kind === rowKinds.expired) this.counts.expired++
      this.log.push({ ...row, sequence: this.log.length + 1 })
    }
    this.machine.committed(from, from + rows.length - 1)
  }

  fail(count: number): void {
    const rows = this.pending.splice(0, count)
    if (rows.length === 0) return
    this.counts.failures++
    const from = this.nextTicket - this.pending.length - rows.length
    this.machine.failed(from, from + rows.length - 1)
  }

  crash(): void {
    this.counts.crashes++
    for (let agent = 0; agent < agentCount; agent++) this.cut(agent, false)
    this.boot()
  }

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += tickMs) {
      this.nowNsValue += tickMs * 1e6
      this.machine.tick()
    }
    for (const link of this.links) link.retryDue(this.nowMs())
  }

  // Connections.

  /** Breaks an agent's connection; what was under way is gone. */
  break(agent: number): void {
    if (this.wires[agent]?.open !== true) return
    this.counts.breaks++
    this.cut(agent, true)
  }

  protected cut(agent: number, tellServer: boolean): void {
    const wire = this.wires[agent]
    if (wire === undefined || !wire.open) return
    wire.open = false
    wire.toServer = []
    wire.toClient = []
    wire.posts.clear()
    if (tellServer) this.machine.detach(agent)
    this.links[agent]?.down()
  }

  reconnect(agent: number): void {
    const wire = this.wires[agent]
    const link = this.links[agent]
    if (wire === undefined || link === undefined || wire.open) return
    const authority = new SessionAuthority(this.secret, this.epoch)
    const issued = authority.issue(link.name, wallOriginMs, 1e12)
    const key = createFrameMac(Buffer.from(issued.key, 'base64url'))
    link.useCredentials({
      agent: link.name,
      session: issued.session,
      token: issued.token,
      key,
      epoch: this.epoch,
      log: 'log',
    })
    wire.open = true
    this.machine.attach(agent, issued.session, key, Infinity, link.seen > 0 ? link.seen : -1)
  }

  /** Delivers a frame: the oldest, or with `pick` over POSTs any. */
  toServer(agent: number, pick = 0): void {
    const wire = this.wires[agent]
    const posted = this.options.posted === true
    const frame = wire?.toServer.splice(posted ? pick % Math.max(1, wire.toServer.length) : 0, 1)[0]
    if (wire === undefined || frame === undefined) return
    this.recorded.push({ agent, frame, epoch: this.epoch })
    if (!posted) return this.machine.receive(agent, Buffer.from(frame))
    const session = this.machine.agents.sessions[agent] ?? ''
    const key = this.machine.agents.keys[agent]
    wire.posts.add(Number(frame.split(' ', 4)[3]))
    const [mac, signed] = [Buffer.from(frame.slice(0, 43)), Buffer.from(frame.slice(44))]
    const fatal = key === undefined ? null : this.machine.receivePosted(agent, session, key, mac, signed)
    if (fatal !== null) this.violate(`an honest POST was refused with ${fatal}`)
  }

  /** Frames under way to the client. */
  waiting(agent: number): number {
    return this.wires[agent]?.toClient.length ?? 0
  }

  toClient(agent: number): void {
    const frame = this.wires[agent]?.toClient.shift()
    const link = this.links[agent]
    if (frame === undefined || link === undefined) return
    if (!frame.startsWith('POST ')) return link.receive(frame)
    const [, nonce, what, retryAfterMs] = frame.split(' ')
    if (what === 'taken') link.taken(Number(nonce))
    else {
      const code = refusalCodes.find((known) => known === what)
      if (code !== undefined) link.refusedFrame(Number(nonce), code, Number(retryAfterMs))
    }
  }

  /** A frame vanishes on the way to the server, on a connection that lives on. */
  loseFrame(agent: number, pick: number): void {
    const wire = this.wires[agent]
    if (wire === undefined || this.options.posted === true) return
    this.counts.vanished += wire.toServer.splice(pick % Math.max(1, wire.toServer.length), 1).length
  }

  /** A POST whose answer was lost on the way: the link must find out by repeating it. */
  loseAnswer(agent: number): void {
    const wire = this.wires[agent]
    const index = wire?.toClient.findIndex((frame) => frame.startsWith('POST ')) ?? -1
    const lost = index < 0 ? undefined : wire?.toClient.splice(index, 1)[0]
    if (lost !== undefined) this.links[agent]?.unanswered(Number(lost.split(' ')[1]))
  }

  /** Plays a recorded frame on the present connection of `agent`. It must end that connection and change nothing else. */
  replay(pick: number, agent: number): void {
    const recording = this.recorded[pick % Math.max(1, this.recorded.length)]
    const wire = this.wires[agent]
    if (recording === undefined || wire === undefined || !wire.open || this.machine.agents.connected[agent] !== 1)
      return
    this.counts.replays++
    const rows = this.pending.length
    wire.toClient = []
    this.machine.receive(agent, Buffer.from(recording.frame))
    const said = wire.toClient.join('|')
    const expected = recording.agent === agent ? 'REPLAY_ATTACK' : 'INVALID_SIGNATURE'
    if (!said.includes(`refused 0 - ${expected} 0|bye ${expected}`)) this.violate(`a replay was answered '${said}'`)
    if (this.pending.length !== rows) this.violate('a replay reached the log')
    this.cut(agent, true)
  }

  // Agents.

  ask(requester: number, recipient: number, ttlMs: number): void {
    const exchange = this.asked++
    const id = `w:a${requester}:${exchange}`
    this.links[requester]?.start('ask', 0, exchange, id, `a${recipient}`, question, ttlMs)
  }

  answer(pick: number, action: number): void {
    const open = this.openQuestions.splice(pick % Math.max(1, this.openQuestions.length), 1)[0]
    const given = answers[action % answers.length]
    if (open === undefined || given === undefined) return
    const body = given + ' '.repeat(this.options.padding ?? 0)
    this.answered.set(open.exchange, body)
    this.links[open.recipient]?.start('answer', 0, open.exchange, open.id, '', body, 0)
  }

  cancel(pick: number): void {
    if (this.asked === 0) return
    const exchange = pick % this.asked
    const leg = this.log.find((row) => row.kind === rowKinds.asked && exchangeOf(row.exchange) === exchange)
    if (leg === undefined) return
    this.links[Number(leg.source.slice(1))]?.start('cancel', 0, exchange, leg.exchange, '', '', 0)
  }

  /** Lets everything come to rest: all connected, all delivered, all committed, all deadlines past. */
  settle(): void {
    for (let round = 0; round < 60; round++) {
      for (let agent = 0; agent < agentCount; agent++) {
        this.reconnect(agent)
        for (let step = 0; step < 200; step++) {
          this.toServer(agent)
          this.toClient(agent)
        }
      }
      this.commit(1000)
      this.pass(round < 40 ? 300 : 25)
    }
  }

  // What the links report.

  nowMs(): number {
    return this.nowNsValue / 1e6
  }

  transmit(link: AgentLink, frame: string): void {
    const wire = this.wires[link.agent]
    if (wire?.open === true) wire.toServer.push(frame)
  }

  established(): void {}

  broken(link: AgentLink, code: string): void {
    if (code === 'NONCE_GAP') this.counts.gaps++
    if (code === 'SEQUENCE_GAP' || code === 'MALFORMED') this.violate(`link ${link.name} broke: ${code}`)
    this.cut(link.agent, true)
  }

  acknowledged(exchange: number, leg: Leg): void {
    this.acknowledgements.add(`${leg} ${exchange}`)
    const kinds = leg === 'ask' ? [rowKinds.asked] : answerKinds
    const row = this.log.find(
      (candidate) => exchangeOf(candidate.exchange) === exchange && kinds.includes(candidate.kind),
    )
    if (row === undefined) this.violate(`${leg} ${exchange} was acknowledged without a committed row`)
    else if (leg === 'answer' && !String(row.body).endsWith(this.answered.get(exchange) ?? '?')) {
      this.violate(`answer ${exchange} was acknowledged, another body is stored`)
    }
  }

  refused(exchange: number, leg: Leg, code: RefusalCode): void {
    this.refusals.set(`${leg} ${exchange}`, code)
    if (code === 'RESUME_GAP' || code === 'CONFLICT') this.violate(`an honest agent was refused with ${code}`)
  }

  question(link: AgentLink, id: string): void {
    this.openQuestions.push({ exchange: exchangeOf(id), recipient: link.agent, id })
  }

  result(_link: AgentLink, id: string, outcome: Outcome, body: string): void {
    const exchange = exchangeOf(id)
    const told = this.results.get(exchange) ?? []
    told.push(outcome)
    this.results.set(exchange, told)
    if (told.length > 1) this.violate(`the requester of ${exchange} was told ${told.join(', ')}`)
    const isAnswer = outcome !== 'expired' && outcome !== 'withdrawn'
    if (isAnswer && body !== this.answered.get(exchange)) this.violate(`result ${exchange} carries another body`)
  }

  wireDuplicate(): void {
    this.counts.duplicates++
  }

  repeated(): void {}
  delayed(): void {}
  advised(): void {}

  /** After `settle`: what is missing or too much, judged from the log and from what the applications were told. */
  judge(): string[] {
    const found = [...this.violations]
    for (const row of this.log.filter((candidate) => candidate.kind === rowKinds.asked)) {
      const exchange = exchangeOf(row.exchange)
      if (this.results.get(exchange)?.length !== 1)
        found.push(`exchange ${exchange} was stored, its requester knows no end`)
      if (this.refusals.has(`ask ${exchange}`)) found.push(`phantom: ask ${exchange} was refused and is stored`)
    }
    for (const row of this.log.filter((candidate) => answerKinds.includes(candidate.kind))) {
      const leg = `answer ${exchangeOf(row.exchange)}`
      if (this.refusals.has(leg)) found.push(`phantom: answer ${row.exchange}`)
      if (!this.acknowledgements.has(leg)) found.push(`${leg} was stored, its sender was never told`)
    }
    for (const acknowledged of this.acknowledgements) {
      const [leg, exchange] = acknowledged.split(' ')
      const told = this.results.get(Number(exchange))
      if (told === undefined) found.push(`${acknowledged} was acknowledged and lost`)
      else if (leg === 'answer' && (told[0] === 'expired' || told[0] === 'withdrawn'))
        found.push(`${acknowledged} lost to ${told[0]}`)
    }
    if (this.machine.lifecycle.table.open() !== 0)
      found.push(`${this.machine.lifecycle.table.open()} exchanges never ended`)
    return found
  }
}

const answerKinds: readonly number[] = [rowKinds.accept, rowKinds.decline, rowKinds.cancel]
const terminalKinds: readonly number[] = [...answerKinds, rowKinds.expired, rowKinds.withdrawn]

function exchangeOf(id: string): number {
  return Number(id.slice(id.lastIndexOf(':') + 1))
}
