/**
 * Retries of asks and answers whose exchange has ended, by hand over real sockets: what the server kept of it must do.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { EngineServer } from '../../../src/engines/engine.ts'
import { question, startServer, until } from './engine-harness.ts'
import { RawWebSocket } from './raw-web-socket.ts'

let server: EngineServer
const sockets: RawWebSocket[] = []
async function connect(name: string): Promise<RawWebSocket> {
  const socket = await RawWebSocket.connect(server.url, name)
  sockets.push(socket)
  return socket
}
afterEach(async () => {
  for (const { socket } of sockets.splice(0)) socket.destroy()
  await server.close()
})
const rows = (): number => server.stats().committedRows

describe('retries of an ended exchange', () => {
  it('are answered alike, byte for byte, at once, among others, and after a restart', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'elicitation-test-'))
    const settings = { durability: 'os', storeFile: join(folder, 'events.db') } as const
    const answerOf = (number: number): string =>
      `{"action":"decline","content":{"why":"é€🔦${number}${'z'.repeat(number * 90)}"}}`
    const numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    const ask = (by: RawWebSocket, number: number, body = question): Buffer =>
      by.text('ask', `x:alice:${number} bob 600000`, body)
    const answer = (by: RawWebSocket, number: number, body = answerOf(number)): Buffer =>
      by.text('answer', `x:alice:${number}`, body)
    /** Each result as often as it was said, without the acknowledgement that rides on it. */
    const results = (by: RawWebSocket): string[] =>
      by.said.filter((each) => each.startsWith('result ')).map((each) => each.replace(/^result \d+ /, ''))
    try {
      server = await startServer(settings)
      const [alice, bob] = [await connect('alice'), await connect('bob')]
      for (const number of numbers) alice.socket.write(ask(alice, number))
      await bob.expect('question 0 10')
      for (const number of numbers) bob.socket.write(answer(bob, number))
      await until(() => results(alice).length === 10, 'ten results')
      const first = results(alice)
      expect(first).toEqual(numbers.map((number) => `${number} x:alice:${number} decline\n${answerOf(number)}`))
      for (const number of numbers.toReversed()) alice.socket.write(ask(alice, number))
      await until(() => results(alice).length === 20, 'ten results again')
      expect(results(alice).slice(10)).toEqual(first.toReversed())
      for (const number of numbers) bob.socket.write(answer(bob, number))
      bob.socket.write(Buffer.concat([answer(bob, 4, answerOf(5)), bob.text('ping')]))
      await bob.expect('pong 22')
      expect(bob.heard.filter((each) => each.startsWith('refused'))).toEqual(['refused 21 x:alice:4 CONFLICT 0'])
      expect(rows()).toBe(20)
      await server.close()

      server = await startServer(settings)
      const [after, recipient] = [await connect('alice'), await connect('bob')]
      await until(() => results(after).length === 10, 'the inbox')
      expect(results(after)).toEqual(first)
      for (const number of numbers) after.socket.write(ask(after, number))
      await until(() => results(after).length === 20, 'ten results again')
      expect(results(after).slice(10)).toEqual(first)
      after.socket.write(ask(after, 3, question.replace('Deploy', 'Delete')))
      await after.expect('refused 11 x:alice:3 CONFLICT')
      for (const number of numbers) recipient.socket.write(answer(recipient, number))
      recipient.socket.write(Buffer.concat([answer(recipient, 9, answerOf(8)), recipient.text('ping')]))
      await recipient.expect('pong 12')
      expect(recipient.heard.filter((each) => each.startsWith('refused'))).toEqual(['refused 11 x:alice:9 CONFLICT 0'])
      expect(rows()).toBe(0)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it(
    'are still judged as retries after others’ answers have filled all the room there is',
    { timeout: 60_000 },
    async () => {
      server = await startServer({ options: { rateLimit: '100000', rateBurst: '100000' } })
      const [alice, bob] = [await connect('alice'), await connect('bob')]
      const mine = '{"action":"decline"}'
      alice.socket.write(alice.text('ask', 'x:alice:1 bob 600000', question))
      await bob.expect('question')
      bob.socket.write(bob.text('answer', 'x:alice:1', mine))
      await alice.expect('result')
      // Two pairs, 600 exchanges each, since inboxes nobody acknowledges end at 1,024.
      const long = `{"action":"decline","content":{"why":"${'z'.repeat(32_000)}"}}`
      const each = 600
      for (const pair of ['1', '2']) {
        const [asking, answering] = [await connect(`asking${pair}`), await connect(`answering${pair}`)]
        const before = rows()
        for (let number = 1; number <= each; number++) {
          asking.socket.write(asking.text('ask', `x:asking${pair}:${number} answering${pair} 600000`, question))
        }
        await until(() => rows() === before + each, 'all asked')
        for (let number = 1; number <= each; number++) {
          answering.socket.write(answering.text('answer', `x:asking${pair}:${number}`, long))
          if (number % 100 === 0) await until(() => rows() === before + each + number, `${number} answers`)
        }
      }
      expect(2 * each * long.length).toBeGreaterThan(32 * 2 ** 20)
      const before = rows()
      alice.socket.write(Buffer.concat([alice.text('ask', 'x:alice:1 bob 600000', question), alice.text('ping')]))
      await until(() => alice.heard.filter((said) => said.startsWith('result')).length === 2, 'the result again')
      alice.socket.write(alice.text('ask', 'x:alice:1 bob 600000', question.replace('Deploy', 'Delete')))
      await alice.expect('refused 4 x:alice:1 CONFLICT')
      bob.socket.write(
        Buffer.concat([bob.text('answer', 'x:alice:1', mine), bob.text('answer', 'x:alice:1', long), bob.text('ping')]),
      )
      await bob.expect('pong 4')
      expect(bob.heard.filter((said) => said.startsWith('refused'))).toEqual(['refused 3 x:alice:1 CONFLICT 0'])
      expect(bob.heard.filter((said) => said.startsWith('question')).length).toBe(1)
      expect(rows()).toBe(before)
    },
  )

  it(
    'end the connection of who asks for long results again and again and reads none',
    { timeout: 60_000 },
    async () => {
      server = await startServer({ options: { rateLimit: '100000', rateBurst: '100000' } })
      const [alice, bob] = [await connect('alice'), await connect('bob')]
      alice.socket.write(alice.text('ask', 'x:alice:1 bob 600000', question))
      await bob.expect('question')
      bob.socket.write(
        bob.text('answer', 'x:alice:1', `{"action":"decline","content":{"why":"${'z'.repeat(32_000)}"}}`),
      )
      await alice.expect('result')
      alice.socket.pause()
      // 128 MiB of results, of which the kernel's buffers hold a part and the server no more than one MiB.
      for (let count = 0; count < 4096 && server.stats().openConnections === 2; count++) {
        alice.socket.write(alice.text('ask', 'x:alice:1 bob 600000', question))
        if (count % 64 === 0) await new Promise((resolve) => void setImmediate(resolve))
      }
      await until(() => server.stats().openConnections === 1, 'the connection to be ended')
      bob.socket.write(bob.text('ping'))
      await bob.expect('pong 2')
      expect(rows()).toBe(2)
      const again = await connect('alice')
      expect(await again.expect('result')).toContain('z'.repeat(32_000))
    },
  )
})
