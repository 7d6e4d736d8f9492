/** Probes of new connections against servers that serve, refuse, hang up and say nothing. */
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { ConnectionProbes } from '../../../src/load/connection-probes.ts'

const servers: Server[] = []
const sockets: Socket[] = []
const probes: ConnectionProbes[] = []
afterEach(() => {
  for (const each of probes.splice(0)) each.close()
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) server.close()
})

async function serverThat(does: (socket: Socket, number: number) => void): Promise<ConnectionProbes> {
  let number = 0
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    does(socket, number++)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const made = new ConnectionProbes(`http://127.0.0.1:${address.port}`)
  probes.push(made)
  return made
}

const saying = (status: string) => (socket: Socket) =>
  void socket.once('data', () => socket.write(`HTTP/1.1 ${status}\r\n\r\n`))

it('counts every outcome by what the client was told', async () => {
  const does = [
    saying('200 OK'),
    saying('404 Not Found'),
    saying('503 Service Unavailable'),
    saying('429 Too Many Requests'),
    (socket: Socket) => void socket.end(),
    (socket: Socket) => void socket.resetAndDestroy(),
    () => undefined,
  ]
  const made = await serverThat((socket, number) => does[number % does.length]?.(socket))
  expect(await made.ask(2 * does.length, 500)).toEqual({ served: 4, refused: 4, closed: 4, silent: 2 })
})

it('keeps what was served open until it is closed, and calls what nobody listens to closed', async () => {
  const made = await serverThat(saying('200 OK'))
  expect(await made.ask(3, 1000)).toMatchObject({ served: 3 })
  expect(sockets.filter((socket) => !socket.destroyed)).toHaveLength(3)
  const ended = sockets.map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())))
  made.close()
  await Promise.all(ended)
  for (const server of servers.splice(0)) await new Promise<void>((resolve) => server.close(() => resolve()))
  expect(await made.ask(2, 1000)).toEqual({ served: 0, refused: 0, closed: 2, silent: 0 })
})
