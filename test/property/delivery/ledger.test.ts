/**
 * Properties of the ledger. Whatever an engine does, the account adds up. Whatever order a correct engine's
 * events come in, nothing is flagged and the ends are those of a model. And one fault planted into such a
 * history flips exactly its class.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anomalyClasses, textsPerClass, type AnomalyClass } from '../../../src/delivery/anomaly-log.ts'
import type { Expiry } from '../../../src/delivery/exchange-state.ts'
import { Ledger, type ExpectedExchanges, type LedgerReport } from '../../../src/delivery/ledger.ts'
import type { Leg, Outcome } from '../../../src/engines/engine.ts'
import { seededRandom, type Random } from '../../../src/platform/random.ts'

const answers = ['accept', 'decline', 'cancel'] as const

function planOf(count: number, agents: number): ExpectedExchanges {
  const requester = Uint32Array.from({ length: count }, (_, exchange) => (exchange * 7) % agents)
  return {
    count,
    agents,
    requester,
    recipient: requester.map((agent) => (agent + 1) % agents),
    question: (exchange) => `q${exchange % 5}`,
    answer: (exchange) => `a${exchange % 5}`,
    outcome: (exchange) => 1 + (exchange % 3),
  }
}

function expectConservation(report: LedgerReport, scheduled: number): void {
  const { counts } = report
  expect(counts.scheduled + report.withdrawn).toBe(scheduled)
  expect(counts.completed + counts.refused + counts.timedOut + counts.lost).toBe(counts.scheduled)
  for (const value of Object.values(counts)) expect(value).toBeGreaterThanOrEqual(0)
}

function flipped(report: LedgerReport): AnomalyClass[] {
  return anomalyClasses.filter((kind) => report.counts[kind] > 0)
}

const expiries = fc.constantFrom<Expiry>('engine', 'client')

const anyEvent = fc.record({
  kind: fc.constantFrom(
    'sent',
    'withdrawalAsked',
    'answered',
    'acknowledged',
    'question',
    'result',
    'refused',
    'wireDuplicate',
    'stray',
  ),
  exchange: fc.integer({ min: -1, max: 9 }),
  agent: fc.integer({ min: 0, max: 4 }),
  other: fc.integer({ min: 0, max: 4 }),
  rightful: fc.boolean(),
  body: fc.integer({ min: 0, max: 5 }),
  leg: fc.constantFrom<Leg>('ask', 'answer'),
  outcome: fc.constantFrom<Outcome>('accept', 'decline', 'cancel', 'expired', 'withdrawn'),
  overdue: fc.boolean(),
})

describe('any sequence of events', () => {
  it('adds up, keeps its counters consistent and its texts bounded', () => {
    fc.assert(
      fc.property(expiries, fc.array(anyEvent, { maxLength: 400 }), fc.boolean(), (expiry, events, onlySent) => {
        const plan = planOf(8, 4)
        const ledger = new Ledger(plan, expiry)
        let completed = 0
        for (const event of events) {
          const { kind, exchange, leg, outcome, overdue } = event
          const agent = event.rightful ? (plan.requester[exchange] ?? 0) : event.agent
          const other = event.rightful ? (plan.recipient[exchange] ?? 0) : event.other
          if (kind === 'sent') {
            if (exchange >= 0 && exchange < plan.count) ledger.sent(exchange)
          } else if (kind === 'withdrawalAsked') ledger.withdrawalAsked(exchange)
          else if (kind === 'answered') {
            if (exchange >= 0 && exchange < plan.count) ledger.answered(exchange)
          } else if (kind === 'acknowledged') ledger.acknowledged(exchange, leg)
          else if (kind === 'question') ledger.question(exchange, agent, other, `q${event.body}`, overdue)
          else if (kind === 'result') {
            if (ledger.result(exchange, agent, outcome, `a${event.body}`, overdue)) completed++
          } else if (kind === 'refused') ledger.refused(exchange, leg, 'OVERLOADED')
          else if (kind === 'wireDuplicate') ledger.wireDuplicate(exchange, leg)
          else ledger.stray(agent, overdue ? 'earlier' : 'foreign', '\u001b[31mx')
          expect(ledger.unresolved).toBeGreaterThanOrEqual(0)
        }
        const report = ledger.close(onlySent)
        expectConservation(report, onlySent ? ledger.sentSoFar : plan.count)
        expect(report.counts.completed).toBe(completed)
        expect(report.unsent).toBe(plan.count - ledger.sentSoFar)
        expect(report.state).toBe(report.unsent > 0 && !onlySent ? 'UNKNOWN' : 'COMPLETE')
        for (const kind of anomalyClasses) {
          const texts = report.anomalies.filter((text) => text.startsWith(`${kind}: `))
          expect(texts).toHaveLength(Math.min(textsPerClass, report.counts[kind]))
        }
        expect(report.anomalies.join('')).not.toContain('\u001b')
      }),
      { numRuns: 300 },
    )
  })
})

/** The life of one exchange under a correct engine. */
type Life = 'completed' | 'refused' | 'expiredUndelivered' | 'expiredDelivered' | 'neverAcknowledged'
type Planted =
  | 'none'
  | 'duplicateQuestion'
  | 'duplicateResult'
  | 'dropQuestion'
  | 'dropResult'
  | 'corruptQuestion'
  | 'corruptResult'
  | 'misdeliver'
  | 'phantom'
  | 'doubleTerminal'
  | 'forge'
  | 'stray'
  | 'wireDuplicate'
  | 'lateResult'

const flips: Readonly<Record<Planted, AnomalyClass | null>> = {
  none: null,
  duplicateQuestion: 'duplicated',
  duplicateResult: 'duplicated',
  dropQuestion: 'lost',
  dropResult: 'lost',
  corruptQuestion: 'corrupt',
  corruptResult: 'corrupt',
  misdeliver: 'misdelivered',
  phantom: 'phantom',
  doubleTerminal: 'doubleTerminal',
  forge: 'unexpected',
  stray: 'late',
  wireDuplicate: 'wireDuplicates',
  lateResult: 'late',
}

/** The steps of an exchange in causal order. `queue` names the pair's channel a step must keep its order in. */
interface Step {
  readonly queue: 'none' | 'ask' | 'answer'
  run(): void
}

function free(run: () => void): Step {
  return { queue: 'none', run }
}

function stepsOf(
  ledger: Ledger,
  plan: ExpectedExchanges,
  exchange: number,
  life: Life,
  fault: Planted,
  expiry: Expiry,
): Step[] {
  const requester = plan.requester[exchange] ?? 0
  const recipient = plan.recipient[exchange] ?? 0
  const answer = answers[exchange % 3] ?? 'accept'
  const deliver = (to: number, body: string): void => {
    if (ledger.question(exchange, requester, to, body, false)) ledger.answered(exchange)
  }
  const steps: Step[] = [{ queue: 'ask', run: () => ledger.sent(exchange) }]
  if (life === 'neverAcknowledged') return steps
  if (life === 'refused') {
    steps.push(free(() => ledger.refused(exchange, 'ask', 'OVERLOADED')))
    if (fault === 'phantom') steps.push(free(() => deliver(recipient, plan.question(exchange))))
    return steps
  }
  steps.push(free(() => ledger.acknowledged(exchange, 'ask')))
  const expire = free(() => {
    if (expiry === 'engine') ledger.result(exchange, requester, 'expired', '', false)
  })
  if (fault === 'dropQuestion') return steps
  if (fault === 'misdeliver')
    return [...steps, free(() => deliver((recipient + 1) % plan.agents, plan.question(exchange)))]
  // Without an answer, a client-side requester loses what was acknowledged and never delivered; so it is not.
  if (life === 'expiredUndelivered') return expiry === 'engine' ? [...steps, expire] : steps.slice(0, 1)
  steps.push({
    queue: 'ask',
    run: () => deliver(recipient, fault === 'corruptQuestion' ? 'altered' : plan.question(exchange)),
  })
  if (fault === 'duplicateQuestion') steps.push(free(() => deliver(recipient, plan.question(exchange))))
  if (fault === 'wireDuplicate') steps.push(free(() => ledger.wireDuplicate(exchange, 'ask')))
  if (fault === 'stray') steps.push(free(() => ledger.stray(recipient, 'earlier', 'old:1:1')))
  if (fault === 'forge') steps.push(free(() => void ledger.question(plan.count + 5, requester, recipient, 'x', false)))
  if (life === 'expiredDelivered') return [...steps, expire]
  steps.push(free(() => ledger.acknowledged(exchange, 'answer')))
  if (fault === 'dropResult') return steps
  const body = fault === 'corruptResult' ? 'altered' : plan.answer(exchange)
  const tell = (outcome: Outcome, text: string): void =>
    void ledger.result(exchange, requester, outcome, text, fault === 'lateResult')
  steps.push({ queue: 'answer', run: () => tell(answer, body) })
  if (fault === 'duplicateResult') steps.push(free(() => tell(answer, plan.answer(exchange))))
  if (fault === 'doubleTerminal') steps.push(free(() => tell('expired', '')))
  return steps
}

/**
 * Interleaves the lives at random. Questions of a pair come in the order of sends, and results in the order of
 * deliveries, since each exchange waits for the one before it of its pair in either channel.
 */
function play(lives: readonly Step[][], plan: ExpectedExchanges, random: Random): void {
  const nextStep = lives.map(() => 0)
  const blockedBy = lives.map((_, exchange) => {
    for (let earlier = exchange - 1; earlier >= 0; earlier--) {
      if (plan.requester[earlier] === plan.requester[exchange]) return earlier
    }
    return -1
  })
  const passed = (exchange: number, queue: 'ask' | 'answer'): boolean =>
    exchange === -1 || !(lives[exchange] ?? []).slice(nextStep[exchange]).some((step) => step.queue === queue)
  for (;;) {
    const ready = lives.flatMap((steps, exchange) => {
      const step = steps[nextStep[exchange] ?? 0]
      if (step === undefined) return []
      if (step.queue === 'none') return [exchange]
      for (let at = blockedBy[exchange] ?? -1; at !== -1; at = blockedBy[at] ?? -1)
        if (!passed(at, step.queue)) return []
      return [exchange]
    })
    if (ready.length === 0) return
    const exchange = ready[random.below(ready.length)] ?? 0
    const step = lives[exchange]?.[nextStep[exchange] ?? 0]
    nextStep[exchange] = (nextStep[exchange] ?? 0) + 1
    step?.run()
  }
}

const lifeOf = fc.constantFrom<Life>(
  'completed',
  'completed',
  'refused',
  'expiredUndelivered',
  'expiredDelivered',
  'neverAcknowledged',
)

describe('a correct engine in any order', () => {
  it.each(Object.keys(flips) as Planted[])('with fault %s flips exactly its class', (fault) => {
    fc.assert(
      fc.property(
        expiries,
        fc.array(lifeOf, { minLength: 1, maxLength: 25 }),
        fc.nat(),
        fc.nat(),
        (expiry, others, seed, place) => {
          const victim = place % (others.length + 1)
          const lives = others.toSpliced(victim, 0, fault === 'phantom' ? 'refused' : 'completed')
          const plan = planOf(lives.length, 5)
          const ledger = new Ledger(plan, expiry)
          const steps = lives.map((life, exchange) =>
            stepsOf(ledger, plan, exchange, life, exchange === victim ? fault : 'none', expiry),
          )
          play(steps, plan, seededRandom(String(seed)))
          const report = ledger.close()
          expectConservation(report, lives.length)
          const expected = flips[fault]
          expect(flipped(report)).toEqual(expected === null ? [] : [expected])
          expect(expected === null ? 0 : report.counts[expected]).toBe(expected === null ? 0 : 1)
          const lost = expected === 'lost' ? 1 : 0
          const late = fault === 'lateResult' && expiry === 'client' ? 1 : 0
          const gone = lost + late + (fault === 'misdeliver' ? 1 : 0)
          expect(report.counts.lost).toBe(lost)
          expect(report.counts.completed).toBe(lives.filter((life) => life === 'completed').length - gone)
          expect(report.counts.refused).toBe(lives.filter((life) => life === 'refused').length)
        },
      ),
      { numRuns: 60 },
    )
  })
})
