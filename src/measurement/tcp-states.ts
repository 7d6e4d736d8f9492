/**
 * Whether a server still holds a connection, from the kernel's table (`/proc/net/tcp`): an end of it cannot see that the other was closed
 * while data that it does not read stand before the end of the stream.
 */
import { readFileSync } from 'node:fs'

const established = '01'

/** Of the end at `localPort` to `remotePort`. null where the system does not tell; false too when there is no such connection. */
export function isEstablished(localPort: number, remotePort: number, read: () => string = readTable): boolean | null {
  let table: string
  try {
    table = read()
  } catch {
    return null
  }
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0')
  const row = new RegExp(`^\\s*\\d+: [0-9A-F]+:${hex(localPort)} [0-9A-F]+:${hex(remotePort)} ([0-9A-F]{2}) `, 'm')
  return row.exec(table)?.[1] === established
}

function readTable(): string {
  return readFileSync('/proc/net/tcp', 'latin1')
}
