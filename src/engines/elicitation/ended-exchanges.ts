/**
 * Ended exchanges, kept for retries in columns and one ring of bytes outside the collector's heap.
 *
 * A server at 10,000 exchanges/s keeps tens of thousands of ended ones, which as objects the collector would copy twice each.
 * Of the question its SHA-256 stays, which tells a retry from a conflict; of the answer its text, which a retry may ask for.
 * Records lie in the order they ended, so the ring never has holes: what needs room drops the oldest answer, of which the
 * SHA-256 stays. The record itself leaves by count or age alone: else a few long answers would make every agent's retries new.
 */
import { hash } from 'node:crypto'
import type { Outcome } from '../engine.ts'

const outcomes: readonly Outcome[] = ['accept', 'decline', 'cancel', 'expired', 'withdrawn']
const digestBytes = 32
/** Room per record when answers are short; the ring also takes at least one of the longest. */
const bytesPerRecord = 512
const leastBytes = 131_072

export interface EndedRecord {
  readonly id: string
  readonly requester: number
  readonly recipient: number
  /** Latin-1, one character per byte. */
  readonly questionSha256: string
  readonly outcome: Outcome | null
  readonly answerBody: string
  readonly questionSequence: number
  readonly resultSequence: number
}

export interface KeptRecord extends EndedRecord {
  /** Latin-1; '' while `answerBody` is the answer, which is '' when it had to make room. */
  readonly answerSha256: string
}

/** In `answerLengths`: the answer had to make room. */
const gone = -1

/** Exchanges with answers of so many bytes until every page of the ring was written once, and so is resident. */
export function exchangesToFill(capacity: number, answerBytes: number): number {
  return Math.ceil(Math.max(leastBytes, capacity * bytesPerRecord) / answerBytes)
}

export class EndedExchanges {
  readonly capacity: number
  /** Of the ring, in bytes of answers. */
  readonly answerCapacity: number
  private readonly ids: string[]
  private readonly requesters: Int32Array
  private readonly recipients: Int32Array
  private readonly outcomes: Int8Array
  private readonly questionSequences: Float64Array
  private readonly resultSequences: Float64Array
  private readonly endedAtMs: Float64Array
  private readonly digests: Buffer
  private readonly answerStarts: Float64Array
  private readonly answerLengths: Int32Array
  private readonly answers: Buffer
  private readonly answerDigests: Buffer
  private readonly dropped: (id: string, slot: number) => void
  private oldest = 0
  private writeAt = 0
  /** The oldest so many records have nothing in the ring. */
  private ringless = 0
  count = 0

  /** `dropped` is told of every record that leaves. */
  constructor(capacity: number, dropped: (id: string, slot: number) => void) {
    this.capacity = capacity
    this.answerCapacity = Math.max(leastBytes, capacity * bytesPerRecord)
    this.dropped = dropped
    this.ids = new Array<string>(capacity).fill('')
    this.requesters = new Int32Array(capacity)
    this.recipients = new Int32Array(capacity)
    this.outcomes = new Int8Array(capacity)
    this.questionSequences = new Float64Array(capacity)
    this.resultSequences = new Float64Array(capacity)
    this.endedAtMs = new Float64Array(capacity)
    this.digests = Buffer.alloc(capacity * digestBytes)
    this.answerStarts = new Float64Array(capacity)
    this.answerLengths = new Int32Array(capacity)
    this.answers = Buffer.allocUnsafeSlow(this.answerCapacity)
    this.answerDigests = Buffer.alloc(capacity * digestBytes)
  }

  /** Keeps a record and returns its slot, valid until `dropped` names it. Records come in ascending `endedAtMs`. */
  add(record: EndedRecord, endedAtMs: number): number {
    if (this.count === this.capacity) this.dropOldest()
    // A UTF-16 unit takes three bytes of UTF-8 at most. No record takes none, so that starts ascend.
    this.makeRoom(1 + record.answerBody.length * 3)
    const slot = (this.oldest + this.count) % this.capacity
    this.count++
    this.ids[slot] = record.id
    this.requesters[slot] = record.requester
    this.recipients[slot] = record.recipient
    this.outcomes[slot] = record.outcome === null ? -1 : outcomes.indexOf(record.outcome)
    this.questionSequences[slot] = record.questionSequence
    this.resultSequences[slot] = record.resultSequence
    this.endedAtMs[slot] = endedAtMs
    this.digests.write(record.questionSha256, slot * digestBytes, digestBytes, 'latin1')
    const length = record.answerBody === '' ? 0 : this.answers.write(record.answerBody, this.writeAt, 'utf8')
    this.answerStarts[slot] = this.writeAt
    this.answerLengths[slot] = length
    this.writeAt += Math.max(1, length)
    return slot
  }

  read(slot: number): KeptRecord {
    const digestAt = slot * digestBytes
    const answerAt = this.answerStarts[slot] ?? 0
    const length = this.answerLengths[slot] ?? 0
    return {
      id: this.ids[slot] ?? '',
      requester: this.requesters[slot] ?? -1,
      recipient: this.recipients[slot] ?? -1,
      questionSha256: this.digests.toString('latin1', digestAt, digestAt + digestBytes),
      outcome: outcomes[this.outcomes[slot] ?? -1] ?? null,
      answerBody: length === gone ? '' : this.answers.toString('utf8', answerAt, answerAt + length),
      answerSha256: length === gone ? this.answerDigests.toString('latin1', digestAt, digestAt + digestBytes) : '',
      questionSequence: this.questionSequences[slot] ?? 0,
      resultSequence: this.resultSequences[slot] ?? 0,
    }
  }

  /** Drops what ended at `untilMs` or before. */
  dropOlder(untilMs: number): void {
    while (this.count > 0 && (this.endedAtMs[this.oldest] ?? 0) <= untilMs) this.dropOldest()
  }

  /** Moves `writeAt` to where `bytes` fit, at most the whole ring, and drops the answers that lie there. */
  private makeRoom(bytes: number): void {
    if (this.writeAt + bytes > this.answerCapacity) {
      // What lies behind is older than what lies in front, and must go first.
      while (this.oldestStart() >= this.writeAt) this.dropAnswer()
      this.writeAt = 0
    }
    // In front of `writeAt` lies what is younger.
    const end = this.writeAt + bytes
    for (let start = this.oldestStart(); start >= this.writeAt && start < end; start = this.oldestStart())
      this.dropAnswer()
  }

  /** −1 when the ring is empty. */
  private oldestStart(): number {
    if (this.ringless === this.count) return -1
    return this.answerStarts[(this.oldest + this.ringless) % this.capacity] ?? -1
  }

  /** An empty answer needs no room to be remembered. */
  private dropAnswer(): void {
    const slot = (this.oldest + this.ringless++) % this.capacity
    const start = this.answerStarts[slot] ?? 0
    const length = this.answerLengths[slot] ?? 0
    if (length === 0) return
    const sha256 = hash('sha256', this.answers.subarray(start, start + length), 'latin1')
    this.answerDigests.write(sha256, slot * digestBytes, digestBytes, 'latin1')
    this.answerLengths[slot] = gone
  }

  private dropOldest(): void {
    const slot = this.oldest
    this.oldest = (slot + 1) % this.capacity
    this.count--
    if (this.ringless > 0) this.ringless--
    const id = this.ids[slot] ?? ''
    this.ids[slot] = ''
    this.dropped(id, slot)
  }
}
