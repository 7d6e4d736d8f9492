/**
 * Pipelined validation: signature, nonce and rate are checked as a frame arrives, bodies of all frames that one turn of the
 * event loop brought are judged together afterwards. Order is kept, the queue is bounded, and what does not fit is refused.
 */
import type { AdmittedFrame } from './admitted-frame.ts'

export interface WaitingFrame {
  readonly agent: number
  readonly verb: 'ask' | 'answer' | 'cancel'
  readonly sampled: boolean
  readonly admitted: AdmittedFrame
}

type Judge = (agent: number, verb: WaitingFrame['verb'], frame: AdmittedFrame, sampled: boolean) => void

export class ValidationQueue {
  private waiting: WaitingFrame[] = []
  private readonly limit: number
  private readonly soon: (run: () => void) => void
  private readonly judge: Judge
  private scheduled = false
  private readonly runLater = (): void => {
    this.scheduled = false
    this.run()
  }

  constructor(limit: number, soon: (run: () => void) => void, judge: Judge) {
    this.limit = limit
    this.soon = soon
    this.judge = judge
  }

  /** False when the queue is full. */
  add(frame: WaitingFrame): boolean {
    if (this.waiting.length >= this.limit) return false
    this.waiting.push(frame)
    if (!this.scheduled) {
      this.scheduled = true
      this.soon(this.runLater)
    }
    return true
  }

  run(): void {
    const batch = this.waiting
    this.waiting = []
    for (const frame of batch) this.judge(frame.agent, frame.verb, frame.admitted, frame.sampled)
  }
}
