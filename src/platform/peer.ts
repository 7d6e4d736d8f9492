/**
 * The one channel between the command line and the threads or child processes that carry engines and load:
 * requests with an answer, and telemetry a few times a second. Messages are structured clones; nothing
 * per exchange ever crosses here.
 *
 * A child process ignores the terminal's SIGINT (the parent decides) and exits when the channel closes, so
 * that it never outlives its parent. A peer that dies fails every pending request with what it said last.
 */
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { execa } from 'execa'
import { childEnvironment } from './process.ts'
import { LighthouseError, type ErrorCode } from './errors.ts'

export type PeerKind = 'thread' | 'process'

export interface Peer {
  readonly kind: PeerKind
  readonly name: string
  /** Of the child process; null for a thread. */
  readonly pid: number | null
  /** Rejects with the peer's own error, when it dies, or after `timeoutMs`. */
  request(type: string, payload: unknown, timeoutMs: number): Promise<unknown>
  onTelemetry(listener: (type: string, payload: unknown) => void): void
  /** Called once when the peer ends, however it ends. */
  onExit(listener: (reason: string) => void): void
  /** Ends the peer without asking it. Resolves when it is gone. */
  kill(): Promise<void>
}

interface Request {
  readonly id: number
  readonly type: string
  readonly payload: unknown
}

interface Failure {
  readonly code: ErrorCode
  readonly message: string
  readonly suggestions: readonly string[]
  readonly stack: string
}

type Message =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: Failure }
  | { readonly telemetry: string; readonly payload: unknown }

/** Last bytes of a child's stderr that are kept to explain its death. */
const stderrTailBytes = 4096

interface Channel {
  readonly pid: number | null
  send(message: Request): void
  terminate(): Promise<void>
}

interface Pending {
  resolve(value: unknown): void
  reject(error: Error): void
  readonly timer: NodeJS.Timeout
}

class PeerHandle implements Peer {
  readonly kind: PeerKind
  readonly name: string
  private channel: Channel | null = null
  private readonly pending = new Map<number, Pending>()
  private readonly telemetryListeners: ((type: string, payload: unknown) => void)[] = []
  private readonly exitListeners: ((reason: string) => void)[] = []
  private nextId = 1
  private exitReason: string | null = null

  constructor(kind: PeerKind, name: string) {
    this.kind = kind
    this.name = name
  }

  attach(channel: Channel): void {
    this.channel = channel
  }

  get pid(): number | null {
    return this.channel?.pid ?? null
  }

  request(type: string, payload: unknown, timeoutMs: number): Promise<unknown> {
    if (this.exitReason !== null) return Promise.reject(this.goneError(`'${type}'`))
    const id = this.nextId++
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.pending.delete(id)
        reject(new LighthouseError('ENVIRONMENT', `${this.name} did not answer '${type}' within ${timeoutMs} ms`))
      }, timeoutMs)
      this.pending.set(id, { resolve, reject, timer })
      this.channel?.send({ id, type, payload })
    })
  }

  receive(message: Message): void {
    if ('telemetry' in message) {
      for (const listener of this.telemetryListeners) listener(message.telemetry, message.payload)
      return
    }
    const waiting = this.pending.get(message.id)
    if (waiting === undefined) return
    this.pending.delete(message.id)
    clearTimeout(waiting.timer)
    if ('failure' in message) waiting.reject(revive(message.failure))
    else waiting.resolve(message.value)
  }

  ended(reason: string): void {
    if (this.exitReason !== null) return
    this.exitReason = reason
    for (const [id, waiting] of this.pending) {
      clearTimeout(waiting.timer)
      this.pending.delete(id)
      waiting.reject(this.goneError('a pending request'))
    }
    for (const listener of this.exitListeners) listener(reason)
  }

  onTelemetry(listener: (type: string, payload: unknown) => void): void {
    this.telemetryListeners.push(listener)
  }

  onExit(listener: (reason: string) => void): void {
    if (this.exitReason === null) this.exitListeners.push(listener)
    else listener(this.exitReason)
  }

  async kill(): Promise<void> {
    await this.channel?.terminate()
  }

  private goneError(what: string): LighthouseError {
    return new LighthouseError('ENVIRONMENT', `${this.name} ended before ${what} was answered: ${this.exitReason}`)
  }
}

export interface PeerOptions {
  readonly kind: PeerKind
  /** For messages to the user, e.g. `engine polling`. */
  readonly name: string
  /** Flags of the Node executable; only a process takes them. */
  readonly nodeFlags?: readonly string[]
  /** File of a cgroup into which the process writes its number before it runs anything; only a process has one. */
  readonly joins?: string
}

export function startPeer(entry: URL, options: PeerOptions): Peer {
  const handle = new PeerHandle(options.kind, options.name)
  handle.attach(options.kind === 'thread' ? startThread(entry, handle) : startProcess(entry, handle, options))
  return handle
}

function startThread(entry: URL, handle: PeerHandle): Channel {
  const worker = new Worker(entry, { name: handle.name, env: childEnvironment(), stdin: false })
  let lastError = ''
  worker.on('message', (message: Message) => handle.receive(message))
  worker.on('error', (error) => {
    lastError = error instanceof Error ? (error.stack ?? error.message) : String(error)
  })
  worker.on('exit', (code) => handle.ended(lastError === '' ? `exit code ${code}` : lastError))
  return {
    pid: null,
    send: (message) => worker.postMessage(message),
    terminate: async () => {
      await worker.terminate()
    },
  }
}

function startProcess(entry: URL, handle: PeerHandle, options: PeerOptions): Channel {
  const { nodeFlags = [], joins } = options
  const node = [process.execPath, ...nodeFlags, entry.pathname]
  // The shell becomes the process, so everything that it takes counts from the beginning, and it keeps the shell's number.
  const joining = joins === undefined ? [] : ['/bin/sh', '-c', 'echo $$ > "$0" && exec "$@"', joins]
  const [file = '', ...words] = [...joining, ...node]
  const child = execa(file, words, {
    ipc: true,
    serialization: 'advanced',
    extendEnv: false,
    env: childEnvironment(),
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
    buffer: false,
    reject: false,
    cleanup: true,
    forceKillAfterDelay: 2000,
  })
  let tail = ''
  child.stderr.on('data', (chunk: Buffer) => {
    tail = (tail + chunk.toString('utf8')).slice(-stderrTailBytes)
  })
  const raw = child.nodeChildProcess
  raw.on('message', (message: unknown) => handle.receive(message as Message))
  // 'close' and not 'exit', so that the last words on stderr have been read.
  raw.on('close', (code, signal) =>
    handle.ended(`${signal ?? `exit code ${code}`}${tail === '' ? '' : `: ${tail.trim()}`}`),
  )
  raw.on('error', (error) => handle.ended(error.message))
  return {
    pid: child.pid ?? null,
    // A failed send means the child is going; its close event fails the request.
    send: (message) => void raw.send(message, () => undefined),
    terminate: async () => {
      child.kill('SIGKILL')
      await child
    },
  }
}

export type PeerHandlers = Readonly<Record<string, (payload: unknown) => unknown>>

/** Called once by an entry module: answers requests from the parent until the channel closes. */
export function servePeer(handlers: PeerHandlers): { telemetry(type: string, payload: unknown): void } {
  const send = openParentChannel((request) => void answer(request))
  async function answer(request: Request): Promise<void> {
    try {
      const handler = handlers[request.type]
      if (handler === undefined) throw new LighthouseError('INTERNAL', `no handler for '${request.type}'`)
      send({ id: request.id, value: await handler(request.payload) })
    } catch (error) {
      send({ id: request.id, failure: describe(error) })
    }
  }
  return { telemetry: (type, payload) => send({ telemetry: type, payload }) }
}

function openParentChannel(receive: (request: Request) => void): (message: Message) => void {
  if (!isMainThread && parentPort !== null) {
    const port = parentPort
    port.on('message', receive)
    return (message) => port.postMessage(message)
  }
  const sendToParent = process.send?.bind(process)
  if (sendToParent === undefined) throw new LighthouseError('INTERNAL', 'this module only runs as a thread or a child')
  process.on('SIGINT', () => undefined)
  process.on('disconnect', () => process.exit(0))
  process.on('message', receive)
  return (message) => {
    if (process.connected) sendToParent(message)
  }
}

function describe(error: unknown): Failure {
  const known = error instanceof LighthouseError
  return {
    code: known ? error.code : 'INTERNAL',
    message: error instanceof Error ? error.message : String(error),
    suggestions: known ? error.suggestions : [],
    stack: error instanceof Error ? (error.stack ?? '') : '',
  }
}

function revive(failure: Failure): LighthouseError {
  const error = new LighthouseError(failure.code, failure.message, { suggestions: failure.suggestions })
  if (failure.stack !== '') error.stack = failure.stack
  return error
}
