/** The proxy on real sockets: who sees which bytes, FIN or RST, what is counted, and that nothing is left behind. */
import { connect, Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FaultConnection } from '../../../src/faults/fault-connection.ts'
import { seededRandom, shuffled } from '../../../src/platform/random.ts'
import { ProxyFixture, until, type End } from './proxy-fixture.ts'

let fixture: ProxyFixture

beforeEach(async () => {
  fixture = await ProxyFixture.start(false)
})

afterEach(async () => {
  await fixture.stop()
  expect(fixture.scheduler.pending).toBe(0)
})

describe('without toxics', () => {
  test('bytes pass both ways, and each end is told of by itself', async () => {
    const proxy = await fixture.proxy()
    const client = await fixture.client(proxy)
    const server = fixture.serverEnd(0)
    client.socket.end('question')
    await until(() => server.ended, 'the server to see the FIN')
    expect(server.text).toBe('question')
    expect(client.ended).toBe(false)
    server.socket.write('an answer after the FIN')
    await until(() => client.text === 'an answer after the FIN', 'the answer')
    server.socket.end()
    await until(() => client.closed && server.closed && proxy.connections() === 0, 'the connection to be over')
    expect([client.error, server.error]).toEqual([null, null])
    expect(proxy.stats()).toMatchObject({
      accepted: 1,
      open: 0,
      bytes: {
        upstream: { received: 8, forwarded: 8, dropped: 0, discarded: 0, held: 0 },
        downstream: { received: 23, forwarded: 23, dropped: 0, discarded: 0, held: 0 },
      },
    })
  })

  test('an RST of either side reaches the other as an RST', async () => {
    const proxy = await fixture.proxy()
    const first = await fixture.client(proxy)
    first.socket.resetAndDestroy()
    await until(() => fixture.serverEnd(0).closed, 'the server to be reset')
    expect(fixture.serverEnd(0).error).toBe('ECONNRESET')
    const second = await fixture.client(proxy)
    fixture.serverEnd(1).socket.resetAndDestroy()
    await until(() => second.closed, 'the client to be reset')
    expect(second.error).toBe('ECONNRESET')
    await until(() => proxy.connections() === 0, 'both to be over')
  })

  test('a reader that is slow holds the sender back, and gets everything in the end', async () => {
    const proxy = await fixture.proxy({ maxHeldBytes: 100_000 })
    const client = await fixture.client(proxy)
    const server = fixture.serverEnd(0)
    server.socket.pause()
    const sent = Buffer.alloc(40_000_000, 'unchanged')
    client.socket.end(sent)
    await until(() => proxy.stats().bytes.upstream.held >= 100_000, 'the cap')
    expect(proxy.stats().bytes.upstream.held).toBeLessThanOrEqual(100_000 + 65_536)
    expect(client.socket.writableLength).toBeGreaterThan(0)
    server.socket.resume()
    await until(() => server.ended, 'all of it')
    expect(Buffer.concat(server.chunks).equals(sent)).toBe(true)
  })

  test('the side that the proxy resets for the other counts as no end of its own', async () => {
    const proxy = await fixture.proxy()
    const client = await fixture.client(proxy)
    proxy.addToxic({ type: 'latency', latencyMs: 1 })
    client.socket.resetAndDestroy()
    await until(() => fixture.serverEnd(0).closed && proxy.connections() === 0, 'the end')
    expect(proxy.toxics()[0]?.counts).toMatchObject({ connectionsChosen: 1, connectionsAffected: 0, endsDelayed: 0 })
  })

  test('a server that does not listen is an RST for the client, and is counted', async () => {
    const gone = await ProxyFixture.start()
    const port = gone.serverPort
    await gone.stop()
    const proxy = await fixture.proxy({ upstream: { host: '127.0.0.1', port } })
    const client = fixture.dial(proxy.port)
    await until(() => client.closed, 'the client to be reset')
    expect(client.error).toBe('ECONNRESET')
    await until(() => proxy.connections() === 0, 'it to be over')
    expect(proxy.stats()).toMatchObject({ accepted: 1, dialsFailed: 1 })
  })

  test('connections beyond the most are closed and counted', async () => {
    const proxy = await fixture.proxy({ maxConnections: 2 })
    const first = await fixture.client(proxy)
    await fixture.client(proxy)
    const third = fixture.dial(proxy.port)
    await until(() => third.ended || third.closed, 'the third to be closed')
    expect(proxy.stats()).toMatchObject({ accepted: 2, refused: 1, open: 2 })
    first.socket.resetAndDestroy()
    await until(() => proxy.connections() === 1, 'room')
    await fixture.client(proxy)
    expect(proxy.connections()).toBe(2)
  })
})

describe('disable and enable', () => {
  test('new connections are refused, open ones go on, and the port stays', async () => {
    const proxy = await fixture.proxy()
    const { port } = proxy
    const client = await fixture.client(proxy)
    proxy.disable()
    const refused = fixture.dial(port)
    await until(() => refused.closed, 'the refusal')
    expect(refused.error).toBe('ECONNREFUSED')
    client.socket.write('still here')
    await until(() => fixture.serverEnd(0).text === 'still here', 'bytes of the open connection')
    await proxy.enable()
    expect(proxy.port).toBe(port)
    const again = await fixture.client(proxy)
    again.socket.write('back')
    await until(() => fixture.serverEnd(1).text === 'back', 'bytes of the new connection')
  })

  test('the last word holds, however fast they follow each other', async () => {
    const proxy = await fixture.proxy()
    proxy.disable()
    const enabling = proxy.enable()
    proxy.disable()
    await enabling
    const refused = fixture.dial(proxy.port)
    await until(() => refused.closed, 'the refusal')
    expect(refused.error).toBe('ECONNREFUSED')
    const first = proxy.enable()
    proxy.disable()
    const last = proxy.enable()
    await Promise.all([first, last])
    await fixture.client(proxy)
    expect(proxy.connections()).toBe(1)
  })

  test('a port that is taken is said to be', async () => {
    const start = fixture.proxy({ port: fixture.serverPort })
    await expect(start).rejects.toThrow(`cannot listen on 127.0.0.1:${fixture.serverPort}`)
    await expect(start).rejects.toMatchObject({ code: 'ENVIRONMENT' })
  })
})

describe('resetConnections', () => {
  async function victims(seed: string, share: number): Promise<{ reset: number; numbers: number[] }> {
    const proxy = await fixture.proxy({ seed })
    const clients: End[] = []
    for (let index = 0; index < 10; index++) clients.push(await fixture.client(proxy))
    const servers = fixture.ends.slice(-10)
    const reset = proxy.resetConnections(share)
    await until(() => clients.filter((client) => client.error === 'ECONNRESET').length === reset, 'the resets')
    await until(() => servers.filter((server) => server.error === 'ECONNRESET').length === reset, 'both ends')
    await until(() => proxy.connections() === 10 - reset, 'the rest alone to be open')
    expect(proxy.stats().resets).toBe(reset)
    const numbers = clients.flatMap((client, index) => (client.error === null ? [] : [index]))
    expect(servers.flatMap((server, index) => (server.error === null ? [] : [index]))).toEqual(numbers)
    return { reset, numbers }
  }

  test('hits exactly its share, chosen by the seed', async () => {
    const once = await victims('a', 0.3)
    expect(once.reset).toBe(3)
    expect(await victims('a', 0.3)).toEqual(once)
    expect((await victims('b', 0.3)).numbers).not.toEqual(once.numbers)
  })

  test('hits all, none, or one at least', async () => {
    expect((await victims('a', 1)).reset).toBe(10)
    expect((await victims('a', 0)).reset).toBe(0)
    expect((await victims('a', 0.01)).reset).toBe(1)
  })

  test('draws anew at each call', async () => {
    const proxy = await fixture.proxy({ seed: 'twice' })
    for (let index = 0; index < 10; index++) await fixture.client(proxy)
    let left = Array.from({ length: 10 }, (_, index) => index)
    for (const call of [0, 1]) {
      // 0.4 of 10, then of the 6 that are left.
      const hit = shuffled(left, seededRandom(`twice/faults/reset-${call}`)).slice(0, call === 0 ? 4 : 2)
      expect(proxy.resetConnections(0.4)).toBe(hit.length)
      left = left.filter((index) => !hit.includes(index))
      await until(() => proxy.connections() === left.length, 'the others alone to be open')
      await until(() => fixture.ends.filter((end) => end.closed).length === 10 - left.length, 'the servers to see it')
      expect(fixture.ends.flatMap((end, index) => (end.closed ? [] : [index]))).toEqual(left)
    }
  })

  test.each([-0.1, 1.1, NaN])('refuses a share of %d', async (share) => {
    const proxy = await fixture.proxy()
    expect(() => proxy.resetConnections(share)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })
})

describe('toxics on open connections', () => {
  test('freeze holds both ways, then everything arrives in order', async () => {
    const proxy = await fixture.proxy()
    const client = await fixture.client(proxy)
    const server = fixture.serverEnd(0)
    proxy.addToxic({ type: 'freeze' })
    client.socket.write('up 1,')
    server.socket.write('down 1,')
    await until(() => (proxy.toxics()[0]?.counts.bytesDelayed ?? 0) === 12, 'both to be held')
    client.socket.end('up 2')
    server.socket.write('down 2')
    await until(() => (proxy.toxics()[0]?.counts.endsDelayed ?? 0) === 1, 'the FIN to be held')
    await until(() => proxy.stats().bytes.downstream.held === 13, 'the second to be held')
    expect([client.bytes, server.bytes, server.ended]).toEqual([0, 0, false])
    const { counts } = proxy.removeToxic('freeze_both')
    await until(() => server.ended && client.bytes === 13, 'the release')
    expect([client.text, server.text]).toEqual(['down 1,down 2', 'up 1,up 2'])
    expect(counts).toMatchObject({ connectionsChosen: 1, connectionsAffected: 1, bytesDelayed: 22, endsDelayed: 1 })
    expect(proxy.toxics()).toEqual([])
  })

  test('freeze holds the sender back at the cap, and loses nothing', async () => {
    const proxy = await fixture.proxy({ maxHeldBytes: 100_000 })
    const client = await fixture.client(proxy)
    proxy.addToxic({ type: 'freeze', stream: 'upstream' })
    const sent = Buffer.alloc(30_000_000)
    for (let index = 0; index < sent.length; index += 4) sent.writeUInt32LE(index, index)
    client.socket.end(sent)
    await until(() => proxy.stats().bytes.upstream.held >= 100_000, 'the cap')
    // The kernel's buffers take some megabytes more; what is left stays with the sender.
    let before = -1
    await until(() => {
      const same = before === client.socket.writableLength
      before = client.socket.writableLength
      return same
    }, 'the sender to be held back')
    expect(proxy.stats().bytes.upstream.held).toBeLessThanOrEqual(100_000 + 65_536)
    expect(client.socket.writableLength).toBeGreaterThan(0)
    proxy.removeToxic('freeze_upstream')
    await until(() => fixture.serverEnd(0).ended, 'all of it')
    expect(Buffer.concat(fixture.serverEnd(0).chunks).equals(sent)).toBe(true)
  })

  test('one_way drops one direction while the other works', async () => {
    const proxy = await fixture.proxy()
    const client = await fixture.client(proxy)
    const server = fixture.serverEnd(0)
    proxy.addToxic({ type: 'one_way', stream: 'downstream' })
    client.socket.write('first,')
    await until(() => server.text === 'first,', 'the request')
    server.socket.write('lost')
    await until(() => proxy.stats().bytes.downstream.dropped === 4, 'the drop')
    client.socket.write('second')
    await until(() => server.text === 'first,second', 'the second request')
    expect(client.bytes).toBe(0)
    const { counts } = proxy.removeToxic('one_way_downstream')
    expect(counts).toMatchObject({ bytesDropped: 4, connectionsAffected: 1, resets: 1 })
    await until(() => client.closed && server.closed, 'the reset')
    expect([client.error, server.error]).toEqual(['ECONNRESET', 'ECONNRESET'])
  })

  test('a client that dies in a black hole leaves the server half-open until the hole is gone', async () => {
    const proxy = await fixture.proxy()
    const dying = await fixture.client(proxy)
    const silent = await fixture.client(proxy)
    const [server, other] = [fixture.serverEnd(0), fixture.serverEnd(1)]
    proxy.addToxic({ type: 'black_hole' })
    dying.socket.write('lost')
    await until(() => proxy.stats().bytes.upstream.dropped === 4, 'the drop')
    dying.socket.resetAndDestroy()
    await until(() => proxy.stats().halfOpen === 1, 'the half-open connection')
    server.socket.write('to nobody')
    await until(() => proxy.stats().bytes.downstream.dropped === 9, 'the swallowed answer')
    expect([server.bytes, server.ended, server.error, server.closed]).toEqual([0, false, null, false])
    expect(proxy.connections()).toBe(2)
    const { counts } = proxy.removeToxic('black_hole_both')
    expect(counts).toMatchObject({
      connectionsChosen: 2,
      connectionsAffected: 1,
      bytesDropped: 13,
      endsDropped: 1,
      resets: 1,
    })
    await until(() => server.closed, 'the server to be told')
    expect(server.error).toBe('ECONNRESET')
    // What was deprived of nothing goes on.
    silent.socket.write('alive')
    await until(() => other.text === 'alive', 'the other connection')
    expect(proxy.connections()).toBe(1)
  })

  test('a server that sends to a client that is gone is not held up', async () => {
    const proxy = await fixture.proxy({ maxHeldBytes: 1000 })
    const client = await fixture.client(proxy)
    const server = fixture.serverEnd(0)
    proxy.addToxic({ type: 'one_way', stream: 'upstream' })
    client.socket.resetAndDestroy()
    await until(() => proxy.stats().halfOpen === 1, 'the half-open connection')
    server.socket.write(Buffer.alloc(20_000_000))
    await until(() => proxy.stats().bytes.downstream.discarded === 20_000_000, 'all to be discarded')
    expect(server.socket.writableLength).toBe(0)
    expect(server.closed).toBe(false)
  })

  test('a connection that begins in a black hole is taken, and nothing comes back', async () => {
    const proxy = await fixture.proxy()
    proxy.addToxic({ type: 'black_hole' })
    const client = await fixture.client(proxy)
    client.socket.write('hello?')
    fixture.serverEnd(0).socket.end('welcome')
    await until(() => (proxy.toxics()[0]?.counts.endsDropped ?? 0) === 1, 'the server to give up')
    await until(() => (proxy.toxics()[0]?.counts.bytesDropped ?? 0) === 13, 'both to be swallowed')
    expect([client.bytes, client.ended, client.closed, fixture.serverEnd(0).bytes]).toEqual([0, false, false, 0])
  })

  test('timeout closes with a FIN, at its time or when it is removed', async () => {
    const proxy = await fixture.proxy()
    const client = await fixture.client(proxy)
    proxy.addToxic({ type: 'timeout', timeoutMs: 20, name: 'soon' })
    await until(() => client.ended && fixture.serverEnd(0).ended, 'the FIN to both')
    client.socket.end()
    fixture.serverEnd(0).socket.end()
    await until(() => proxy.connections() === 0, 'the end')
    expect([client.error, fixture.serverEnd(0).error]).toEqual([null, null])
    expect(proxy.removeToxic('soon').counts).toMatchObject({ closes: 1, resets: 0 })

    proxy.addToxic({ type: 'timeout', timeoutMs: 0, name: 'never' })
    const held = await fixture.client(proxy)
    fixture.serverEnd(1).socket.write('lost')
    await until(() => (proxy.toxics()[0]?.counts.bytesDropped ?? 0) === 4, 'the drop')
    expect([held.ended, held.bytes]).toEqual([false, 0])
    expect(proxy.removeToxic('never').counts.closes).toBe(1)
    await until(() => held.ended, 'the FIN')
    expect(held.error).toBe(null)
  })

  test('a close is a FIN for a sender that was held back, too', async () => {
    const proxy = await fixture.proxy({ maxHeldBytes: 1000 })
    const client = await fixture.client(proxy)
    proxy.addToxic({ type: 'freeze', stream: 'upstream' })
    proxy.addToxic({ type: 'timeout', timeoutMs: 0 })
    client.socket.write(Buffer.alloc(20_000_000))
    await until(() => proxy.stats().bytes.upstream.held >= 1000, 'the sender to be held back')
    proxy.removeToxic('timeout_downstream')
    await until(() => client.ended && client.socket.writableLength === 0, 'the FIN, and the rest to be read')
    client.socket.end()
    await until(() => client.closed, 'the end')
    expect(client.error).toBe(null)
  })

  test('a peer that does not close after its FIN is cut off after the grace', async () => {
    const proxy = await fixture.proxy()
    const client = await fixture.client(proxy)
    proxy.addToxic({ type: 'limit_data', bytes: 0, stream: 'upstream' })
    client.socket.write('x')
    await until(() => client.ended, 'the FIN')
    // Neither end closes; the proxy lets go by itself.
    await until(() => proxy.connections() === 0, 'the end of the grace')
    expect(proxy.toxics()[0]?.counts).toMatchObject({ bytesDropped: 1, closes: 1 })
  })

  test('reset_peer resets after the first chunk', async () => {
    const proxy = await fixture.proxy()
    proxy.addToxic({ type: 'reset_peer', timeoutMs: 5, stream: 'upstream' })
    const [busy, idle] = [await fixture.client(proxy), await fixture.client(proxy)]
    busy.socket.write('lost')
    await until(() => busy.closed && fixture.serverEnd(0).closed, 'the reset')
    expect([busy.error, fixture.serverEnd(0).error, idle.error]).toEqual(['ECONNRESET', 'ECONNRESET', null])
    expect(fixture.serverEnd(0).bytes).toBe(0)
    expect(proxy.toxics()[0]?.counts).toMatchObject({ connectionsChosen: 2, connectionsAffected: 1, resets: 1 })
  })

  test('limit_data passes exactly its bytes, then a FIN', async () => {
    const proxy = await fixture.proxy()
    proxy.addToxic({ type: 'limit_data', bytes: 100_000 })
    const client = await fixture.client(proxy)
    fixture.serverEnd(0).socket.write(Buffer.alloc(1_000_000, 1))
    await until(() => client.ended, 'the FIN')
    expect(client.bytes).toBe(100_000)
    expect(client.error).toBe(null)
    expect(proxy.toxics()[0]?.counts).toMatchObject({ closes: 1, connectionsAffected: 1 })
  })

  test('latency, bandwidth, slicer and slow_close deliver everything, and count what waited', async () => {
    const proxy = await fixture.proxy()
    proxy.addToxic({ type: 'latency', latencyMs: 2, jitterMs: 2, stream: 'both' })
    proxy.addToxic({ type: 'bandwidth', bytesPerSecond: 10_000_000 })
    proxy.addToxic({ type: 'slicer', averageBytes: 700, variationBytes: 600, stream: 'both' })
    proxy.addToxic({ type: 'slow_close', delayMs: 3, stream: 'both' })
    const client = await fixture.client(proxy)
    const sent = Buffer.from(Array.from({ length: 200_000 }, (_, index) => index % 251))
    fixture.serverEnd(0).socket.end(sent)
    client.socket.end('done')
    await until(() => client.ended && fixture.serverEnd(0).ended, 'both ends')
    expect(Buffer.concat(client.chunks).equals(sent)).toBe(true)
    expect(fixture.serverEnd(0).text).toBe('done')
    const counts = Object.fromEntries(proxy.toxics().map(({ toxic, counts }) => [toxic.type, counts]))
    expect(counts['latency']).toMatchObject({ endsDelayed: 2, bytesDropped: 0 })
    expect(counts['bandwidth']).toMatchObject({ bytesDelayed: 200_000 })
    expect(counts['slicer']?.cuts).toBeGreaterThan(100)
    expect(counts['slow_close']).toMatchObject({ endsDelayed: 2, bytesDelayed: 0 })
  })

  test('corrupt alters and says how much', async () => {
    const proxy = await fixture.proxy()
    proxy.addToxic({ type: 'corrupt', chunkShare: 1, stream: 'upstream' })
    const client = await fixture.client(proxy)
    client.socket.write('a')
    await until(() => fixture.serverEnd(0).bytes === 1, 'the byte')
    expect(fixture.serverEnd(0).text).not.toBe('a')
    expect(proxy.toxics()[0]?.counts.bytesCorrupted).toBe(1)
  })
})

describe('toxicity', () => {
  test('chooses connections by the seed, open and new alike, and counts who was bitten', async () => {
    const proxy = await fixture.proxy({ seed: 'share' })
    const clients: End[] = []
    for (let index = 0; index < 10; index++) clients.push(await fixture.client(proxy))
    proxy.addToxic({ type: 'one_way', stream: 'upstream', toxicity: 0.5 })
    for (let index = 10; index < 20; index++) clients.push(await fixture.client(proxy))
    for (const client of clients) client.socket.write('x')
    const chosen = clients.flatMap((_, index) =>
      seededRandom(`share/faults/toxic-0/connection-${index}`).uniform() < 0.5 ? [index] : [],
    )
    expect(chosen.length).toBeGreaterThan(0)
    expect(chosen.length).toBeLessThan(20)
    const { upstream } = proxy.stats().bytes
    expect(upstream.received).toBeLessThanOrEqual(20)
    await until(() => proxy.stats().bytes.upstream.received === 20, 'all bytes')
    await until(() => fixture.ends.filter((end) => end.bytes === 1).length === 20 - chosen.length, 'the others')
    expect(fixture.ends.flatMap((end, index) => (end.bytes === 0 ? [index] : []))).toEqual(chosen)
    expect(proxy.toxics()[0]?.counts).toMatchObject({
      connectionsChosen: chosen.length,
      connectionsAffected: chosen.length,
      bytesDropped: chosen.length,
    })
    expect(proxy.toxics()[0]?.counts.firstAffectedAtNs).toBeLessThanOrEqual(fixture.clock.nowNs())
  })

  test('of zero chooses nobody, which can be seen', async () => {
    const proxy = await fixture.proxy()
    proxy.addToxic({ type: 'black_hole', toxicity: 0 })
    const client = await fixture.client(proxy)
    client.socket.write('x')
    await until(() => fixture.serverEnd(0).text === 'x', 'the byte')
    const { counts } = proxy.removeToxic('black_hole_both')
    expect(counts).toMatchObject({ connectionsChosen: 0, connectionsAffected: 0, firstAffectedAtNs: null })
  })
})

describe('misuse', () => {
  test('is refused by name', async () => {
    const proxy = await fixture.proxy()
    const usage = expect.objectContaining({ code: 'USAGE' })
    proxy.addToxic({ type: 'freeze' })
    expect(() => proxy.addToxic({ type: 'freeze' })).toThrow(usage)
    expect(() => proxy.removeToxic('fraze')).toThrow("no toxic 'fraze'")
    expect(() => proxy.addToxic({ type: 'latency' })).toThrow('toxic latency needs latencyMs')
    for (let index = 1; index < 16; index++) proxy.addToxic({ type: 'freeze', name: `f${index}` })
    expect(() => proxy.addToxic({ type: 'freeze', name: 'f16' })).toThrow('has 16 toxics')
    expect(proxy.removeAllToxics()).toHaveLength(16)
    expect(proxy.toxics()).toEqual([])
    await proxy.close()
    expect(() => proxy.addToxic({ type: 'freeze' })).toThrow('closed')
    await expect(proxy.enable()).rejects.toThrow('closed')
  })
})

describe('close', () => {
  const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length

  test('ends frozen, slow, half-open and dialling connections, and leaves no timer and no socket', async () => {
    const before = sockets()
    const proxy = await fixture.proxy({ maxHeldBytes: 1000 })
    const gone = await fixture.client(proxy)
    const frozen = await fixture.client(proxy)
    proxy.addToxic({ type: 'freeze', stream: 'upstream' })
    proxy.addToxic({ type: 'latency', latencyMs: 60_000 })
    proxy.addToxic({ type: 'timeout', timeoutMs: 60_000, stream: 'upstream' })
    frozen.socket.write(Buffer.alloc(5_000_000))
    fixture.serverEnd(1).socket.write('slow')
    gone.socket.resetAndDestroy()
    await until(() => proxy.stats().halfOpen === 1 && proxy.stats().bytes.upstream.held >= 1000, 'the state')
    fixture.dial(proxy.port)
    await until(() => proxy.connections() === 3, 'the third')
    expect(fixture.scheduler.pending).toBeGreaterThan(0)
    const closing = proxy.close()
    expect(proxy.close()).toBe(closing)
    await closing
    expect(proxy.connections()).toBe(0)
    expect(fixture.scheduler.pending).toBe(0)
    const { upstream, downstream } = proxy.stats().bytes
    for (const bytes of [upstream, downstream]) {
      expect(bytes.held).toBe(0)
      expect(bytes.received).toBe(bytes.forwarded + bytes.dropped + bytes.discarded)
    }
    for (const { socket } of [...fixture.clients, ...fixture.ends]) socket.destroy()
    await until(() => sockets() <= before, 'every socket to be gone')
    const late = fixture.dial(proxy.port)
    await until(() => late.closed, 'the refusal')
    expect(late.error).toBe('ECONNREFUSED')
  })
})

test('a connection that is reset while its FIN is being sent is over all the same', async () => {
  const proxy = await fixture.proxy()
  const [client, server] = [
    connect({ host: '127.0.0.1', port: proxy.port, allowHalfOpen: true }),
    connect({ host: '127.0.0.1', port: fixture.serverPort, allowHalfOpen: true }),
  ]
  await until(() => !client.connecting && !server.connecting, 'both sockets')
  let over = 0
  const connection = new FaultConnection(0, client, server, {
    clock: fixture.clock,
    scheduler: fixture.scheduler,
    bounds: { maxHeldBytes: 1000, maxHeldChunks: 10 },
    dialTimeoutMs: 1000,
    onDialFailed: () => undefined,
    onOver: () => void over++,
  })
  connection.pipes.upstream.end()
  expect(connection.reset()).toBe(true)
  expect(connection.reset()).toBe(false)
  await until(() => over === 1, 'the end of the connection')
  expect([client.closed, server.closed]).toEqual([true, true])
})

test('a server that never takes the connection is given up', async () => {
  const proxy = await fixture.proxy()
  const client = connect({ host: '127.0.0.1', port: proxy.port, allowHalfOpen: true })
  await until(() => !client.connecting, 'the client')
  let failed = 0
  let over = 0
  // A socket that nobody connects stands for one whose SYN is never answered.
  const connection = new FaultConnection(0, client, new Socket({ allowHalfOpen: true }), {
    clock: fixture.clock,
    scheduler: fixture.scheduler,
    bounds: { maxHeldBytes: 1000, maxHeldChunks: 10 },
    dialTimeoutMs: 20,
    onDialFailed: () => void failed++,
    onOver: () => void over++,
  })
  await until(() => over === 1, 'the end of the connection')
  expect(failed).toBe(1)
  expect(connection.reset()).toBe(false)
})
