/**
 * Rebuilds the machine from the log: open exchanges with their deadlines, inboxes with their sequences, ended exchanges.
 *
 * The n-th row of an inbox has sequence n, so replaying in order gives every sequence it had. An inbox keeps at most what can
 * have been unacknowledged; admission guarantees that this covers everything the agent has not acknowledged.
 */
import type { Clock } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import type { Outcome } from '../engine.ts'
import type { StoredEvent } from '../event-store/event-store.ts'
import { Exchange } from './exchange-table.ts'
import { isAgentName } from './frame-codec.ts'
import { decodeAnswerRow, decodeAskRow } from './log-rows.ts'
import type { ElicitationMachine } from './machine.ts'
import { rowKinds, type MachineLimits } from './machine-ports.ts'

const outcomes: Readonly<Record<number, Outcome>> = {
  [rowKinds.accept]: 'accept',
  [rowKinds.decline]: 'decline',
  [rowKinds.cancel]: 'cancel',
  [rowKinds.expired]: 'expired',
  [rowKinds.withdrawn]: 'withdrawn',
}

/** Returns a visitor for the rows of the log in order, to be used before the machine hears anything else. */
export function recovery(
  machine: ElicitationMachine,
  clock: Clock,
  limits: MachineLimits,
): (event: StoredEvent) => void {
  const { agents, lifecycle } = machine
  const nowMs = clock.nowNs() / 1e6
  const wallMs = clock.wallMs()
  const most = limits.inboxLimit + limits.pendingLimit

  const damaged = (event: StoredEvent): LighthouseError =>
    new LighthouseError('STORE', `Row ${event.sequence} of the event store does not belong to an elicitation log.`, {
      suggestions: ['Use a store file made by this engine, or move the file aside and start with a new one.'],
    })

  const indexOf = (name: string, event: StoredEvent): number => {
    if (!isAgentName(name)) throw damaged(event)
    const agent = agents.intern(name)
    if (agent < 0) {
      throw new LighthouseError('STORE', `The event store holds more than ${agents.limit} agents.`, {
        suggestions: ['Raise maxAgents, or start with a new store.'],
      })
    }
    return agent
  }

  const push = (agent: number, exchange: Exchange): number => {
    const inbox = agents.inboxOf(agent)
    const sequence = inbox.push(exchange)
    if (inbox.size() > most) agents.dropOldest(agent, inbox)
    return sequence
  }

  const asked = (event: StoredEvent, text: string): void => {
    const row = decodeAskRow(text)
    const earlier = lifecycle.table.get(event.exchange)
    if (row === null || (earlier !== undefined && earlier.state !== 'ended')) throw damaged(event)
    const requester = indexOf(event.source, event)
    const recipient = indexOf(event.agent, event)
    const deadlineMs = nowMs + row.deadlineWallMs - wallMs
    const exchange = new Exchange(event.exchange, requester, recipient, row.body, deadlineMs)
    exchange.state = 'pending'
    lifecycle.table.add(exchange)
    lifecycle.wheel.add(exchange)
    agents.add(agents.askLoad, requester, 1)
    agents.add(agents.questionLoad, recipient, 1)
    exchange.questionSequence = agents.inboxOf(recipient).head + 1
    push(recipient, exchange)
    agents.acknowledgeInbox(requester, row.cursor)
  }

  const ended = (event: StoredEvent, text: string, outcome: Outcome): void => {
    const exchange = lifecycle.table.get(event.exchange)
    if (exchange === undefined || exchange.state !== 'pending') throw damaged(event)
    if (agents.nameOf(exchange.requester) !== event.agent) throw damaged(event)
    if (outcome !== 'expired' && outcome !== 'withdrawn') {
      const row = decodeAnswerRow(text)
      if (row === null) throw damaged(event)
      exchange.answerBody = row.body
      agents.acknowledgeInbox(exchange.recipient, row.cursor)
    }
    exchange.outcome = outcome
    lifecycle.wheel.remove(exchange)
    exchange.resultSequence = agents.inboxOf(exchange.requester).head + 1
    lifecycle.table.retire(exchange, nowMs - Math.max(0, wallMs - event.producedAtMs))
    push(exchange.requester, exchange)
  }

  return (event) => {
    const text = typeof event.body === 'string' ? event.body : Buffer.from(event.body).toString('utf8')
    const outcome = outcomes[event.kind]
    if (event.kind === rowKinds.asked) asked(event, text)
    else if (outcome !== undefined) ended(event, text, outcome)
    else throw damaged(event)
  }
}
