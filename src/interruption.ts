/**
 * Turns the ways in which a run is told to stop into one AbortSignal: SIGINT (Ctrl-C), SIGTERM, SIGHUP, and a
 * parent that went away (a SIGTERM sent to `npx` kills only `npx`, so a changed parent id counts as
 * SIGTERM). The first asks: load and engines stop, the partial run is written. The second, or the end
 * of the grace period, ends the process at once.
 */
import type { Cancel, Scheduler } from './platform/clock.ts'
import { exitCodes } from './platform/errors.ts'

export type InterruptionCause = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'PARENT_GONE'

/** What an interruption watches; a parameter so that tests need no real signals. */
export interface SignalSource {
  on(event: 'SIGINT' | 'SIGTERM' | 'SIGHUP', listener: () => void): unknown
  off(event: 'SIGINT' | 'SIGTERM' | 'SIGHUP', listener: () => void): unknown
  readonly ppid: number
}

export interface Interruption {
  readonly signal: AbortSignal
  /** Null until interrupted. */
  cause(): InterruptionCause | null
  /** 130 for Ctrl-C, 143 for the rest; null until interrupted. */
  exitCode(): number | null
  stop(): void
}

/** How long an interrupted command may take to write what it has: the longest drain plus the engines' 5 s to close. */
const graceMs = 30_000
const parentCheckMs = 500

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export function watchInterruption(
  source: SignalSource,
  scheduler: Scheduler,
  endNow: (exitCode: number) => void,
  tell: (line: string) => void = () => undefined,
): Interruption {
  const controller = new AbortController()
  const parent = source.ppid
  const timers: Cancel[] = []
  let cause: InterruptionCause | null = null

  const interrupt = (by: InterruptionCause): void => {
    if (cause !== null) {
      if (by !== 'PARENT_GONE') endNow(codeOf(by))
      return
    }
    cause = by
    tell(`${by === 'PARENT_GONE' ? 'the parent process is gone' : by}: stopping; once more ends at once`)
    timers.push(scheduler.after(graceMs, () => endNow(codeOf(by))))
    controller.abort(new InterruptedError(by))
  }

  const listeners = signals.map((name) => ({ name, listener: () => interrupt(name) }))
  for (const { name, listener } of listeners) source.on(name, listener)
  timers.push(scheduler.every(parentCheckMs, () => (source.ppid === parent ? undefined : interrupt('PARENT_GONE'))))

  return {
    signal: controller.signal,
    cause: () => cause,
    exitCode: () => (cause === null ? null : codeOf(cause)),
    stop() {
      for (const { name, listener } of listeners) source.off(name, listener)
      for (const cancel of timers) cancel()
    },
  }
}

/** The reason of the aborted signal. */
export class InterruptedError extends Error {
  readonly by: InterruptionCause

  constructor(by: InterruptionCause) {
    super(`interrupted (${by === 'PARENT_GONE' ? 'the parent process is gone' : by})`)
    this.name = 'InterruptedError'
    this.by = by
  }
}

function codeOf(cause: InterruptionCause): number {
  return cause === 'SIGINT' ? exitCodes.SIGINT : exitCodes.SIGTERM
}
