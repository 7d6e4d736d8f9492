/** What an agent says on the old path is taken in the order in which it said it, also when a POST is not answered. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { AgentLink, type LinkOwner } from '../../../src/engines/elicitation/agent-link.ts'
import { macLength } from '../../../src/engines/elicitation/frame-codec.ts'
import { createFrameMac } from '../../../src/engines/elicitation/frame-mac.ts'
import { pollingTransport } from '../../../src/engines/bridge/polling-channel.ts'
import { systemScheduler } from '../../../src/platform/clock.ts'
import { seededRandom } from '../../../src/platform/random.ts'
import { until } from '../elicitation/engine-harness.ts'

const credentials = {
  agent: 'a0',
  session: 's',
  token: 't',
  key: createFrameMac(Buffer.alloc(32, 1)),
  epoch: 1,
  log: 'l',
  path: 'poll' as const,
  fallback: true,
}
const emptyPoll =
  '{"events":[],"floor":0,"head":0,"path":"poll","switch_within_ms":1000,"waited_seconds":0,"fallback":true}'
let server: Server | null = null
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

/** Answers the first poll, holds all others, and gives each POST to `post`. */
async function serving(post: (response: ServerResponse, request: IncomingMessage) => void): Promise<string> {
  let polls = 0
  server = createServer((request, response) => {
    request.resume()
    if (request.method === 'POST') post(response, request)
    else if (polls++ === 0) response.end(emptyPoll)
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('a POST that is not answered', () => {
  it.each([
    ['since its connection breaks', (response: ServerResponse) => response.socket?.destroy()],
    ['but with something that is no answer', (response: ServerResponse) => response.writeHead(500).end('?')],
  ])('%s ends the channel, and nothing is posted after it', async (_how, post) => {
    let posts = 0
    const url = await serving((response) => {
      posts++
      post(response)
    })
    const random = seededRandom('post-order')
    const transport = pollingTransport({
      url,
      ca: undefined,
      timeoutMs: 5000,
      limit: 10,
      scheduler: systemScheduler,
      random,
    })
    const ended: string[] = []
    let opened = false
    const channel = transport.open(credentials, 0, {
      opened: () => (opened = true),
      message: () => undefined,
      taken: () => expect.unreachable(),
      refused: () => expect.unreachable(),
      unanswered: () => expect.unreachable(),
      closed: (reason) => ended.push(reason),
    })
    await until(() => opened, 'the channel opens')
    for (const nonce of [1, 2, 3]) channel.send(`${'m'.repeat(macLength)}\nask 1 s ${nonce} 0 r:0:${nonce} a1 5000\n{}`)
    await until(() => ended.length > 0, 'the channel ends')
    expect(ended).toEqual(['a POST was not answered'])
    await new Promise((done) => setTimeout(done, 100))
    expect(posts).toBe(1)
    transport.close()
  })
})

describe('a link that comes up again', () => {
  it('says what waited to be tried again before what was started after it', () => {
    const sent: string[] = []
    const ignore = (): void => undefined
    const owner: LinkOwner = {
      nowMs: () => 0,
      transmit: (_link, frame) => sent.push(/ (r:0:\d+) /.exec(frame)?.[1] ?? ''),
      established: ignore,
      broken: ignore,
      acknowledged: ignore,
      refused: ignore,
      question: ignore,
      result: ignore,
      wireDuplicate: ignore,
      repeated: ignore,
      delayed: ignore,
      advised: ignore,
    }
    const link = new AgentLink(0, owner, false)
    link.useCredentials(credentials)
    const hello = 'hello 0 1 l 0 0 0 32768 1 1'
    link.receive(hello)
    for (const number of [1, 2, 3]) link.start('ask', 0, number, `r:0:${number}`, 'a1', '{}', 5000)
    expect(sent).toEqual(['r:0:1', 'r:0:2', 'r:0:3'])
    link.unanswered(1)
    link.taken(2)
    link.down()
    link.start('ask', 0, 4, 'r:0:4', 'a1', '{}', 5000)
    sent.length = 0
    link.receive(hello)
    expect(sent).toEqual(['r:0:1', 'r:0:3', 'r:0:4'])
    link.retryDue(1e9)
    expect(sent).toHaveLength(3)
  })
})
