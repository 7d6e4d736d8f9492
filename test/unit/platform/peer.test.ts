import { afterEach, describe, expect, it } from 'vitest'
import { LighthouseError } from '../../../src/platform/errors.ts'
import { startPeer, type Peer, type PeerKind } from '../../../src/platform/peer.ts'

const entry = new URL('./echo-peer.ts', import.meta.url)
const started: Peer[] = []

function start(kind: PeerKind): Peer {
  const peer = startPeer(entry, { kind, name: `echo ${kind}` })
  started.push(peer)
  return peer
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((peer) => peer.kill()))
})

describe.each(['thread', 'process'] as const)('a peer in a %s', (kind) => {
  it('answers requests with structured clones', async () => {
    const peer = start(kind)
    const payload = { list: [1, 2], typed: new Uint8Array([1, 2, 3]), map: new Map([['a', 1]]) }
    expect(await peer.request('echo', payload, 10_000)).toEqual(payload)
    expect(peer.pid === null).toBe(kind === 'thread')
  })

  it('brings back an error with its code and suggestions', async () => {
    const peer = start(kind)
    const error: unknown = await peer.request('fail', null, 10_000).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(LighthouseError)
    expect(error).toMatchObject({ code: 'USAGE', message: 'asked to fail', suggestions: ['Do not ask.'] })
  })

  it('passes telemetry on in order', async () => {
    const peer = start(kind)
    const heard: unknown[] = []
    peer.onTelemetry((type, payload) => heard.push([type, payload]))
    await peer.request('tell', 1, 10_000)
    await peer.request('tell', 2, 10_000)
    await peer.request('echo', null, 10_000)
    expect(heard).toEqual([
      ['said', 1],
      ['said', 2],
    ])
  })

  it('fails what is pending when the peer dies, and everything after it', async () => {
    const peer = start(kind)
    const reasons: string[] = []
    peer.onExit((reason) => reasons.push(reason))
    await peer.request('echo', 1, 10_000)
    const pending = peer.request('silent', null, 10_000)
    void peer.request('die', null, 10_000).catch(() => undefined)
    await expect(pending).rejects.toThrow(/ended before/)
    await expect(peer.request('echo', 2, 10_000)).rejects.toThrow(/ended before 'echo'/)
    expect(reasons).toHaveLength(1)
    expect(reasons[0]).toContain('7')
  })

  it('gives up on a request after its timeout', async () => {
    await expect(start(kind).request('silent', null, 300)).rejects.toThrow(/did not answer 'silent' within 300 ms/)
  })

  it('hands no secret of the environment down', async () => {
    process.env['LIGHTHOUSE_TEST_SECRET'] = 'planted'
    try {
      const names = (await start(kind).request('environment', null, 10_000)) as string[]
      expect(names).toContain('PATH')
      expect(names).not.toContain('LIGHTHOUSE_TEST_SECRET')
    } finally {
      delete process.env['LIGHTHOUSE_TEST_SECRET']
    }
  })
})
