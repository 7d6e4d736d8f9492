/** One direction of one connection, on virtual time: when what comes out, exactly. */
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../../src/platform/random.ts'
import { PipeFixture } from './pipe-fixture.ts'

/** Sends `text` in chunks of `size`, one every `gapMs`. */
function sendEvery(fixture: PipeFixture, text: string, size: number, gapMs: number): void {
  for (let from = 0; from < text.length; from += size) {
    fixture.send(text.slice(from, from + size))
    fixture.time.advance(gapMs)
  }
}

function expectConserved(fixture: PipeFixture): void {
  const { received, forwarded, dropped, discarded, held } = fixture.pipe.bytes
  expect(received).toBe(forwarded + dropped + discarded + held)
}

test('without toxics everything passes at once', () => {
  const fixture = new PipeFixture()
  fixture.send('ab')
  fixture.send('c')
  fixture.pipe.end()
  expect(fixture.log).toEqual(['0 ab', '0 c', '0 end'])
  expect(fixture.pipe.bytes).toEqual({ received: 3, forwarded: 3, dropped: 0, discarded: 0, held: 0 })
})

describe('latency', () => {
  test('delays each chunk and the end by exactly its time', () => {
    const fixture = new PipeFixture()
    const key = fixture.add({ type: 'latency', latencyMs: 100 })
    sendEvery(fixture, 'abc', 1, 30)
    fixture.pipe.end()
    fixture.time.advance(1000)
    expect(fixture.log).toEqual(['100 a', '130 b', '160 c', '190 end'])
    expect(fixture.counts(key)).toMatchObject({ bytesDelayed: 3, endsDelayed: 1, connectionsAffected: 1 })
  })

  test('adds up over toxics', () => {
    const fixture = new PipeFixture()
    for (const latencyMs of [100, 20, 3]) fixture.add({ type: 'latency', name: `l${latencyMs}`, latencyMs })
    sendEvery(fixture, 'ab', 1, 1)
    fixture.time.advance(1000)
    expect(fixture.log).toEqual(['123 a', '124 b'])
  })

  test('with jitter stays within its bounds, never overtakes and follows the seed', () => {
    const text = Array.from({ length: 200 }, (_, index) => String.fromCharCode(33 + (index % 90))).join('')
    const run = (seed: string): PipeFixture => {
      const fixture = new PipeFixture()
      fixture.add({ type: 'latency', latencyMs: 50, jitterMs: 40 }, seed)
      sendEvery(fixture, text, 1, 1)
      fixture.time.advance(1000)
      return fixture
    }
    const fixture = run('a')
    expect(fixture.text).toBe(text)
    // Independently: each is due at arrival + (50 ± 40) ms of its draw, and leaves no earlier than the one before it.
    const draws = seededRandom('a/0')
    let lastMs = 0
    const expected = Array.from(text, (letter, index) => {
      const dueMs = index + 50 + (2 * draws.uniform() - 1) * 40
      // A timer waits whole milliseconds from when the chunk became the first in the queue.
      const fromMs = Math.max(index, lastMs)
      lastMs = dueMs > fromMs ? fromMs + Math.ceil(dueMs - fromMs) : fromMs
      return `${lastMs} ${letter}`
    })
    expect(fixture.log).toEqual(expected)
    expect(run('a').log).toEqual(fixture.log)
    expect(run('b').log).not.toEqual(fixture.log)
  })

  test('of zero touches nothing and says so', () => {
    const fixture = new PipeFixture()
    const key = fixture.add({ type: 'latency', latencyMs: 0 })
    fixture.send('a')
    expect(fixture.log).toEqual(['0 a'])
    expect(fixture.counts(key)).toMatchObject({ connectionsChosen: 1, connectionsAffected: 0, firstAffectedAtNs: null })
  })

  test('when removed lets go of what waits, in order, and of nothing twice', () => {
    const fixture = new PipeFixture()
    const key = fixture.add({ type: 'latency', latencyMs: 100 })
    sendEvery(fixture, 'abc', 1, 30)
    fixture.pipe.end()
    fixture.pipe.remove(key)
    fixture.time.advance(1000)
    expect(fixture.log).toEqual(['90 a', '90 b', '90 c', '90 end'])
    expect(fixture.counts(key)).toMatchObject({ bytesDelayed: 3, endsDelayed: 1 })
    expect(fixture.time.timers()).toBe(0)
  })
})

describe('bandwidth', () => {
  test('paces a burst exactly: byte k leaves by k/rate', () => {
    const fixture = new PipeFixture()
    const key = fixture.add({ type: 'bandwidth', bytesPerSecond: 1000 })
    fixture.send('x'.repeat(250))
    fixture.send('y'.repeat(130))
    fixture.time.advance(1000)
    const sizes = fixture.seen.map(({ atMs, text }) => [atMs, text.length])
    expect(sizes).toEqual([
      [100, 100],
      [200, 100],
      [250, 50],
      [350, 100],
      [380, 30],
    ])
    expect(fixture.counts(key).bytesDelayed).toBe(380)
  })

  test('does not let fractions of a millisecond add up', () => {
    const fixture = new PipeFixture()
    fixture.add({ type: 'bandwidth', bytesPerSecond: 7 })
    fixture.send('z'.repeat(700))
    fixture.time.advance(99_999)
    expect(fixture.text.length).toBe(699)
    fixture.time.advance(1)
    expect(fixture.text.length).toBe(700)
    for (const [index, { atMs }] of fixture.seen.entries()) {
      const dueMs = ((index + 1) * 1000) / 7
      expect(atMs).toBeGreaterThanOrEqual(dueMs - 1e-6)
      expect(atMs).toBeLessThan(dueMs + 1.000001)
    }
  })

  test('gives an idle line no credit', () => {
    const fixture = new PipeFixture()
    fixture.add({ type: 'bandwidth', bytesPerSecond: 1000 })
    fixture.send('a'.repeat(50))
    fixture.time.advance(10_000)
    fixture.send('b'.repeat(50))
    fixture.time.advance(10_000)
    expect(fixture.seen.map(({ atMs }) => atMs)).toEqual([50, 10_050])
  })

  test('follows a latency: transmission starts when the bytes arrive there', () => {
    const fixture = new PipeFixture()
    fixture.add({ type: 'latency', latencyMs: 500 })
    fixture.add({ type: 'bandwidth', bytesPerSecond: 100 })
    fixture.send('a'.repeat(10))
    fixture.pipe.end()
    fixture.time.advance(10_000)
    expect(fixture.log).toEqual([`600 ${'a'.repeat(10)}`, '600 end'])
  })
})

describe('slow_close', () => {
  test('delays the end alone', () => {
    const fixture = new PipeFixture()
    const key = fixture.add({ type: 'slow_close', delayMs: 400 })
    fixture.send('a')
    fixture.time.advance(10)
    fixture.pipe.end()
    fixture.time.advance(1000)
    expect(fixture.log).toEqual(['0 a', '410 end'])
    expect(fixture.counts(key)).toMatchObject({ bytesDelayed: 0, endsDelayed: 1 })
  })
})

describe('slicer', () => {
  test('cuts into equal pieces at an even pace', () => {
    const fixture = new PipeFixture()
    const key = fixture.add({ type: 'slicer', averageBytes: 4, delayMs: 10 })
    fixture.send('abcdefghij')
    fixture.send('kl')
    fixture.pipe.end()
    fixture.time.advance(1000)
    expect(fixture.log).toEqual(['0 abcd', '10 efgh', '20 ij', '30 kl', '30 end'])
    expect(fixture.counts(key)).toMatchObject({ cuts: 2, bytesDelayed: 8 })
  })

  test('varies sizes within bounds, by the seed', () => {
    const run = (seed: string): string[] => {
      const fixture = new PipeFixture()
      fixture.add({ type: 'slicer', averageBytes: 10, variationBytes: 9 }, seed)
      fixture.send('q'.repeat(20_000))
      expect(fixture.text.length).toBe(20_000)
      return fixture.seen.map(({ text }) => text)
    }
    const sizes = run('a').map((text) => text.length)
    expect(Math.max(...sizes)).toBe(19)
    expect(Math.min(...sizes)).toBe(1)
    expect(run('a')).toEqual(run('a'))
    expect(run('b')).not.toEqual(run('a'))
  })

  test('stops cutting while too many chunks wait behind it, and goes on by itself', () => {
    const fixture = new PipeFixture({ maxHeldChunks: 8 }, 4)
    const key = fixture.add({ type: 'slicer', averageBytes: 1 })
    const text = 'abcdefghijklmnopqrstuvwxyz'
    fixture.send(text)
    // Four bytes fill the sink, eight chunks wait for it, the rest is still one chunk in the slicer.
    expect(fixture.text).toBe('abcd')
    expect(fixture.pipe.bytes.held).toBe(22)
    expect(fixture.counts(key).cuts).toBe(12)
    for (let turn = 0; turn < 10; turn++) fixture.drain()
    expect(fixture.text).toBe(text)
    expect(fixture.seen.every((seen) => seen.text.length === 1)).toBe(true)
    expect(fixture.pipe.bytes.held).toBe(0)
  })

  test('goes on by itself when a delay behind it, not the sink, makes the room', () => {
    const fixture = new PipeFixture({ maxHeldChunks: 4 })
    fixture.add({ type: 'slicer', averageBytes: 1 })
    fixture.add({ type: 'latency', latencyMs: 10 })
    fixture.send('abcdefghij')
    fixture.time.advance(1000)
    expect(fixture.text).toBe('abcdefghij')
    expect(fixture.time.timers()).toBe(0)
  })
})

describe('freeze', () => {
  test('holds everything and releases it in order', () => {
    const fixture = new PipeFixture()
    const key = fixture.add({ type: 'freeze' })
    sendEvery(fixture, 'abcdef', 2, 1000)
    fixture.pipe.end()
    expect(fixture.log).toEqual([])
    expect(fixture.pipe.bytes.held).toBe(6)
    // It can be seen to have bitten while it lasts.
    expect(fixture.counts(key)).toMatchObject({ bytesDelayed: 6, endsDelayed: 1, firstAffectedAtNs: 0 })
    fixture.pipe.remove(key)
    expect(fixture.log).toEqual(['3000 ab', '3000 cd', '3000 ef', '3000 end'])
    expect(fixture.counts(key)).toMatchObject({ bytesDelayed: 6, endsDelayed: 1 })
    expect(fixture.time.timers()).toBe(0)
  })

  test('releases into the toxics behind it', () => {
    const fixture = new PipeFixture()
    const key = fixture.add({ type: 'freeze' })
    fixture.add({ type: 'bandwidth', bytesPerSecond: 10 })
    sendEvery(fixture, 'ab', 1, 500)
    fixture.pipe.remove(key)
    fixture.time.advance(1000)
    expect(fixture.log).toEqual(['1100 a', '1200 b'])
  })

  test('holds the source back at the cap, and lets it on again below half of it', () => {
    const fixture = new PipeFixture({ maxHeldBytes: 100 })
    const key = fixture.add({ type: 'freeze' })
    fixture.send('a'.repeat(99))
    expect(fixture.paused).toBe(false)
    fixture.send('b')
    expect(fixture.paused).toBe(true)
    fixture.pipe.remove(key)
    expect(fixture.paused).toBe(false)
    expect(fixture.pauses).toBe(1)
  })

  test('bounds the number of chunks as well', () => {
    const fixture = new PipeFixture({ maxHeldChunks: 10 })
    fixture.add({ type: 'freeze' })
    for (let chunk = 0; chunk < 9; chunk++) fixture.send('a')
    expect(fixture.paused).toBe(false)
    fixture.send('a')
    expect(fixture.paused).toBe(true)
  })
})

describe('backpressure', () => {
  test('reaches from a sink that is full to the source, and back', () => {
    const fixture = new PipeFixture({ maxHeldBytes: 8 }, 4)
    fixture.send('abcd')
    fixture.send('efgh')
    expect(fixture.paused).toBe(false)
    fixture.send('ij')
    fixture.send('kl')
    fixture.pipe.end()
    expect(fixture.paused).toBe(true)
    expect(fixture.text).toBe('abcd')
    fixture.drain()
    expect(fixture.text).toBe('abcdefgh')
    expect(fixture.paused).toBe(false)
    fixture.drain()
    expect(fixture.log).toEqual(['0 abcd', '0 efgh', '0 ij', '0 kl', '0 end'])
  })

  test('a slow line lets the source on when half is gone', () => {
    const fixture = new PipeFixture({ maxHeldBytes: 100 })
    fixture.add({ type: 'bandwidth', bytesPerSecond: 100 })
    fixture.send('a'.repeat(100))
    fixture.time.advance(499)
    expect(fixture.paused).toBe(true)
    fixture.time.advance(1)
    expect(fixture.paused).toBe(false)
  })

  test('a sink that is gone holds nothing up', () => {
    const fixture = new PipeFixture({ maxHeldBytes: 10 }, 1)
    fixture.send('a')
    fixture.send('b'.repeat(20))
    expect(fixture.paused).toBe(true)
    fixture.pipe.lostSink()
    expect(fixture.paused).toBe(false)
    fixture.send('c')
    fixture.pipe.end()
    expect(fixture.log).toEqual(['0 a'])
    expect(fixture.pipe.bytes).toEqual({ received: 22, forwarded: 1, dropped: 0, discarded: 21, held: 0 })
  })
})

describe.each([
  ['black_hole', { type: 'black_hole' }],
  ['one_way', { type: 'one_way' }],
] as const)('%s', (_, input) => {
  test('swallows bytes and ends, and resets when removed what it has deprived', () => {
    const fixture = new PipeFixture()
    fixture.send('before')
    const key = fixture.add(input)
    fixture.send('lost')
    fixture.pipe.end()
    fixture.time.advance(1000)
    expect(fixture.log).toEqual(['0 before'])
    expect(fixture.counts(key)).toMatchObject({ bytesDropped: 4, endsDropped: 1, resets: 0 })
    expectConserved(fixture)
    fixture.pipe.remove(key)
    expect(fixture.log).toEqual(['0 before', '1000 connection reset'])
    expect(fixture.counts(key).resets).toBe(1)
  })

  test('leaves alone when removed what it has deprived of nothing', () => {
    const fixture = new PipeFixture()
    const key = fixture.add(input)
    fixture.pipe.remove(key)
    fixture.send('after')
    expect(fixture.log).toEqual(['0 after'])
    expect(fixture.counts(key)).toMatchObject({ connectionsChosen: 1, connectionsAffected: 0 })
  })
})

describe('timeout', () => {
  test('drops, and closes after its time', () => {
    const fixture = new PipeFixture()
    const key = fixture.add({ type: 'timeout', timeoutMs: 250 })
    fixture.send('lost')
    fixture.time.advance(1000)
    expect(fixture.log).toEqual(['250 connection closed'])
    expect(fixture.counts(key)).toMatchObject({ bytesDropped: 4, closes: 1 })
    expect(fixture.time.timers()).toBe(0)
  })

  test('of zero holds for ever, and closes when it is removed', () => {
    const fixture = new PipeFixture()
    const key = fixture.add({ type: 'timeout', timeoutMs: 0 })
    fixture.send('lost')
    fixture.time.advance(3_600_000)
    expect(fixture.log).toEqual([])
    fixture.pipe.remove(key)
    expect(fixture.log).toEqual(['3600000 connection closed'])
    expect(fixture.counts(key).closes).toBe(1)
  })
})

describe('reset_peer', () => {
  test('resets its time after the first chunk, not before', () => {
    const fixture = new PipeFixture()
    const key = fixture.add({ type: 'reset_peer', timeoutMs: 100 })
    fixture.time.advance(5000)
    expect(fixture.log).toEqual([])
    fixture.send('lost')
    fixture.time.advance(60)
    fixture.send('lost too')
    fixture.time.advance(1000)
    expect(fixture.log).toEqual(['5100 connection reset'])
    expect(fixture.counts(key)).toMatchObject({ bytesDropped: 12, resets: 1 })
    expect(fixture.time.timers()).toBe(0)
  })

  test('of zero resets at the first chunk', () => {
    const fixture = new PipeFixture()
    const key = fixture.add({ type: 'reset_peer', timeoutMs: 0 })
    fixture.send('lost')
    expect(fixture.log).toEqual(['0 connection reset'])
    expect(fixture.counts(key).resets).toBe(1)
    expectConserved(fixture)
  })

  test('when removed before its time resets what it has deprived, once', () => {
    const fixture = new PipeFixture()
    const key = fixture.add({ type: 'reset_peer', timeoutMs: 100 })
    fixture.send('lost')
    fixture.pipe.remove(key)
    fixture.time.advance(1000)
    expect(fixture.log).toEqual(['0 connection reset'])
    expect(fixture.counts(key).resets).toBe(1)
  })
})

describe('limit_data', () => {
  test('passes exactly its bytes, then closes', () => {
    const fixture = new PipeFixture()
    const key = fixture.add({ type: 'limit_data', bytes: 5 })
    fixture.send('abc')
    fixture.send('defg')
    fixture.send('h')
    expect(fixture.log).toEqual(['0 abc', '0 de', '0 connection closed'])
    expect(fixture.counts(key)).toMatchObject({ bytesDropped: 2, closes: 1 })
    expectConserved(fixture)
  })

  test('closes as soon as the limit is reached, and only then', () => {
    const fixture = new PipeFixture()
    fixture.add({ type: 'limit_data', bytes: 3 })
    fixture.send('ab')
    expect(fixture.log).toEqual(['0 ab'])
    fixture.send('c')
    expect(fixture.log).toEqual(['0 ab', '0 c', '0 connection closed'])
  })

  test('closes behind the bytes that a later toxic delays', () => {
    const fixture = new PipeFixture()
    fixture.add({ type: 'limit_data', bytes: 2 })
    fixture.add({ type: 'latency', latencyMs: 70 })
    fixture.send('abcd')
    fixture.time.advance(1000)
    expect(fixture.log).toEqual(['70 ab', '70 connection closed'])
  })
})

describe('corrupt', () => {
  test('flips one bit in its share of chunks, by the seed', () => {
    const run = (seed: string, chunkShare: number): { differing: number[]; bytesCorrupted: number } => {
      const fixture = new PipeFixture()
      const key = fixture.add({ type: 'corrupt', chunkShare }, seed)
      const chunk = 'U'.repeat(64)
      for (let sent = 0; sent < 1000; sent++) fixture.send(chunk)
      const differing = fixture.seen.map(({ text }) => {
        let bits = 0
        for (const letter of text) {
          for (let rest = letter.charCodeAt(0) ^ 0x55; rest > 0; rest >>= 1) bits += rest & 1
        }
        return bits
      })
      expect(fixture.text.length).toBe(64_000)
      return { differing, bytesCorrupted: fixture.counts(key).bytesCorrupted }
    }
    const some = run('a', 0.25)
    const flipped = some.differing.filter((bits) => bits === 1).length
    expect(some.differing.every((bits) => bits <= 1)).toBe(true)
    expect(some.bytesCorrupted).toBe(flipped)
    // Five standard deviations of a binomial of 1,000 draws at 0.25.
    expect(Math.abs(flipped - 250)).toBeLessThan(69)
    expect(run('a', 0.25)).toEqual(some)
    expect(run('b', 0.25)).not.toEqual(some)
    expect(run('a', 1).bytesCorrupted).toBe(1000)
    expect(run('a', 0).bytesCorrupted).toBe(0)
  })

  test('does not write into the bytes it was given', () => {
    const fixture = new PipeFixture()
    fixture.add({ type: 'corrupt', chunkShare: 1 })
    const given = Buffer.from('given')
    fixture.pipe.accept(given)
    expect(given.toString()).toBe('given')
    expect(fixture.text).not.toBe('given')
  })
})

describe('a source that breaks off', () => {
  test('is told behind what a toxic delays, and ahead of what the sink cannot take', () => {
    const fixture = new PipeFixture({}, 1)
    fixture.add({ type: 'latency', latencyMs: 40 })
    fixture.send('a')
    fixture.send('b')
    fixture.pipe.reset()
    fixture.time.advance(1000)
    expect(fixture.log).toEqual(['40 a', '40 reset'])
    expect(fixture.pipe.bytes).toEqual({ received: 2, forwarded: 1, dropped: 0, discarded: 1, held: 0 })
  })

  test('is not told through a hole', () => {
    const fixture = new PipeFixture()
    const key = fixture.add({ type: 'one_way' })
    fixture.pipe.reset()
    expect(fixture.log).toEqual([])
    expect(fixture.counts(key).endsDropped).toBe(1)
  })
})

test('a disposed pipe has no timer, holds nothing and takes nothing', () => {
  const fixture = new PipeFixture()
  const keys = [
    fixture.add({ type: 'latency', latencyMs: 10 }),
    fixture.add({ type: 'timeout', timeoutMs: 500, stream: 'upstream' }),
    fixture.add({ type: 'freeze' }),
  ]
  fixture.send('abc')
  fixture.pipe.dispose()
  fixture.send('d')
  fixture.pipe.end()
  for (const key of keys) fixture.pipe.remove(key)
  fixture.time.advance(10_000)
  expect(fixture.time.timers()).toBe(0)
  expect(fixture.log).toEqual([])
  expect(fixture.pipe.bytes).toEqual({ received: 4, forwarded: 0, dropped: 0, discarded: 4, held: 0 })
})
