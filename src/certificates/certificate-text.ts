/**
 * The frame of a certificate's Markdown: the signed body, then exactly one SSHSIG block, a closing fence, the end
 * of the file. What is signed is every byte before the BEGIN line. The frame is judged on the text as a whole, so
 * that nothing can follow the block, and no second block can stand in a quote, a table cell or a comment.
 */
import { limits } from './format.ts'
import { armourBegin, armourEnd, parseArmour, signSsh, type SshSignature } from './sshsig.ts'
import type { SigningKey } from './keys.ts'
import { decodeCertificateText, malformed } from './text-rules.ts'

export interface CertificateText {
  /** Ends in the line that opens the fence of the signature. */
  readonly body: string
  readonly signature: SshSignature
}

export const fenceOpen = '```text\n'
const fenceClose = '```\n'

export function signCertificateText(body: string, namespace: string, key: SigningKey): string {
  return `${body}${signSsh(Buffer.from(body, 'utf8'), namespace, key)}${fenceClose}`
}

export function parseCertificateText(bytes: Uint8Array, name: string): CertificateText {
  const text = decodeCertificateText(bytes, name)
  const begins = text.split(armourBegin).length - 1
  const ends = text.split(armourEnd).length - 1
  if (begins !== 1 || ends !== 1) {
    throw malformed(`${name} holds ${begins} beginnings and ${ends} ends of a signature instead of one each`)
  }
  const start = text.indexOf(armourBegin)
  const body = text.slice(0, start)
  if (!body.endsWith(`\n${fenceOpen}`))
    throw malformed(`the signature of ${name} does not stand alone in its code block`)
  const afterEnd = text.indexOf(armourEnd) + armourEnd.length
  if (text.slice(afterEnd) !== `\n${fenceClose}`) throw malformed(`${name} holds text after its signature`)
  if (afterEnd - start > limits.signoffBytes) throw malformed(`the signature of ${name} is too long`)
  return { body, signature: parseArmour(text.slice(start, afterEnd + 1), `the signature of ${name}`) }
}
