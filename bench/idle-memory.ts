/**
 * Server memory per idle agent over WebSocket: RSS of a fresh engine process after N agents have connected and a few
 * seconds have passed, for several N; the slope between the smallest and the largest N is the cost of an agent, free of
 * what the process takes by itself. RSS is the maximum since the last reset, so growth by garbage counts as well.
 *
 *   node bench/idle-memory.ts [agents …]
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { startEngine } from '../src/engines/hosts/running-engine.ts'
import type { LoadStartAnswer, LoadStartRequest } from '../src/load/load-host.ts'
import { clockOrigin } from '../src/platform/clock.ts'
import { entryModule } from '../src/platform/modules.ts'
import { startPeer } from '../src/platform/peer.ts'

const counts = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1000, 5000, 15_000]
const enrolmentKey = 'bench-enrolment-key-of-no-secret'
const settleMs = 4000

async function rssWith(agents: number): Promise<{ rssBytes: number; connectsPerSecond: number }> {
  const config = {
    options: {},
    durability: 'os',
    storeFile: null,
    listen: '127.0.0.1',
    port: 0,
    tls: null,
    enrolmentKey,
  } as const
  const engine = await startEngine({ engine: 'elicitation', label: 'elicitation', host: 'process', config })
  const load = startPeer(entryModule('load/load-host'), { kind: 'process', name: 'load' })
  try {
    const client = {
      url: engine.url,
      options: {},
      transport: 'websocket',
      durability: 'os',
      enrolmentKey,
      seed: 'idle',
    } as const
    const request: LoadStartRequest = { engine: 'elicitation', agents, clockOrigin: clockOrigin(), client }
    const { connectsPerSecond } = (await load.request('start', request, 60_000)) as LoadStartAnswer
    await sleep(settleMs)
    await engine.reset()
    await sleep(1000)
    const reading = await engine.read()
    return { rssBytes: reading?.resources.rssMaxBytes ?? Number.NaN, connectsPerSecond }
  } finally {
    await load.kill()
    await engine.stop()
  }
}

const points: { agents: number; rssBytes: number }[] = []
for (const agents of counts) {
  const { rssBytes, connectsPerSecond } = await rssWith(agents)
  points.push({ agents, rssBytes })
  console.log(
    `${agents} agents: ${(rssBytes / 2 ** 20).toFixed(0)} MiB RSS, connected at ${connectsPerSecond.toFixed(0)}/s`,
  )
}
const first = points[0]
const last = points.at(-1)
if (first !== undefined && last !== undefined && last.agents > first.agents) {
  const perAgent = (last.rssBytes - first.rssBytes) / (last.agents - first.agents)
  console.log(`${(perAgent / 1024).toFixed(1)} KiB RSS per idle agent`)
}
