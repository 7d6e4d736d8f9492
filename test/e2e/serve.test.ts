import { execFileSync } from 'node:child_process'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { ResultsDocument } from '../../src/measurement/results-document.ts'
import { Sandbox, type RunningCommand } from './lighthouse-cli.ts'

let sandbox: Sandbox
beforeEach(() => {
  sandbox = new Sandbox()
})
afterEach(() => sandbox.cleanUp())

async function serve(engine: string, ...args: string[]): Promise<{ command: RunningCommand; url: string }> {
  const command = sandbox.start('serve', engine, '--port', '0', ...args)
  const line = await command.shows(/ready at (\S+)\n/)
  return { command, url: line.trim().split(' ').at(-1) ?? '' }
}

async function stop(command: RunningCommand): Promise<number | null> {
  command.child.kill('SIGTERM')
  return (await command.ended).code
}

const small = [
  '--profile',
  'smoke',
  '--agents',
  '10',
  '--rate',
  '40',
  '--round-duration',
  '500ms',
  '--warmup',
  '100ms',
] as const

it('serves both engines over TLS to a comparison that trusts their authority, and stops cleanly', async () => {
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  execFileSync(
    'openssl',
    ['req', '-x509', ...newKey, '-keyout', 'key.pem', '-out', 'cert.pem', '-days', '2', ...subject],
    {
      cwd: sandbox.folder,
      stdio: 'ignore',
    },
  )
  const tls = ['--tls-cert', 'cert.pem', '--tls-key', 'key.pem', '--enrolment-key-file', 'enrolment.key']
  const polling = await serve('polling', ...tls, '--options', 'interval=100ms')
  const elicitation = await serve('elicitation', ...tls)
  expect(polling.url).toMatch(/^https:/)
  expect(statSync(join(sandbox.folder, 'enrolment.key')).mode & 0o777).toBe(0o600)
  const urls = ['--polling-url', polling.url, '--elicitation-url', elicitation.url.replace('https', 'wss')]
  const key = ['--enrolment-key-file', 'enrolment.key', '--no-certificate', '--json']
  const trusting = await sandbox.run('bench', 'compare', ...small, ...urls, ...key, '--ca', 'cert.pem')
  expect([0, 20, 21, 23], trusting.stderr).toContain(trusting.code)
  const results = JSON.parse(trusting.stdout) as ResultsDocument
  for (const engine of results.engines) {
    expect([engine.host, engine.semanticsBasis]).toEqual(['url', 'declared'])
    expect(engine.exchanges.completed).toBe(engine.exchanges.scheduled)
    expect(engine.resources.cpuPercent).toBeNull()
  }
  const distrusting = await sandbox.run('bench', 'compare', ...small, ...urls, ...key)
  expect(distrusting.code).toBe(24)
  expect(await stop(polling.command)).toBe(143)
  expect(await stop(elicitation.command)).toBe(143)
})

it('refuses agents that hold another enrolment key', async () => {
  const { command, url } = await serve('elicitation', '--enrolment-key-file', 'enrolment.key')
  writeFileSync(join(sandbox.folder, 'other.key'), 'not-the-key-of-this-server\n')
  const { code, stderr } = await sandbox.run(
    ...['bench', 'compare', ...small, '--elicitation-url', url, '--enrolment-key-file', 'other.key'],
  )
  expect(code).toBe(24)
  expect(stderr).toContain('enrol')
  expect(stderr).not.toContain('not-the-key-of-this-server')
  await stop(command)
})

it.each([
  ['a port that is taken', 24],
  ['half a TLS pair', 2],
  ['a store that is a folder', 24],
  ['an unknown option', 2],
])('refuses %s', async (what, expected) => {
  const { command, url } = await serve('polling')
  const args = {
    'a port that is taken': ['--port', new URL(url).port],
    'half a TLS pair': ['--port', '0', '--tls-cert', 'cert.pem'],
    'a store that is a folder': ['--port', '0', '--store', '.'],
    'an unknown option': ['--port', '0', '--options', 'speed=high'],
  }[what]
  const { code, stderr } = await sandbox.run('serve', 'elicitation', ...(args ?? []))
  expect(code, stderr).toBe(expected)
  expect(stderr).not.toContain('    at ')
  await stop(command)
})
