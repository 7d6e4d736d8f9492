/**
 * What the lifecycle needs of a frame that was let in, whichever way it came.
 */
import type { ClientFrame } from './frame-codec.ts'

/** A frame that passed signature, nonce and rate, as far as the lifecycle needs it. Reused. */
export interface AdmittedFrame {
  /** Negative: the ticket of a request without a frame (`ElicitationMachine.receiveUnsigned`), which no acknowledgement covers. */
  nonce: number
  cursor: number
  id: string
  to: string
  ttlMs: number
  body: string
  receivedAtNs: number
  /** When the body stage began, if this frame is timed stage by stage; else 0. */
  bodyStageAtNs: number
}

/** What a request says that came without a frame. */
export interface UnsignedRequest {
  readonly id: string
  /** '' unless it is an ask. */
  readonly to: string
  /** 0 unless it is an ask. */
  readonly ttlMs: number
  readonly body: string
}

export type FrameToAdmit = UnsignedRequest & Pick<ClientFrame, 'nonce' | 'cursor'>

export function emptyAdmitted(): AdmittedFrame {
  return { nonce: 0, cursor: 0, id: '', to: '', ttlMs: 0, body: '', receivedAtNs: 0, bodyStageAtNs: 0 }
}

/** Copies what is kept of a frame into one that is reused. */
export function fill(admitted: AdmittedFrame, frame: FrameToAdmit, receivedAtNs: number): AdmittedFrame {
  admitted.nonce = frame.nonce
  admitted.cursor = frame.cursor
  admitted.id = frame.id
  admitted.to = frame.to
  admitted.ttlMs = frame.ttlMs
  admitted.body = frame.body
  admitted.receivedAtNs = receivedAtNs
  return admitted
}
