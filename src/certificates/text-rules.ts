/**
 * The byte rules of a certificate's Markdown, so that what a person sees, what is hashed and what is parsed
 * are one thing: UTF-8 without BOM, LF only, NFC, a final LF, no control characters, no bidirectional or
 * zero-width characters except U+FE0F directly after U+26A0 (the warning sign is two code points), a size cap.
 */
import { LighthouseError } from '../platform/errors.ts'
import { limits } from './format.ts'

const warningSign = 0x26a0
const emojiSelector = 0xfe0f

/** Invisible or reordering characters, and spaces other than U+0020 that look like it. */
const forbidden =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/u

/** True for a single character (code point) that a certificate may show. */
export function isAllowedCharacter(character: string): boolean {
  return character === '\n' || !forbidden.test(character)
}

export function malformed(message: string, cause?: unknown, suggestions: readonly string[] = []): LighthouseError {
  return new LighthouseError('MALFORMED_CERTIFICATE', message, {
    ...(cause === undefined ? {} : { cause }),
    suggestions,
  })
}

/** Decodes and checks; throws MALFORMED_CERTIFICATE with the line of the first offence. */
export function decodeCertificateText(bytes: Uint8Array, name: string): string {
  if (bytes.length > limits.markdownBytes) {
    throw malformed(`${name} has ${bytes.length} bytes; a certificate has at most ${limits.markdownBytes}`)
  }
  const text = decodeUtf8(bytes, name)
  checkTextRules(text, name)
  return text
}

/** Strict UTF-8: no replacement characters for bad sequences, and a BOM is kept so that the rules can reject it. */
export function decodeUtf8(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw malformed(`${name} is not UTF-8`, cause)
  }
}

export function checkTextRules(text: string, name: string): void {
  if (!text.endsWith('\n')) throw malformed(`${name} does not end in a line feed`)
  if (text.normalize('NFC') !== text) throw malformed(`${name} is not in Unicode normalisation form C`)
  let line = 1
  let previous = 0
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    if (code === 10) line += 1
    else if (forbidden.test(character) && !(code === emojiSelector && previous === warningSign)) {
      throw malformed(`${name} line ${line} holds the forbidden character U+${hexCode(code)}`)
    } else if (code >= 0xd800 && code <= 0xdfff) throw malformed(`${name} line ${line} holds a lone surrogate`)
    previous = code
  }
}

export function hexCode(code: number): string {
  return code.toString(16).toUpperCase().padStart(4, '0')
}
