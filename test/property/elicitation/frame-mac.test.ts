import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createFrameMac, signBytes, signText } from '../../../src/engines/elicitation/frame-mac.ts'

const key = fc.uint8Array({ minLength: 32, maxLength: 32 })

it('equals HMAC-SHA256 of the library for any key and bytes, also across frames of changing length', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(key, fc.uint8Array({ maxLength: 600 })), { minLength: 1, maxLength: 8 }),
      (frames) => {
        for (const [bytes, signed] of frames) {
          const expected = createHmac('sha256', bytes).update(signed).digest('base64url')
          expect(signBytes(createFrameMac(bytes), signed)).toBe(expected)
        }
      },
    ),
  )
})

it('signs text as its UTF-8 bytes, whatever its characters', () => {
  fc.assert(
    fc.property(key, fc.string({ unit: 'binary', maxLength: 300 }), (bytes, text) => {
      const expected = createHmac('sha256', bytes).update(text, 'utf8').digest('base64url')
      expect(signText(createFrameMac(bytes), text)).toBe(expected)
    }),
  )
})

it('grows its scratch for a long frame and stays right for a short one after it', () => {
  const bytes = new Uint8Array(32).fill(7)
  const mac = createFrameMac(bytes)
  for (const signed of ['x'.repeat(100_000), 'é'.repeat(33_000), 'short', '']) {
    expect(signText(mac, signed)).toBe(createHmac('sha256', bytes).update(signed).digest('base64url'))
  }
})

it('keeps its own copy of the key', () => {
  const bytes = new Uint8Array(32).fill(1)
  const mac = createFrameMac(bytes)
  const before = signText(mac, 'frame')
  bytes.fill(2)
  expect(signText(mac, 'frame')).toBe(before)
  expect(signText(createFrameMac(bytes), 'frame')).not.toBe(before)
})

it('refuses a key of another length', () => {
  expect(() => createFrameMac(new Uint8Array(31))).toThrow(/32 bytes/)
})
