/** A bare WebSocket echo and a bare HTTP hello in a process of their own; tells its ports and ends with its parent. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'

const http = createServer((_request, response) => response.end('hello'))
const upgrade = createServer()
const sockets = new WebSocketServer({ server: upgrade, perMessageDeflate: false })
sockets.on('connection', (socket) => {
  socket.on('message', (data: Buffer, isBinary) => socket.send(data, { binary: isBinary }))
})
http.listen(0, '127.0.0.1', () =>
  upgrade.listen(0, '127.0.0.1', () =>
    process.send?.({ http: (http.address() as AddressInfo).port, echo: (upgrade.address() as AddressInfo).port }),
  ),
)
process.on('disconnect', () => process.exit(0))
