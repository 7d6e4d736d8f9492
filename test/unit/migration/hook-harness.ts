/** Hooks for tests: small programs, and a server that answers as it is told. */
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HookSystem } from '../../../src/migration/hook-system.ts'
import type { CommandHook, Hook, Hooks, HttpHook } from '../../../src/migration/plan.ts'

export function shell(script: string, more: Partial<CommandHook> = {}): CommandHook {
  return { kind: 'command', command: ['/bin/sh', '-c', script], timeoutMs: 10_000, environment: [], ...more }
}

export function address(url: string, more: Partial<HttpHook> = {}): HttpHook {
  return { kind: 'http', url, method: 'POST', timeoutMs: 10_000, headers: {}, ...more }
}

export const nothing = shell('exit 0')

export function systemOf(hooks: Partial<Hooks>, migration: string | null = null): HookSystem {
  const all: Hooks = { setPercentage: nothing, health: nothing, observe: nothing, whereabouts: null, ...hooks }
  return new HookSystem({ hooks: all, boundsMs: [300, 1000], migration, ca: null })
}

/** Says `text` whatever it is asked. */
export function saying(text: string): Hook {
  return shell('printf %s "$0"', { command: ['/bin/sh', '-c', 'printf %s "$0"', text] })
}

export const group = { agents: 10, due: 100, failed: 1, above: { '300': 5, '1000': 2 } }

export function interval(sequence: number, more: object = {}): object {
  const times = { durationMs: 10_000, endedAgoMs: 5 }
  return { sequence, ...times, candidate: group, baseline: group, lost: null, securityViolations: 0, ...more }
}

export function observed(...intervals: object[]): string {
  return JSON.stringify({ schemaVersion: 1, stream: 'a', intervals })
}

export interface Asked {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export class PlantedServer {
  readonly asked: Asked[] = []
  private readonly server: Server

  private constructor(server: Server) {
    this.server = server
  }

  static async open(answer: RequestListener): Promise<PlantedServer> {
    const server = createServer()
    const planted = new PlantedServer(server)
    server.on('request', (request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')))
      request.on('end', () => {
        planted.asked.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body })
        answer(request, response)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return planted
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }
}
