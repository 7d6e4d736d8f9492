/**
 * Whatever is sent, and whichever toxics come and go: without lossy ones the bytes arrive unchanged, in order and once,
 * the end behind them; with any toxics at all what arrives is accounted for to the byte and the pipe stays within its
 * bound. A stage that swaps, one that loses and one that repeats are planted to show that the check can fail.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Passage, Stage, StagePort } from '../../../src/faults/stage.ts'
import { isLossless, type ToxicInput } from '../../../src/faults/toxics.ts'
import { PipeFixture } from '../../unit/faults/pipe-fixture.ts'
import { ProxyFixture, until } from '../../unit/faults/proxy-fixture.ts'

const lossless: fc.Arbitrary<ToxicInput> = fc.oneof(
  fc.record({ latencyMs: fc.nat(500), percent: fc.nat(100) }).map(({ latencyMs, percent }) => ({
    type: 'latency' as const,
    latencyMs,
    jitterMs: Math.floor((latencyMs * percent) / 100),
  })),
  fc.record({ type: fc.constant('bandwidth' as const), bytesPerSecond: fc.integer({ min: 300, max: 100_000 }) }),
  fc.record({ type: fc.constant('slow_close' as const), delayMs: fc.nat(500) }),
  fc
    .record({ averageBytes: fc.integer({ min: 1, max: 50 }), percent: fc.nat(99), delayMs: fc.nat(3) })
    .map((drawn) => ({
      type: 'slicer' as const,
      averageBytes: drawn.averageBytes,
      variationBytes: Math.floor((drawn.averageBytes * drawn.percent) / 100),
      delayMs: drawn.delayMs,
    })),
  fc.constant({ type: 'freeze' as const }),
)

const lossy: fc.Arbitrary<ToxicInput> = fc.oneof(
  fc.record({ type: fc.constant('timeout' as const), timeoutMs: fc.nat(300) }),
  fc.record({ type: fc.constant('reset_peer' as const), timeoutMs: fc.nat(300) }),
  fc.record({ type: fc.constant('limit_data' as const), bytes: fc.nat(500) }),
  fc.constant({ type: 'black_hole' as const }),
  fc.constant({ type: 'one_way' as const }),
  fc.record({ type: fc.constant('corrupt' as const), chunkShare: fc.double({ min: 0, max: 1, noNaN: true }) }),
)

type Step =
  | { readonly do: 'send'; readonly bytes: number }
  | { readonly do: 'sleep'; readonly ms: number }
  | { readonly do: 'drain' }
  | { readonly do: 'add'; readonly toxic: ToxicInput }
  | { readonly do: 'remove'; readonly which: number }

const stepsWith = (toxic: fc.Arbitrary<ToxicInput>): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ do: fc.constant('send' as const), bytes: fc.integer({ min: 1, max: 200 }) }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('sleep' as const), ms: fc.nat(200) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('add' as const), toxic }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), which: fc.nat(20) }) },
      { weight: 1, arbitrary: fc.constant({ do: 'drain' as const }) },
    ),
    { maxLength: 60 },
  )

const bounds = { maxHeldBytes: 600, maxHeldChunks: 40 }
const largestChunkBytes = 200

interface Outcome {
  readonly fixture: PipeFixture
  readonly sent: string
}

function expectConserved({ pipe }: PipeFixture): void {
  const { received, forwarded, dropped, discarded, held } = pipe.bytes
  expect(received).toBe(forwarded + dropped + discarded + held)
  expect(held).toBeGreaterThanOrEqual(0)
}

/** Runs the script with a source that sends only while it may, then removes all toxics and drains. */
function run(script: readonly Step[], sinkBytes: number, planted?: (port: StagePort) => Stage): Outcome {
  const fixture = new PipeFixture(bounds, sinkBytes)
  if (planted !== undefined) fixture.pipe.insert(1_000_000, planted)
  const present: number[] = []
  let sent = ''
  for (const step of script) {
    if (step.do === 'send' && !fixture.paused) {
      // Letters in turn, so that a swap shows.
      const text = Array.from({ length: step.bytes }, (_, at) => String.fromCharCode((sent.length + at) % 251)).join('')
      sent += text
      fixture.send(text)
    } else if (step.do === 'sleep') fixture.time.advance(step.ms)
    else if (step.do === 'drain') fixture.drain()
    else if (step.do === 'add') present.push(fixture.add(step.toxic))
    else if (step.do === 'remove' && present.length > 0) {
      for (const key of present.splice(step.which % present.length, 1)) fixture.pipe.remove(key)
    }
    expectConserved(fixture)
    expect(fixture.pipe.bytes.held).toBeLessThan(bounds.maxHeldBytes + largestChunkBytes)
  }
  fixture.pipe.end()
  // Half of them go while the end is on its way, the rest when time has passed; a freeze would hold it for ever.
  for (const key of present.splice(0, present.length >> 1)) fixture.pipe.remove(key)
  fixture.time.advance(10)
  for (const key of present) fixture.pipe.remove(key)
  for (let turn = 0; turn < 2000 && fixture.pipe.bytes.held > 0; turn++) fixture.drain()
  fixture.drain()
  return { fixture, sent }
}

function expectIntact({ fixture, sent }: Outcome): void {
  expect(fixture.text).toBe(sent)
  expect(fixture.seen.map(({ what }) => what).filter((what) => what !== 'bytes')).toEqual(['end'])
  expect(fixture.seen.at(-1)?.what).toBe('end')
  expect(fixture.pipe.bytes).toMatchObject({ forwarded: sent.length, dropped: 0, discarded: 0, held: 0 })
  expect(fixture.paused).toBe(false)
  expect(fixture.time.timers()).toBe(0)
}

const sinkBytes = fc.constantFrom(1, 50, 1000, Infinity)

describe('a pipe', () => {
  test('without toxics, or with lossless ones that come and go, delivers everything unchanged and in order', () => {
    fc.assert(
      fc.property(stepsWith(lossless), sinkBytes, (script, size) => expectIntact(run(script, size))),
      { numRuns: 400 },
    )
  })

  test('empties itself without a removal, as time passes, unless frozen', () => {
    const moving = stepsWith(lossless.filter(({ type }) => type !== 'freeze')).map((script) =>
      script.filter((step) => step.do !== 'remove'),
    )
    fc.assert(
      fc.property(moving, (script) => {
        const fixture = new PipeFixture(bounds)
        let sent = ''
        for (const step of script) {
          if (step.do === 'add') fixture.add(step.toxic)
          else if (step.do === 'sleep') fixture.time.advance(step.ms)
          else if (step.do === 'send' && !fixture.paused) {
            const text = String.fromCharCode(sent.length % 251).repeat(step.bytes)
            sent += text
            fixture.send(text)
          }
        }
        fixture.pipe.end()
        fixture.time.advance(10_000_000)
        expectIntact({ fixture, sent })
      }),
      { numRuns: 200 },
    )
  })

  test('with any toxics accounts for every byte, stays within its bound and leaves no timer', () => {
    fc.assert(
      fc.property(stepsWith(fc.oneof(lossless, lossy)), sinkBytes, (script, size) => {
        const { fixture, sent } = run(script, size)
        expectConserved(fixture)
        expect(fixture.pipe.bytes).toMatchObject({ received: sent.length, held: 0 })
        expect(fixture.pipe.bytes.forwarded).toBe(fixture.text.length)
        expect(fixture.time.timers()).toBe(0)
      }),
      { numRuns: 400 },
    )
  })

  test('the arbitraries cover what is lossless, and only that', () => {
    for (const { type } of fc.sample(lossless, 200)) expect(isLossless(type)).toBe(true)
    for (const { type } of fc.sample(lossy, 200)) expect(isLossless(type)).toBe(false)
  })
})

/** Passes on what `alter` makes of each chunk. */
function planted(alter: (chunk: Passage, port: StagePort) => void): (port: StagePort) => Stage {
  return (port) => ({
    waiting: 0,
    accept: (passage) => (passage.kind === 'bytes' ? alter(passage, port) : port.emit(passage)),
    proceed: () => undefined,
    release: () => undefined,
    dispose: () => undefined,
  })
}

describe('the check catches a stage', () => {
  const script: Step[] = [
    { do: 'send', bytes: 3 },
    { do: 'send', bytes: 4 },
    { do: 'send', bytes: 5 },
  ]

  test('that passes everything on: it is not caught', () => {
    expectIntact(
      run(
        script,
        Infinity,
        planted((chunk, port) => port.emit(chunk)),
      ),
    )
  })

  test('that swaps two chunks', () => {
    const held: Passage[] = []
    const swap = planted((chunk, port) => {
      held.push(chunk)
      if (held.length === 2) for (const swapped of [held[1], held[0]]) if (swapped !== undefined) port.emit(swapped)
      if (held.length > 2) port.emit(chunk)
    })
    expect(() => expectIntact(run(script, Infinity, swap))).toThrow()
  })

  test('that loses one', () => {
    let count = 0
    const lose = planted((chunk, port) => {
      if (++count !== 2) port.emit(chunk)
      else port.dropped(4)
    })
    expect(() => expectIntact(run(script, Infinity, lose))).toThrow()
  })

  test('that repeats one, already in the account of bytes', () => {
    const twice = planted((chunk, port) => {
      port.emit(chunk)
      port.emit(chunk)
    })
    expect(() => run(script, Infinity, twice)).toThrow()
  })
})

test('on real sockets, both ways at once, bytes come back unchanged through lossless toxics', async () => {
  const quick: fc.Arbitrary<ToxicInput> = fc.oneof(
    fc.record({ type: fc.constant('latency' as const), latencyMs: fc.nat(5), stream: fc.constant('both' as const) }),
    fc.record({ type: fc.constant('slicer' as const), averageBytes: fc.integer({ min: 100, max: 5000 }) }),
    fc.record({ type: fc.constant('slow_close' as const), delayMs: fc.nat(5) }),
    fc.record({
      type: fc.constant('bandwidth' as const),
      bytesPerSecond: fc.integer({ min: 20_000_000, max: 100_000_000 }),
    }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(quick, { maxLength: 4, selector: ({ type }) => type }),
      fc.uint8Array({ minLength: 0, maxLength: 2000 }),
      async (toxics, pattern) => {
        const fixture = await ProxyFixture.start(true)
        try {
          const proxy = await fixture.proxy({ maxHeldBytes: 20_000 })
          for (const toxic of toxics) proxy.addToxic(toxic)
          const client = fixture.dial(proxy.port)
          const sent = Buffer.concat(Array.from({ length: 100 }, () => pattern))
          client.socket.end(sent)
          await until(() => client.closed, 'the echo and its end')
          expect(client.error).toBe(null)
          expect(Buffer.concat(client.chunks).equals(sent)).toBe(true)
          await until(() => proxy.connections() === 0, 'the connection to be over')
        } finally {
          await fixture.stop()
        }
        expect(fixture.scheduler.pending).toBe(0)
      },
    ),
    { numRuns: 15 },
  )
})
