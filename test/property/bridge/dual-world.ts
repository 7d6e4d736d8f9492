/**
 * The world of the state machine with a second way to it: agents that poll, and change between polling and pushed frames in the middle of everything.
 *
 * Polls and posts go through the bridge's own tables, both ways, as text.
 */
import { eventsAfter, readPosted } from '../../../src/engines/bridge/old-path-events.ts'
import { postedFrame, readPollAnswer } from '../../../src/engines/bridge/old-path-client.ts'
import { Refusal, waitAnswerText } from '../../../src/engines/polling/wire.ts'
import { agentCount, World, type WorldOptions } from '../elicitation/machine-world.ts'

export class DualWorld extends World {
  readonly moves = { toPoll: 0, toPush: 0, polls: 0, posts: 0, lostAnswers: 0 }
  private readonly polls = new Array<boolean>(agentCount).fill(false)
  private readonly tickets = new Map<
    number,
    { readonly agent: number; readonly nonce: number; readonly opened: number }
  >()
  private lastTicket = 0
  /** Counts an agent's channels: what an earlier one is still told reaches nobody. */
  private readonly opened = new Array<number>(agentCount).fill(0)
  /** A defect to plant: polls acknowledge what was read by a channel that is gone. */
  private readonly acknowledgesTooMuch: boolean

  constructor(options: WorldOptions & { readonly acknowledgesTooMuch?: boolean } = {}) {
    super(options)
    this.acknowledgesTooMuch = options.acknowledgesTooMuch === true
  }

  /** The constructor of the base class asks before there are paths. */
  private isPolling(agent: number): boolean {
    const polls: readonly boolean[] | undefined = this.polls
    return polls?.[agent] === true
  }

  /** Leaves one path for the other, with whatever is under way. */
  move(agent: number): void {
    const link = this.links[agent]
    if (link === undefined) return
    this.cut(agent, true)
    link.down()
    this.polls[agent] = !this.isPolling(agent)
    if (this.isPolling(agent)) this.moves.toPoll++
    else this.moves.toPush++
    this.reconnect(agent)
  }

  override reconnect(agent: number): void {
    const [link, wire] = [this.links[agent], this.wires[agent]]
    if (!this.isPolling(agent)) {
      link?.useChannel(true)
      return super.reconnect(agent)
    }
    if (link === undefined || wire === undefined || wire.open) return
    // A session as any other, of which the connection is left again at once.
    super.reconnect(agent)
    this.machine.detach(agent)
    wire.toClient = []
    this.opened[agent] = (this.opened[agent] ?? 0) + 1
    link.useChannel(false)
    const { floor, head } = this.machine.agents.inboxOf(agent)
    link.receive(`hello 0 ${this.epoch} log 0 ${floor} ${head} 32768 1 1`)
  }

  override toServer(agent: number, pick = 0): void {
    if (!this.isPolling(agent)) return super.toServer(agent, pick)
    const frame = this.wires[agent]?.toServer.shift()
    const link = this.links[agent]
    if (frame === undefined || link === undefined) return
    const { nonce, text } = postedFrame(frame, link.name)
    if (text === null) return
    this.moves.posts++
    const posted = readPosted(Buffer.from(text), link.name)
    if (posted instanceof Refusal) return this.violate(`an honest post was refused: ${posted.message}`)
    const ticket = --this.lastTicket
    this.tickets.set(ticket, { agent, nonce, opened: this.opened[agent] ?? 0 })
    this.machine.receiveUnsigned(agent, posted.verb, posted.request, ticket)
  }

  /** A post that never arrives: its sender finds out that nobody answers. */
  override loseFrame(agent: number, pick: number): void {
    if (!this.isPolling(agent)) return super.loseFrame(agent, pick)
    const frame = this.wires[agent]?.toServer.shift()
    if (frame === undefined) return
    this.counts.vanished++
    this.links[agent]?.unanswered(postedFrame(frame, `a${agent}`).nonce)
  }

  protected override ticketEnded(ticket: number, what: string): void {
    const post = this.tickets.get(ticket)
    this.tickets.delete(ticket)
    // A crash forgets who waited.
    if (post === undefined || post.opened !== this.opened[post.agent] || !this.isPolling(post.agent)) return
    this.wires[post.agent]?.toClient.push(`POST ${post.nonce} ${what}`)
  }

  override toClient(agent: number): void {
    const wire = this.wires[agent]
    if (!this.isPolling(agent) || wire?.open !== true) return super.toClient(agent)
    if (wire.toClient.length > 0) return super.toClient(agent)
    this.poll(agent, false)
  }

  /** One poll, whose answer may be lost on the way. */
  poll(agent: number, lost: boolean): void {
    const link = this.links[agent]
    if (!this.isPolling(agent) || this.wires[agent]?.open !== true || link === undefined) return
    const { agents } = this.machine
    const since = link.seen
    if (since > agents.inboxOf(agent).head) return
    this.moves.polls++
    agents.acknowledgeInbox(agent, since)
    const events = eventsAfter(agents, agent, since, 3, this.nowMs(), 0)
    const { floor, head } = agents.inboxOf(agent)
    const extra = `,"path":"poll","switch_within_ms":0,"fallback":true,"floor":${floor},"head":${head}`
    const answer = readPollAnswer(waitAnswerText(events, 0, extra), since)
    if (answer === null) return this.violate('the answer to a poll was not understood')
    if (!lost) for (const frame of answer.frames) link.receive(frame)
    else {
      this.moves.lostAnswers++
      if (this.acknowledgesTooMuch) agents.acknowledgeInbox(agent, answer.lastSequence)
    }
  }
}
