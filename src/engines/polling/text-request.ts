/**
 * One HTTP request whose answer is short text, told once: the status and the text, or that there is none.
 */
import type { Dispatcher } from 'undici'

export class TextRequest implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | null = null
  private status = 0
  private chunks: Buffer[] = []
  private size = 0
  private over = false
  private readonly maxBytes: number
  private readonly ended: (status: number, text: string) => void
  private readonly failed: (reason: string) => void

  constructor(maxBytes: number, ended: (status: number, text: string) => void, failed: (reason: string) => void) {
    this.maxBytes = maxBytes
    this.ended = ended
    this.failed = failed
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller
    if (this.over) controller.abort(new Error('The request was given up.'))
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.status = status
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.size += chunk.length
    if (this.size > this.maxBytes) controller.abort(new Error('The answer is larger than its limit allows.'))
    else this.chunks.push(chunk)
  }

  onResponseEnd(): void {
    if (this.over) return
    this.over = true
    const [only] = this.chunks
    const bytes = only !== undefined && this.chunks.length === 1 ? only : Buffer.concat(this.chunks)
    this.ended(this.status, bytes.toString('utf8'))
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.over) return
    this.over = true
    this.failed(error.message)
  }

  /** The answer is no longer wanted; nothing is told any more. */
  abandon(): void {
    this.over = true
    this.controller?.abort(new Error('The request was given up.'))
  }
}
