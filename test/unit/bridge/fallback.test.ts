/**
 * Fallback: push that cannot be opened sends an agent to the old path, if flags allow it, and push is taken again when it works.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { EngineClient, EngineServer } from '../../../src/engines/engine.ts'
import { acceptance, question, Recorder, until } from '../elicitation/engine-harness.ts'
import { admin, createBridgeClient, setFlags, startBridge } from './bridge-harness.ts'

/** A middlebox that lets everything pass but upgrades, while it is told so. */
class Middlebox {
  readonly server: Server
  readonly sockets = new Set<Socket>()
  blocks = true
  /** Says so, instead of breaking the connection. */
  forbids = false
  refused = 0

  constructor(target: URL) {
    this.server = createServer((near) => {
      const far = connect(Number(target.port), target.hostname)
      for (const socket of [near, far]) {
        this.sockets.add(socket)
        socket.on('error', () => undefined)
        socket.on('close', () => {
          this.sockets.delete(socket)
          near.destroy()
          far.destroy()
        })
      }
      near.on('data', (chunk: Buffer) => {
        if (this.blocks && chunk.toString('latin1', 0, 16).startsWith('GET /v1/connect')) {
          this.refused++
          if (this.forbids) near.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
          else near.destroy()
        } else far.write(chunk)
      })
      far.on('data', (chunk: Buffer) => near.write(chunk))
    })
  }

  async listen(): Promise<string> {
    await new Promise<void>((done) => this.server.listen(0, '127.0.0.1', done))
    const address = this.server.address()
    return `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise((done) => this.server.close(done))
  }
}

const running: (EngineServer | EngineClient | Middlebox)[] = []
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close()
})

async function behindMiddlebox(flags: Record<string, unknown>) {
  const server = await startBridge({ options: { drain: '100000' } })
  running.push(server)
  await setFlags(server.url, flags)
  const box = new Middlebox(new URL(server.url))
  running.push(box)
  const recorder = new Recorder()
  const client = createBridgeClient(await box.listen(), recorder)
  running.push(client)
  await client.prepare(2)
  return { server, box, recorder, client }
}

describe('push that cannot be opened', () => {
  it('is left alone after three attempts; agents poll, and push again once it works', async () => {
    const { server, box, recorder, client } = await behindMiddlebox({ enabled: true, percentage: 100 })
    await Promise.all([client.connect(0), client.connect(1)])
    expect(box.refused).toBe(6)
    client.beginRound('r0', 'seed')
    recorder.answerWith = (exchange, recipient) => client.answer(exchange, recipient, 'accept', acceptance)
    for (let exchange = 0; exchange < 20; exchange++)
      client.ask(exchange, exchange % 2, 1 - (exchange % 2), question, 8000)
    await until(() => recorder.results.length === 20, '20 results over the old path')
    expect((await admin(server.url, '/admin/status')).body['agents']).toMatchObject({ connectedPush: 0, polling: 2 })
    expect(box.refused).toBe(6)
    box.blocks = false
    const connected = async (): Promise<unknown> => (await admin(server.url, '/admin/status')).body['agents']
    for (let time = 0; time < 150; time++) {
      if (((await connected()) as { connectedPush: number }).connectedPush === 2) break
      await new Promise((done) => setTimeout(done, 100))
    }
    expect(await connected()).toMatchObject({ connectedPush: 2 })
    for (let exchange = 20; exchange < 40; exchange++)
      client.ask(exchange, exchange % 2, 1 - (exchange % 2), question, 8000)
    await until(() => recorder.results.length === 40, '40 results')
    expect(new Set(recorder.results.map(({ exchange }) => exchange)).size).toBe(40)
    expect(recorder.questions.length).toBe(40)
  }, 40_000)

  it('is left alone at once where a proxy forbids it, and agents poll', async () => {
    const { box, recorder, client } = await behindMiddlebox({ enabled: true, percentage: 100 })
    box.forbids = true
    await Promise.all([client.connect(0), client.connect(1)])
    expect(box.refused).toBe(2)
    client.beginRound('r0', 'seed')
    for (let exchange = 0; exchange < 6; exchange++)
      client.ask(exchange, exchange % 2, 1 - (exchange % 2), question, 8000)
    await until(() => recorder.questions.length === 6, 'six questions')
    await new Promise((done) => setTimeout(done, 2500))
    // The server keeps saying that it assigns push; that is no reason to try before the pause is over.
    expect(box.refused).toBe(2)
  })

  it('is all there is when flags do not allow polling in its stead', async () => {
    const { client } = await behindMiddlebox({ enabled: true, percentage: 100, fallback: false })
    await expect(client.connect(0)).rejects.toThrow(/cannot open a session/)
  })
})
