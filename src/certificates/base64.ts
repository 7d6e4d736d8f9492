/**
 * Strict base64 (RFC 4648 §4): full padding, no white space, no characters outside the alphabet, zero trailing
 * bits. `Buffer.from` accepts junk, and what two decoders read differently can be signed as one and shown as another.
 */
import { malformed } from './text-rules.ts'

export function decodeBase64(text: string, what: string): Uint8Array {
  let bytes: Uint8Array
  try {
    bytes = Uint8Array.fromBase64(text, { alphabet: 'base64', lastChunkHandling: 'strict' })
  } catch (cause) {
    throw malformed(`${what} is not strict base64`, cause)
  }
  // The engine's decoder skips ASCII white space; encoding again does not.
  if (encodeBase64(bytes) !== text) throw malformed(`${what} is not strict base64`)
  return bytes
}

export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/**
 * For the signature of an envelope, which DSSE allows in the URL-safe alphabet too: one alphabet per text,
 * padded or not, otherwise as strict.
 */
export function decodeAnyBase64(text: string, what: string): Uint8Array {
  if (!/[-_]/.test(text) && text.length % 4 === 0) return decodeBase64(text, what)
  if (/[+/]/.test(text)) throw malformed(`${what} mixes base64 alphabets`)
  const standard = text.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '')
  const padded = standard + '='.repeat((4 - (standard.length % 4)) % 4)
  const padding = text.length - text.replace(/=+$/, '').length
  if (padding !== 0 && padded.length !== text.length) throw malformed(`${what} is not strict base64`)
  return decodeBase64(padded, what)
}
