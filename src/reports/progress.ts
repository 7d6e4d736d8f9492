/**
 * Live progress on standard error. On a terminal one task that is redrawn at most twice a second; elsewhere (CI,
 * pipes) plain lines: one per stage, one per round, and while a round runs one every five seconds at most,
 * so that a log of an hour stays short. The measured process pays for this, hence the bounds.
 */
import {
  DefaultRenderer,
  Listr,
  ListrLogger,
  ProcessOutput,
  type ListrRendererFactory,
  type ListrTaskWrapper,
} from 'listr2'
import type { RoundProgress } from '../load/round-plan.ts'
import { systemClock, type Clock } from '../platform/clock.ts'
import { count, duration } from './numbers.ts'
import { oneLine } from './text.ts'

export interface ProgressOptions {
  readonly stream: NodeJS.WriteStream
  /** Whether the stream is a terminal that may be redrawn. */
  readonly interactive: boolean
  readonly quiet: boolean
  readonly clock?: Clock
}

export interface RoundInfo extends RoundProgress {
  readonly engine: string
  readonly rounds: number
}

export interface Progress {
  /** A new part of the run begins; the one before it is done. */
  stage(text: string): void
  /** Called as often as the load reports; draws only as often as is useful. */
  round(info: RoundInfo): void
  roundDone(line: string): void
  /** Resolves when the last frame is drawn, so that a report can follow. */
  finish(): Promise<void>
}

const redrawMs = 500
const plainLineMs = 5000

const silent: Progress = {
  stage: () => undefined,
  round: () => undefined,
  roundDone: () => undefined,
  finish: () => Promise.resolve(),
}

export function createProgress(options: ProgressOptions): Progress {
  if (options.quiet) return silent
  const clock = options.clock ?? systemClock()
  return options.interactive ? drawnProgress(options.stream, clock) : plainProgress(options.stream, clock)
}

export function roundText(info: RoundInfo): string {
  const done = `${count(info.completed)} of ${count(info.scheduled)} exchanges`
  const latency = info.p50Ms === null ? '' : `, round trip p50 ${duration(info.p50Ms)}, p99 ${duration(info.p99Ms)}`
  return oneLine(`round ${info.round + 1} of ${info.rounds}, ${info.engine}: ${done}${latency}`)
}

/** True at most once per `everyMs`. */
function limiter(clock: Clock, everyMs: number): () => boolean {
  let lastNs = clock.nowNs()
  return () => {
    const nowNs = clock.nowNs()
    if (nowNs - lastNs < everyMs * 1e6) return false
    lastNs = nowNs
    return true
  }
}

function plainProgress(stream: NodeJS.WriteStream, clock: Clock): Progress {
  const due = limiter(clock, plainLineMs)
  const line = (text: string): void => void stream.write(`${oneLine(text)}\n`)
  return {
    stage: line,
    round: (info) => {
      if (due()) line(roundText(info))
    },
    roundDone: line,
    finish: () => Promise.resolve(),
  }
}

type Task = ListrTaskWrapper<unknown, typeof ErrorStreamRenderer, ListrRendererFactory>

interface Stage {
  task: Task | null
  /** What to show once the renderer has started the task. */
  output: string
  end(): void
  ended: Promise<unknown>
}

function drawnProgress(stream: NodeJS.WriteStream, clock: Clock): Progress {
  const due = limiter(clock, redrawMs)
  let current: Stage | null = null
  let last: Promise<unknown> = Promise.resolve()
  const show = (text: string): void => {
    if (current === null) return
    current.output = text
    if (current.task !== null) current.task.output = text
  }
  return {
    stage(text) {
      current?.end()
      const stage = startStage(stream, oneLine(text), last)
      current = stage
      last = stage.ended
    },
    round(info) {
      if (due()) show(roundText(info))
    },
    roundDone: (line) => show(oneLine(line)),
    async finish() {
      current?.end()
      current = null
      await last
    },
  }
}

/** Listr would judge by standard output whether it may draw; progress goes to standard error, which the caller has judged. */
class ErrorStreamRenderer extends DefaultRenderer {
  static override nonTTY = true
}

/**
 * The list is made only when the one before has let go of the stream: a list keeps the stream's `write` as
 * it finds it. It draws when told to (`lazy`), not from a timer, and leaves signals to the command line.
 */
function startStage(stream: NodeJS.WriteStream, title: string, before: Promise<unknown>): Stage {
  const finished = Promise.withResolvers<void>()
  const stage = { task: null, output: '', end: () => finished.resolve(), ended: before } satisfies Stage as Stage
  const task = async (_context: unknown, wrapper: Task): Promise<void> => {
    stage.task = wrapper
    if (stage.output !== '') wrapper.output = stage.output
    await finished.promise
  }
  stage.ended = before.then(() => {
    const logger = new ListrLogger({ processOutput: new ProcessOutput(stream, stream) })
    const options = {
      registerSignalListeners: false,
      renderer: ErrorStreamRenderer,
      rendererOptions: { lazy: true, logger },
    }
    return new Listr<unknown, typeof ErrorStreamRenderer>([{ title, task }], options).run()
  })
  return stage
}
