/**
 * Who waits for which commit: a ring of responses in ticket order, so that a posted event costs no closure
 * and a batch that ends settles its share from the front.
 */
import type { ServerResponse } from 'node:http'

export class PendingAnswers {
  #responses: (ServerResponse | null)[] = []
  #recipients: string[] = []
  #wallMs: number[] = []
  #head = 0

  /** Tickets are consecutive, so the order of calls is the order of tickets. */
  push(response: ServerResponse, recipient: string, wallMs: number): void {
    this.#responses.push(response)
    this.#recipients.push(recipient)
    this.#wallMs.push(wallMs)
  }

  /** Takes the `count` oldest out, in order. */
  settle(
    count: number,
    each: (response: ServerResponse, offset: number, recipient: string, wallMs: number) => void,
  ): void {
    const from = this.#head
    // Moved first: `each` may bring in further answers.
    this.#head += count
    for (let offset = 0; offset < count; offset++) {
      const index = from + offset
      const response = this.#responses[index]
      if (response === null || response === undefined) continue
      this.#responses[index] = null
      each(response, offset, this.#recipients[index] ?? '', this.#wallMs[index] ?? 0)
    }
    this.#compact()
  }

  #compact(): void {
    if (this.#head === this.#responses.length) {
      this.#responses.length = this.#recipients.length = this.#wallMs.length = this.#head = 0
    } else if (this.#head > 4096 && this.#head * 2 > this.#responses.length) {
      this.#responses = this.#responses.slice(this.#head)
      this.#recipients = this.#recipients.slice(this.#head)
      this.#wallMs = this.#wallMs.slice(this.#head)
      this.#head = 0
    }
  }
}
