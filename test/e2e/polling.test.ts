/** The polling engine through real processes: an exchange end to end, restarts, pauses, and both arms. */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectTo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { ServerConfig } from '../../src/engines/engine.ts'
import { openEventStore } from '../../src/engines/event-store/sqlite-store.ts'
import { eventually, RecordingClient, ServerProcess } from './polling-harness.ts'

const servers: ServerProcess[] = []
const clients: RecordingClient[] = []
const folders: string[] = []

afterEach(async () => {
  for (const { client } of clients.splice(0)) await client.close()
  for (const server of servers.splice(0)) await server.close()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

async function start(
  changes: Partial<ServerConfig> = {},
  mode: 'polling' | 'hybrid' = 'polling',
): Promise<ServerProcess> {
  const server = await ServerProcess.start(changes, mode)
  servers.push(server)
  return server
}

async function connect(
  server: ServerProcess,
  agents: number,
  mode: 'polling' | 'hybrid' = 'polling',
  options: Record<string, string> = {},
): Promise<RecordingClient> {
  const recording = new RecordingClient(server.url, mode, options)
  clients.push(recording)
  return recording.open(agents)
}

function storeFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lighthouse-test-'))
  folders.push(folder)
  return join(folder, 'store.db')
}

const bodyOf = (exchange: number): string =>
  JSON.stringify({ exchange, text: 'ü\u0000\u2028\ud800"\\\u{1F525}', more: 'x'.repeat(exchange) })

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

describe.each(['polling', 'hybrid'] as const)('%s', (mode) => {
  test('carries every exchange to its end, unchanged, once, in order', async () => {
    const server = await start({ options: { interval: '50ms', limit: '3' } }, mode)
    const recording = await connect(server, 8, mode)
    recording.client.beginRound('r1', 'seed')
    for (const exchange of numbers(100)) {
      recording.client.ask(exchange, exchange % 8, (exchange + 1) % 8, bodyOf(exchange), 20_000)
    }
    await eventually('all results', () => recording.results.length >= 100)
    const { questions, results } = recording
    expect(questions.map((question) => question.exchange).toSorted((a, b) => a - b)).toEqual(numbers(100))
    for (const question of questions) {
      expect(question.body === bodyOf(question.exchange)).toBe(true)
      expect([question.requester, question.recipient]).toEqual([question.exchange % 8, (question.exchange + 1) % 8])
    }
    for (const recipient of numbers(8)) {
      const order = questions
        .filter((question) => question.recipient === recipient)
        .map((question) => question.exchange)
      expect(order).toEqual(order.toSorted((a, b) => a - b))
    }
    expect(results.map((result) => result.exchange).toSorted((a, b) => a - b)).toEqual(numbers(100))
    expect(results.every((result) => result.outcome === 'accept' && result.requester === result.exchange % 8)).toBe(
      true,
    )
    expect(
      results.every((result) => result.body === `{"action":"accept","content":{"exchange":${result.exchange}}}`),
    ).toBe(true)
    await eventually('all acknowledgements', () => recording.acknowledged.length >= 200)
    expect(new Set(recording.acknowledged).size).toBe(200)
    expect([recording.refused, recording.duplicates, recording.strays, recording.lost]).toEqual([[], [], [], []])
    const stats = await server.stats()
    expect(stats.committedRows).toBe(200)
    expect(stats.commits).toBeLessThanOrEqual(200)
    expect(stats.databaseQueries).toBeGreaterThan(0)
  })

  test('a pause leaves no held poll and no looking; the next round goes on, and late ids are told apart', async () => {
    const server = await start({}, mode)
    const recording = await connect(server, 4, mode)
    recording.answerWith = null
    recording.client.beginRound('r1', 'one')
    await eventually('held polls', async () => (await server.stats()).heldConnections === 4)
    await recording.client.pause()
    await eventually('no held poll', async () => (await server.stats()).heldConnections === 0)
    const before = await server.stats()
    expect(before.openConnections).toBeGreaterThanOrEqual(4)
    recording.client.ask(0, 0, 1, 'asked while nobody polls', 20_000)
    await eventually('acknowledged', () => recording.acknowledged.length === 1)
    expect((await server.stats()).databaseQueries).toBe(before.databaseQueries)
    expect(recording.questions).toEqual([])
    recording.client.beginRound('r2', 'two')
    await eventually('the late question', () => recording.strays.length === 1)
    expect(recording.strays).toEqual(['1 earlier r1:a0:0'])
    recording.client.ask(0, 2, 3, 'new', 20_000)
    await eventually('the new question', () => recording.questions.length === 1)
    expect(recording.questions[0]?.body).toBe('new')
  })
})

test.each(['decline', 'cancel'] as const)('an answer may be %s', async (action) => {
  const recording = await connect(await start(), 2)
  recording.answerWith = action
  recording.client.beginRound('r1', 'seed')
  recording.client.ask(0, 0, 1, '{}', 20_000)
  await eventually('the result', () => recording.results.length === 1)
  expect(recording.results[0]).toMatchObject({ exchange: 0, requester: 0, outcome: action })
})

test('a withdrawn question ends as withdrawn, and its late answer is not told', async () => {
  const recording = await connect(await start(), 2)
  recording.answerWith = null
  recording.client.beginRound('r1', 'seed')
  recording.client.ask(0, 0, 1, '{}', 20_000)
  await eventually('the question', () => recording.questions.length === 1)
  recording.client.cancel(0)
  await eventually('the withdrawal', () => recording.results.length === 1)
  recording.client.answer(0, 1, 'accept', '{"action":"accept"}')
  recording.client.ask(1, 1, 0, 'afterwards', 20_000)
  await eventually('what was sent after the late answer', () => recording.questions.length === 2)
  expect(recording.results).toEqual([{ exchange: 0, requester: 0, outcome: 'withdrawn', body: '' }])
})

test.each(['turn', 'thread', 'off'])(
  'a killed server loses nothing it acknowledged (batching %s)',
  async (batching) => {
    const file = storeFile()
    const options = { interval: '50ms', batching }
    const server = await start({ storeFile: file, options })
    const recording = await connect(server, 10)
    recording.client.beginRound('r1', 'seed')
    const { port } = server
    for (const exchange of numbers(150))
      recording.client.ask(exchange, exchange % 10, (exchange + 3) % 10, `${exchange}`, 60_000)
    await eventually('some are acknowledged', () => recording.acknowledged.length >= 20)
    await server.kill()
    const acknowledgedAsks = recording.acknowledged
      .filter((entry) => entry.endsWith('ask'))
      .map((entry) => parseInt(entry))
    const stored = new Set<string>()
    const store = openEventStore({ durability: 'os', file, indexedByAgent: true })
    store.replay((event) => stored.add(`${event.exchange} ${event.kind}`))
    store.close()
    expect(acknowledgedAsks.filter((exchange) => !stored.has(`r1:a${exchange % 10}:${exchange} 1`))).toEqual([])

    await start({ storeFile: file, options, port })
    await eventually('every agent is back', () => new Set(recording.restored).size === 10)
    await eventually('all results', () => recording.results.length >= 150)
    expect(recording.results.map((result) => result.exchange).toSorted((a, b) => a - b)).toEqual(numbers(150))
    expect(recording.questions.length).toBe(150)
    // One producer asks one recipient in these rounds, so order per pair is order per recipient.
    for (const recipient of numbers(10)) {
      const order = recording.questions.filter((question) => question.recipient === recipient)
      expect(order.map((question) => question.exchange)).toEqual(
        numbers(150).filter((exchange) => (exchange + 3) % 10 === recipient),
      )
    }
    expect([recording.refused, recording.strays]).toEqual([[], []])
    expect(recording.client.stats().reconnects).toBeGreaterThanOrEqual(10)
  },
)

test('a server that comes back with an empty store is read from its start', async () => {
  const server = await start({ durability: 'memory' })
  const recording = await connect(server, 2)
  recording.client.beginRound('r1', 'seed')
  for (const exchange of numbers(20)) recording.client.ask(exchange, 0, 1, 'before', 20_000)
  await eventually('the first exchanges', () => recording.results.length === 20)
  const { port } = server
  await server.kill()
  await start({ durability: 'memory', port })
  await eventually('both agents are back', () => new Set(recording.restored).size === 2)
  recording.client.ask(20, 0, 1, 'after', 20_000)
  await eventually('the exchange after', () => recording.results.length === 21)
  expect(recording.results.at(-1)?.exchange).toBe(20)
})

test('a post whose answer was lost is sent again: stored twice, told once, counted', async () => {
  const server = await start()
  const proxy = await answerEater(server.port)
  const recording = new RecordingClient(`http://127.0.0.1:${proxy.port}`)
  clients.push(recording)
  await recording.open(2)
  recording.client.beginRound('r1', 'seed')
  for (const exchange of numbers(3)) recording.client.ask(exchange, 0, 1, 'x', 20_000)
  await eventually('all results', () => recording.results.length === 3)
  await eventually('the duplicate', () => recording.duplicates.length === 1)
  expect(proxy.eaten()).toBe(1)
  expect(recording.duplicates).toEqual(['0 ask'])
  expect(recording.questions.map((question) => question.exchange)).toEqual([0, 1, 2])
  expect(recording.client.stats().retries).toBe(1)
  expect((await server.stats()).committedRows).toBe(7)
  proxy.close()
})

/** A proxy that lets everything through but the first answer to a post: that connection it resets. */
async function answerEater(target: number): Promise<{ port: number; eaten: () => number; close: () => void }> {
  let eaten = 0
  const proxy = createServer((downstream) => {
    const upstream = connectTo(target, '127.0.0.1')
    downstream.on('error', () => {})
    upstream.on('error', () => {})
    downstream.pipe(upstream)
    upstream.on('data', (chunk: Buffer) => {
      if (eaten === 0 && chunk.includes('"status":"stored"')) {
        eaten++
        downstream.resetAndDestroy()
        upstream.destroy()
      } else downstream.write(chunk)
    })
    upstream.on('close', () => downstream.destroy())
    downstream.on('close', () => upstream.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const address = proxy.address()
  if (typeof address !== 'object' || address === null) throw new Error('the proxy has no address')
  return { port: address.port, eaten: () => eaten, close: () => proxy.close() }
}

test('an orderly close answers held polls and ends with exit code 0; nobody there is ENGINE_UNREACHABLE', async () => {
  const server = await start()
  const recording = await connect(server, 3)
  recording.client.beginRound('r1', 'seed')
  await eventually('held polls', async () => (await server.stats()).heldConnections === 3)
  expect(await server.close()).toBe(0)
  await eventually('all agents notice', () => new Set(recording.lost).size === 3)
  const late = new RecordingClient(server.url)
  clients.push(late)
  await expect(late.client.prepare(1)).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' })
})

test('more than the queue takes is refused at once as OVERLOADED, and the rest goes through', async () => {
  const recording = await connect(await start(), 2, 'polling', { queue: '5', posts: '1' })
  recording.client.beginRound('r1', 'seed')
  for (const exchange of numbers(8)) recording.client.ask(exchange, 0, 1, 'x', 20_000)
  expect(recording.refused).toEqual(['5 ask OVERLOADED', '6 ask OVERLOADED', '7 ask OVERLOADED'])
  await eventually('the rest', () => recording.results.length === 5)
})
