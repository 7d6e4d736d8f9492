/**
 * Connections by agent, whatever carries them: the newest of an agent wins, the machine speaks to that one.
 *
 * A connection that does not drain is terminated, not closed: a closing handshake would wait behind the very bytes that do
 * not drain. Its inbox keeps everything.
 */
import type { FrameMac } from './frame-mac.ts'
import type { ElicitationMachine } from './machine.ts'
import type { ByeCode } from './machine-ports.ts'

/** Bytes in a connection's buffer above which inbox entries wait, and above which it is terminated. */
export const pauseAboveBytes = 262_144
export const terminateAboveBytes = 1_048_576

export interface AcceptedSession {
  readonly agent: number
  readonly session: string
  readonly key: FrameMac
  readonly expiresAtMs: number
  readonly cursor: number
}

/** One connection. After `part` or `terminate` it reports its end by `Connections.ended`, once. */
export interface Channel {
  isOpen(): boolean
  bufferedBytes(): number
  /** `sequence` is 0 unless the frame is an inbox entry. */
  send(frame: string, sequence: number): void
  /** Says goodbye and closes. */
  part(code: ByeCode): void
  terminate(): void
}

export class Connections {
  private readonly channels: (Channel | undefined)[] = []
  private readonly machine: () => ElicitationMachine
  private readonly onStarted: ((agent: number) => void) | null
  open = 0

  constructor(machine: () => ElicitationMachine, onStarted: ((agent: number) => void) | null = null) {
    this.machine = machine
    this.onStarted = onStarted
  }

  /** A connection whose token was verified. */
  started(accepted: AcceptedSession, channel: Channel): void {
    const { agent } = accepted
    const older = this.channels[agent]
    this.channels[agent] = channel
    this.open++
    older?.part('REPLACED')
    this.machine().attach(agent, accepted.session, accepted.key, accepted.expiresAtMs, accepted.cursor)
    this.onStarted?.(agent)
  }

  ended(agent: number, channel: Channel): void {
    this.open--
    if (this.channels[agent] !== channel) return
    this.channels[agent] = undefined
    this.machine().detach(agent)
  }

  /** A message; what an older connection of the agent still delivers is ignored. */
  received(agent: number, channel: Channel, message: Buffer): void {
    if (this.channels[agent] === channel) this.machine().receive(agent, message)
  }

  /** False: no room for more. */
  send(agent: number, frame: string, sequence: number): boolean {
    const channel = this.channels[agent]
    if (channel === undefined || !channel.isOpen()) return false
    channel.send(frame, sequence)
    const buffered = channel.bufferedBytes()
    if (buffered <= pauseAboveBytes) return true
    if (buffered > terminateAboveBytes) channel.terminate()
    return false
  }

  hasRoom(agent: number): boolean {
    const channel = this.channels[agent]
    return channel !== undefined && channel.isOpen() && channel.bufferedBytes() <= pauseAboveBytes / 2
  }

  disconnect(agent: number, code: ByeCode): void {
    const channel = this.channels[agent]
    this.channels[agent] = undefined
    if (code === 'UNRESPONSIVE') channel?.terminate()
    else channel?.part(code)
  }

  closeAll(): void {
    for (const channel of this.channels) channel?.part('SHUTDOWN')
  }

  terminateAll(): void {
    for (const channel of this.channels) channel?.terminate()
  }
}
