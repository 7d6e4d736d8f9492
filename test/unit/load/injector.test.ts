/**
 * Pacing on virtual time: every mode releases everything, in order, never early, and as late as it may.
 */
import { describe, expect, it } from 'vitest'
import { ClosedLoop } from '../../../src/load/closed-loop.ts'
import { Injector } from '../../../src/load/injector.ts'
import { buildSchedule } from '../../../src/load/schedule.ts'
import type { Sender } from '../../../src/load/sender.ts'
import { workload } from './session-fixture.ts'
import { VirtualTime } from './virtual-time.ts'

interface Sent {
  readonly exchange: number
  readonly nowNs: number
  readonly dueNs: number
}

class Recorder implements Sender {
  readonly sent: Sent[] = []
  readonly done: Promise<void>
  onSend: (exchange: number) => void = () => undefined
  private resolve: () => void = () => undefined
  private reject: (error: unknown) => void = () => undefined

  constructor() {
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }

  send(exchange: number, nowNs: number, dueNs: number): void {
    this.sent.push({ exchange, nowNs, dueNs })
    this.onSend(exchange)
  }

  sendingDone(): void {
    this.resolve()
  }

  sendingFailed(error: unknown): void {
    this.reject(error)
  }
}

function inject(
  ratePerSecond: number,
  pacing: 'timer' | 'spin',
): { time: VirtualTime; recorder: Recorder; injector: Injector; count: number } {
  const time = new VirtualTime()
  const recorder = new Recorder()
  const { scheduledAtNs, count } = buildSchedule({ ...workload, ratePerSecond }, 'seed', 2000, 16)
  const injector = new Injector({ timing: time, scheduledAtNs, ratePerSecond, pacing, sender: recorder })
  injector.start(time.nowNs + 10e6)
  return { time, recorder, injector, count }
}

describe('the open loop', () => {
  it.each([
    [50, 'timer', 20_000],
    [400, 'timer', 20_000],
    [5000, 'timer', 1_000_000],
    [5000, 'spin', 20_000],
  ] as const)('at %i/s paced by %s sends all, in order, at most %i ns late', async (rate, pacing, latestNs) => {
    const { time, recorder, count } = inject(rate, pacing)
    await time.drive(recorder.done)
    expect(recorder.sent.map(({ exchange }) => exchange)).toEqual(Array.from({ length: count }, (_, index) => index))
    for (const { nowNs, dueNs } of recorder.sent) {
      expect(nowNs).toBeGreaterThanOrEqual(dueNs)
      expect(nowNs - dueNs).toBeLessThanOrEqual(latestNs)
    }
  })

  it('releases everything due after a stall at once, with its lateness', async () => {
    const { time, recorder, count } = inject(5000, 'timer')
    time.scheduler.after(500, () => {
      time.nowNs += 300e6
    })
    await time.drive(recorder.done)
    expect(recorder.sent).toHaveLength(count)
    const latest = Math.max(...recorder.sent.map(({ nowNs, dueNs }) => nowNs - dueNs))
    expect(latest).toBeGreaterThan(299e6)
    expect(latest).toBeLessThan(302e6)
  })

  it('sends nothing after it was stopped', async () => {
    const { time, recorder, injector } = inject(5000, 'timer')
    recorder.onSend = (exchange) => {
      if (exchange === 100) injector.stop()
    }
    await time.drive(new Promise<void>((resolve) => time.scheduler.after(3000, resolve)))
    expect(recorder.sent).toHaveLength(101)
  })

  it('ends at the first error of the sender', async () => {
    const { time, recorder } = inject(5000, 'timer')
    recorder.onSend = (exchange) => {
      if (exchange === 7) throw new Error('socket is gone')
    }
    await expect(time.drive(recorder.done)).rejects.toThrow('socket is gone')
    expect(recorder.sent).toHaveLength(8)
  })

  it('ends at once when nothing is scheduled', async () => {
    const time = new VirtualTime()
    const recorder = new Recorder()
    for (const pacing of ['timer', 'spin'] as const) {
      new Injector({
        timing: time,
        scheduledAtNs: new Float64Array(0),
        ratePerSecond: 1,
        pacing,
        sender: recorder,
      }).start(time.nowNs)
    }
    await time.drive(recorder.done)
    expect(recorder.sent).toEqual([])
  })
})

function loop(serviceMs: number | null): {
  time: VirtualTime
  recorder: Recorder
  schedule: ReturnType<typeof buildSchedule>
} {
  const time = new VirtualTime()
  const recorder = new Recorder()
  const schedule = buildSchedule({ ...workload, ratePerSecond: 1000 }, 'seed', 1000, 16)
  const pacer = new ClosedLoop({ timing: time, schedule, giveUpNs: 300e6, sender: recorder })
  recorder.onSend = (exchange) => {
    if (serviceMs !== null) time.scheduler.after(serviceMs, () => pacer.ended(exchange))
  }
  pacer.start(time.nowNs)
  return { time, recorder, schedule }
}

describe('the closed loop', () => {
  it('never has two exchanges of one requester under way, and keeps their order', async () => {
    const { time, recorder, schedule } = loop(25)
    await time.drive(recorder.done)
    const sentBy = Map.groupBy(recorder.sent, ({ exchange }) => schedule.requester[exchange] ?? -1)
    expect(sentBy.size).toBe(workload.agents)
    for (const own of sentBy.values()) {
      for (const [index, sent] of own.slice(1).entries()) {
        const last = own[index]
        expect(sent.exchange).toBeGreaterThan(last?.exchange ?? Number.NaN)
        expect(sent.nowNs - (last?.nowNs ?? Number.NaN)).toBeGreaterThanOrEqual(25e6)
        expect(sent.nowNs).toBeGreaterThanOrEqual(sent.dueNs)
      }
    }
    // Ten requesters, 25 ms each, one second: 400 at most, and nearly so since 1000 were wanted.
    expect(recorder.sent.length).toBeLessThanOrEqual(400)
    expect(recorder.sent.length).toBeGreaterThan(360)
  })

  it('gives up on an exchange that never ends', async () => {
    const { time, recorder } = loop(null)
    await time.drive(recorder.done)
    // One at the start and one after each 300 ms, for ten requesters.
    expect(recorder.sent.length).toBeGreaterThanOrEqual(30)
    expect(recorder.sent.length).toBeLessThanOrEqual(40)
  })
})
