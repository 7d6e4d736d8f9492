/** A client that reads nothing, against each engine in this process: what is sent to it is taken, and its end is seen. */
import { afterEach, describe, expect, it } from 'vitest'
import type { EngineServer, UnreadInbox } from '../../../src/engines/engine.ts'
import { engineNames, loadEngine } from '../../../src/engines/registry.ts'
import { createBodyPool } from '../../../src/load/bodies.ts'
import { isEstablished } from '../../../src/measurement/tcp-states.ts'

const key = 'enrolment-key-of-a-test-and-no-secret'
let server: EngineServer | null = null
let inbox: UnreadInbox | null = null
afterEach(async () => {
  inbox?.close()
  inbox = null
  await server?.close()
  server = null
})

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

describe.each(engineNames)('%s', (name) => {
  it('takes what is sent to an agent that does not read, and holds its connection until it is closed', async () => {
    const engine = await loadEngine(name)
    const options = name === 'elicitation' ? {} : { interval: '50ms' }
    const config = { options, durability: 'memory', storeFile: null, listen: '127.0.0.1', port: 0, tls: null } as const
    server = await engine.startServer({ ...config, enrolmentKey: key })
    const opened = await engine.openUnreadInbox?.({ url: server.url, enrolmentKey: key })
    if (opened === undefined) throw new Error(`${name} knows no unread inbox`)
    inbox = opened
    const { questions } = createBodyPool('s', 20_000)
    for (const body of questions.slice(0, 30)) opened.feed(body)
    await until('taken', () => opened.counts().taken === 30)
    expect(opened.counts().refused).toBe(0)
    const port = Number(new URL(server.url).port)
    if (process.platform === 'linux') {
      expect(isEstablished(port, opened.port)).toBe(true)
      opened.close()
      await until('let go', () => isEstablished(port, opened.port) === false)
    }
  })

  it('says so where nobody may enrol', async () => {
    const engine = await loadEngine(name)
    const config = {
      options: {},
      durability: 'memory',
      storeFile: null,
      listen: '127.0.0.1',
      port: 0,
      tls: null,
    } as const
    server = await engine.startServer({ ...config, enrolmentKey: key })
    await expect(engine.openUnreadInbox?.({ url: server.url, enrolmentKey: 'wrong' })).rejects.toMatchObject({
      code: 'ENGINE_UNREACHABLE',
    })
  })
})
