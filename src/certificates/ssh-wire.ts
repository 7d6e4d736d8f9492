/**
 * The few pieces of the SSH wire format that keys and signatures need (RFC 4251 §5, RFC 8709): uint32, string,
 * and a reader that never goes beyond its buffer. Ed25519 only: 32 bytes of key, 64 bytes of signature.
 */
import { createHash } from 'node:crypto'
import { encodeBase64 } from './base64.ts'
import { malformed } from './text-rules.ts'

export const ed25519Name = 'ssh-ed25519'

export function sshString(value: Uint8Array | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

export class SshReader {
  readonly #bytes: Buffer
  readonly #what: string
  #offset = 0

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#what = what
  }

  take(length: number): Buffer {
    const end = this.#offset + length
    if (end > this.#bytes.length) throw malformed(`${this.#what} is cut short`)
    const taken = this.#bytes.subarray(this.#offset, end)
    this.#offset = end
    return taken
  }

  uint32(): number {
    return this.take(4).readUInt32BE()
  }

  string(): Buffer {
    return this.take(this.uint32())
  }

  text(): string {
    return this.string().toString('latin1')
  }

  end(): void {
    if (this.#offset !== this.#bytes.length) throw malformed(`${this.#what} has bytes after its end`)
  }
}

/** The public key blob of RFC 8709 from 32 raw bytes. */
export function publicKeyBlob(raw: Uint8Array): Buffer {
  return Buffer.concat([sshString(ed25519Name), sshString(raw)])
}

/** 32 raw bytes from a public key blob. */
export function rawPublicKey(blob: Uint8Array, what: string): Buffer {
  const reader = new SshReader(blob, what)
  const type = reader.text()
  if (type !== ed25519Name)
    throw malformed(`${what} is of type ${JSON.stringify(type.slice(0, 40))}, not ${ed25519Name}`)
  const raw = reader.string()
  reader.end()
  if (raw.length !== 32) throw malformed(`${what} has ${raw.length} bytes of key instead of 32`)
  return raw
}

/** As `ssh-keygen -l` prints it: SHA256 of the blob, base64 without padding. */
export function fingerprintOf(raw: Uint8Array): string {
  const digest = createHash('sha256').update(publicKeyBlob(raw)).digest()
  return `SHA256:${encodeBase64(digest).replace(/=+$/, '')}`
}
