/** Posts to a server that is not there: each is given up on its own, and none takes the process with it. */
import { createServer, type AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { PostLanes } from '../../../src/engines/polling/post-lanes.ts'
import { systemClock, systemScheduler } from '../../../src/platform/clock.ts'
import { seededRandom } from '../../../src/platform/random.ts'

const open: PostLanes[] = []
afterEach(async () => {
  for (const lanes of open.splice(0)) await lanes.destroy()
})

/** A port that was free a moment ago. */
async function unusedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

it('gives up post after post when nobody listens, without a second failure inside the first', async () => {
  const uncaught: unknown[] = []
  const note = (error: unknown): number => uncaught.push(error)
  process.on('uncaughtException', note)
  try {
    const lanes = new PostLanes({
      url: `http://127.0.0.1:${await unusedPort()}`,
      connect: {},
      lanes: 1,
      maxQueued: 100,
      random: seededRandom('lanes'),
      clock: systemClock(),
      scheduler: systemScheduler,
      authorization: () => 'Bearer none',
      enrolAgain: () => Promise.reject(new Error('nobody is there')),
      events: { onStored: () => undefined, onRefused: () => undefined },
    })
    open.push(lanes)
    // No time to retry: the first failure of each is its last.
    for (let exchange = 0; exchange < 20; exchange++) expect(lanes.post(0, exchange, 'ask', '{}', 0)).toBe(true)
    await expect.poll(() => lanes.counts().waiting, { timeout: 10_000 }).toBe(0)
    expect(uncaught).toEqual([])
  } finally {
    process.off('uncaughtException', note)
  }
})
