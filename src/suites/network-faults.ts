/** Faults between clients and engine, done by a proxy that speaks neither's protocol. */
import type { Bite, FaultKind, FaultTools } from './fault.ts'
import type { FaultProxy } from '../faults/fault-proxy.ts'
import type { ToxicInput } from '../faults/toxics.ts'
import { delay } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'

/** Cut connections heal themselves: there is nothing to wait for. */
export function reset(share: number): FaultKind['run'] {
  return (tools) => {
    const { figure, injected, healed } = tools
    const proxy = proxyOf(tools)
    const open = proxy.connections()
    injected()
    const count = proxy.resetConnections(share)
    healed()
    figure('connectionsReset', count)
    return Promise.resolve({ bit: count > 0, shownBy: `${count} of ${open} connections reset` })
  }
}

/** Nobody listens and every connection is cut: what clients see of a machine that is gone and comes back. */
export async function unreachable(tools: FaultTools, forMs: number): Promise<Bite> {
  const { figure, injected, healed, signal } = tools
  const proxy = proxyOf(tools)
  injected()
  proxy.disable()
  const count = proxy.resetConnections(1)
  figure('connectionsReset', count)
  try {
    await delay(forMs, signal)
  } finally {
    await proxy.enable()
    healed()
  }
  return { bit: count > 0, shownBy: `${count} connections reset and new ones refused` }
}

export function toxic(input: (random: Random) => ToxicInput): FaultKind['run'] {
  return async (tools, forMs) => {
    const { random, injected, healed, signal } = tools
    const proxy = proxyOf(tools)
    const added = proxy.addToxic(input(random))
    injected()
    await delay(forMs, signal)
    const { counts } = proxy.removeToxic(added.name)
    healed()
    const { connectionsAffected, connectionsChosen, firstAffectedAtNs: _at, ...done } = counts
    const what = Object.entries(done).flatMap(([name, count]) =>
      count > 0 ? [`${count} ${toxicWords[name] ?? name}`] : [],
    )
    return {
      bit: connectionsAffected > 0,
      shownBy: `${added.type} reached ${connectionsAffected} of ${connectionsChosen} connections${what.length === 0 ? '' : `: ${what.join(', ')}`}`,
    }
  }
}

const toxicWords: Readonly<Record<string, string>> = {
  bytesDelayed: 'bytes delayed',
  bytesDropped: 'bytes dropped',
  bytesCorrupted: 'bytes corrupted',
  endsDelayed: 'ends of stream delayed',
  endsDropped: 'ends of stream dropped',
}

function proxyOf({ proxy }: FaultTools): FaultProxy {
  if (proxy === null) throw new Error('a fault of the network needs the proxy')
  return proxy
}
