import { Duplex, PassThrough, type Writable } from 'node:stream'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import * as library from 'ws'
import { renewFrameScratch, textFrame, writeScratch } from '../../../src/engines/elicitation/websocket-frames.ts'

/** The type definitions do not know the receiver. */
const { Receiver } = library as typeof library & { Receiver: new (options: { isServer: boolean }) => Writable }

/** What the library's own receiver makes of the bytes, split anywhere. */
async function received(bytes: Buffer, cuts: readonly number[]): Promise<string[]> {
  const receiver = new Receiver({ isServer: false })
  const messages: string[] = []
  receiver.on('message', (data: Buffer, isBinary: boolean) => messages.push(`${isBinary} ${data.toString('utf8')}`))
  const source = new PassThrough()
  const done = new Promise((resolve, reject) => receiver.on('finish', resolve).on('error', reject))
  source.pipe(receiver)
  let from = 0
  for (const cut of cuts.map((each) => each % (bytes.length + 1)).toSorted((a, b) => a - b)) {
    source.write(bytes.subarray(from, cut))
    from = cut
  }
  source.end(bytes.subarray(from))
  await done
  return messages
}

it('is read back by the library, frame after frame, at every length form', async () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.integer({ min: 0, max: 65_535 }).map((length) => 'x'.repeat(length)),
    fc.constantFrom('x'.repeat(125), 'x'.repeat(126), 'x'.repeat(65_535), 'é'.repeat(63)),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(text, { maxLength: 4 }),
      fc.array(fc.nat(70_000), { maxLength: 4 }),
      async (texts, cuts) => {
        const frames = texts.map((each) => Buffer.from(textFrame(each) ?? ''))
        expect(await received(Buffer.concat(frames), cuts)).toEqual(texts.map((each) => `false ${each}`))
      },
    ),
    { numRuns: 60 },
  )
})

it('leaves longer texts to the library', () => {
  expect(textFrame('x'.repeat(65_536))).toBeNull()
  expect(textFrame('é'.repeat(32_768))).toBeNull()
})

it('never writes over bytes that a socket still holds', () => {
  const held: Buffer[] = []
  const releases: (() => void)[] = []
  const slow = new Duplex({
    read: () => undefined,
    write(bytes: Buffer, _encoding, taken) {
      held.push(bytes)
      releases.push(taken)
    },
  })
  let renewals = 0
  const send = (text: string): void =>
    writeScratch(slow, textFrame(text) ?? Buffer.alloc(0), () => {
      renewals++
      renewFrameScratch()
    })
  for (const text of ['first', 'second', 'third']) send(text)
  textFrame('overwritten')
  for (let turn = 0; turn < 3; turn++) releases[turn]?.()
  expect(held.map((bytes) => bytes.subarray(2).toString())).toEqual(['first', 'second', 'third'])
  // Only the first was written from the scratch buffer; the others are copies of their own size.
  expect(renewals).toBe(1)
  // A copy from the pool would keep 64 KiB alive until the socket takes it.
  for (const bytes of held.slice(1)) expect(bytes.buffer.byteLength).toBe(bytes.length)
})
