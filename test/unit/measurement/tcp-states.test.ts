/** The state of one end of a connection, from the kernel's table and from a real connection. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect, it } from 'vitest'
import { isEstablished } from '../../../src/measurement/tcp-states.ts'

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 30 10 -1
  12: 0100007F:1F90 0100007F:C351 04 002625A0:00000000 01:00000000 00000000     0        0 0 3 0 20 4 30 10 -1
`

it('tells an open connection from one that was let go, whatever waits in it, and from none', () => {
  const held = (remotePort: number) => isEstablished(8080, remotePort, () => table)
  expect([held(50_000), held(50_001), held(50_002), held(0)]).toEqual([true, false, false, false])
  expect(isEstablished(50_000, 8080, () => table)).toBe(false)
})

it('is not known where the system does not tell', () => {
  const absent = (): string => {
    throw new Error('ENOENT')
  }
  expect(isEstablished(8080, 50_000, absent)).toBeNull()
})

it.skipIf(process.platform !== 'linux')('sees the server let go of a client that does not look', async () => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const client = connect(address.port, '127.0.0.1')
  client.pause()
  try {
    const [accepted] = (await once(server, 'connection')) as [Socket]
    await once(client, 'ready')
    expect(isEstablished(address.port, client.localPort ?? 0)).toBe(true)
    const closed = once(accepted, 'close')
    accepted.destroy()
    await closed
    expect(isEstablished(address.port, client.localPort ?? 0)).toBe(false)
  } finally {
    client.destroy()
    server.close()
  }
})
