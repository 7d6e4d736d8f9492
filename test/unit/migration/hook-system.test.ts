/** Hooks that are called: what they are asked, what they may see, and what becomes of those that fail, hang or say too much. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { address, interval, observed, PlantedServer, saying, shell, systemOf } from './hook-harness.ts'

const folder = mkdtempSync(join(tmpdir(), 'lighthouse-hooks-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const secret = 'planted-secret-4711'
beforeEach(() => {
  vi.stubEnv('PLANTED_SECRET', secret)
  vi.stubEnv('PLANTED_OTHER', 'not-to-be-seen')
})
const servers: PlantedServer[] = []
afterEach(async () => {
  vi.unstubAllEnvs()
  for (const server of servers.splice(0)) await server.close()
})

async function serve(...answer: Parameters<typeof PlantedServer.open>): Promise<PlantedServer> {
  const server = await PlantedServer.open(...answer)
  servers.push(server)
  return server
}

const directive = {
  percentage: 12.5,
  switches: { dualMode: true },
  actor: 'lighthouse migrate',
  reason: 'm-1: phase half',
}

async function messageOf(act: Promise<unknown>): Promise<string> {
  const error: unknown = await act.then(
    () => expect.fail('it succeeded'),
    (reason: unknown) => reason,
  )
  expect(error).toMatchObject({ code: 'ENGINE_UNREACHABLE' })
  const { message, suggestions } = error as { message: string; suggestions: string[] }
  expect(suggestions.length).toBeGreaterThan(0)
  return message
}

/** Gone, or dead and not yet collected by whoever inherited it; waits for it at most ten seconds. */
async function gone(pid: string): Promise<boolean> {
  for (let tries = 0; tries < 200; tries++) {
    if (!existsSync(`/proc/${pid}`)) return true
    try {
      if (/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) return true
    } catch {
      return true
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return false
}

describe('a program', () => {
  it('is asked on its standard input, and sees of the environment what it was granted', async () => {
    const file = join(folder, 'asked')
    const script = `cat > ${file}; env > ${file}.env`
    await systemOf({ setPercentage: shell(script, { environment: ['PLANTED_SECRET', 'NOT_SET'] }) }, 'm-1').direct(
      directive,
    )
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ schemaVersion: 1, ...directive, migration: 'm-1' })
    const environment = readFileSync(`${file}.env`, 'utf8')
    expect(environment).toContain(`PLANTED_SECRET=${secret}`)
    expect(environment).not.toMatch(/PLANTED_OTHER|NOT_SET/)
    await systemOf({ health: shell(`cat > ${file}`) }).health()
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ schemaVersion: 1 })
  })

  it('is started without a shell', async () => {
    const file = join(folder, 'words')
    const words = ['$(false)', '`false`', '| & > x;', '*']
    const script = 'require("node:fs").writeFileSync(process.argv[1], JSON.stringify(process.argv.slice(2)))'
    const command = [process.execPath, '-e', script, file, ...words]
    await systemOf({ setPercentage: shell('', { command }) }).direct(directive)
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(words)
  })

  it('may leave its standard input unread', async () => {
    await systemOf({ setPercentage: shell('exit 0') }).direct({ ...directive, reason: 'x'.repeat(2000) })
  })

  it.each([
    [
      'fails',
      shell('echo because >&2; exit 3'),
      /^The hook setPercentage \(.*\) failed: exit code 3, and said: because\.$/,
    ],
    ['is ended by a signal', shell('kill -9 $$'), /it was ended by SIGKILL/],
    ['does not exist', shell('', { command: ['/nowhere/at-all'] }), /cannot be started: ENOENT/],
    ['is no program', shell('', { command: ['/dev/null'] }), /cannot be started: EACCES/],
    ['says too much', shell('yes'), /more than 1048576 bytes/],
    ['complains too much', shell('yes >&2'), /more than 1048576 bytes/],
    ['hangs', shell('sleep 60', { timeoutMs: 300 }), /did not end within 0\.3 s and was killed/],
    ['says what is no text', shell(String.raw`printf '\377'`), /not UTF-8/],
    [
      'quotes what it was given',
      shell('echo $PLANTED_SECRET >&2; exit 1', { environment: ['PLANTED_SECRET'] }),
      /said: \$PLANTED_SECRET/,
    ],
    ['colours what it says', shell(String.raw`printf '\033[31mred\n\nmore' >&2; exit 1`), /said: \[31mred more/],
  ])('that %s is an error', async (_what, setPercentage, expected) => {
    const message = await messageOf(systemOf({ setPercentage }).direct(directive))
    expect(message).toMatch(expected)
    expect(message).not.toContain(secret)
    expect(message).not.toMatch(/[\u0000-\u001f]/)
  })

  it('that hangs is killed with what it started', async () => {
    const file = join(folder, 'pids')
    const script = `trap '' TERM; sleep 600 & echo $$ $! > ${file}; wait`
    await messageOf(systemOf({ observe: shell(script, { timeoutMs: 2000 }) }).measure(null))
    const pids = readFileSync(file, 'utf8').trim().split(' ')
    expect(pids).toHaveLength(2)
    for (const pid of pids) expect(await gone(pid)).toBe(true)
  })

  it('is not waited for when something that left its group holds its output', async () => {
    const file = join(folder, 'left')
    const script = `setsid sleep 600 & echo $! > ${file}; exit 0`
    const message = await messageOf(systemOf({ observe: shell(script, { timeoutMs: 500 }) }).measure(null))
    expect(message).toMatch(/did not end within/)
    process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL')
  })

  it('is stopped when the system is closed', async () => {
    const file = join(folder, 'stopped')
    const system = systemOf({ observe: shell(`echo $$ > ${file}; sleep 600`, { timeoutMs: 60_000 }) })
    const ended = messageOf(system.measure(null))
    await vi.waitFor(() => expect(readFileSync(file, 'utf8')).not.toBe(''), { timeout: 10_000 })
    await system.close()
    expect(await ended).toMatch(/it was stopped/)
    expect(await gone(readFileSync(file, 'utf8').trim())).toBe(true)
  })
})

describe('an address', () => {
  it('is asked with a body and the values of its headers', async () => {
    const server = await serve((_, response) => response.end())
    const headers = { Authorization: 'PLANTED_SECRET' }
    await systemOf({ setPercentage: address(`${server.url}/share?tenant=1`, { headers }) }).direct(directive)
    const [asked] = server.asked
    expect(asked).toMatchObject({ method: 'POST', url: '/share?tenant=1', headers: { authorization: secret } })
    expect(asked?.headers['content-type']).toBe('application/json')
    expect(JSON.parse(asked?.body ?? '')).toEqual({ schemaVersion: 1, ...directive })
  })

  it('is asked for what comes after the last interval, and without a body by GET', async () => {
    const server = await serve((_, response) => response.end(observed(interval(1), interval(2))))
    const post = systemOf({ observe: address(server.url) })
    await post.measure({ stream: 'a', sequence: 1 })
    const get = systemOf({ observe: address(server.url, { method: 'GET' }) })
    expect((await get.measure({ stream: 'a', sequence: 1 })).map(({ sequence }) => sequence)).toEqual([2])
    expect(server.asked.map(({ method, body }) => [method, body])).toEqual([
      ['POST', '{"schemaVersion":1,"after":{"stream":"a","sequence":1}}'],
      ['GET', ''],
    ])
  })

  it('is shown without its query', () => {
    expect(systemOf({ observe: address('http://10.0.0.5/i?key=hunter2') }).address).toBe('POST http://10.0.0.5/i')
  })

  it('that redirects is not followed', async () => {
    const elsewhere = await serve((_, response) => response.end('{}'))
    const server = await serve((_, response) => response.writeHead(307, { location: elsewhere.url }).end())
    const headers = { authorization: 'PLANTED_SECRET' }
    const message = await messageOf(systemOf({ setPercentage: address(server.url, { headers }) }).direct(directive))
    expect(message).toMatch(/it answered 307, and no redirect is followed/)
    expect(message).not.toContain(secret)
    expect(elsewhere.asked).toEqual([])
  })

  it.each([
    ['refuses', 401, 'secret of mine', /it answered 401\.$/],
    ['fails', 503, 'x', /it answered 503\.$/],
    ['says too much', 200, 'x'.repeat(2 ** 20 + 1), /more than 1048576 bytes/],
    ['is no text', 200, Buffer.from([0xff]), /not UTF-8/],
  ])('that %s is an error', async (_what, status, body, expected) => {
    const server = await serve((_, response) => response.writeHead(status).end(body))
    expect(await messageOf(systemOf({ observe: address(server.url) }).measure(null))).toMatch(expected)
  })

  it.each([
    ['never answers', () => null],
    ['never ends', (write: (text: string) => void) => setInterval(() => write(' '), 20)],
  ] as const)('that %s is an error', async (_what, begin) => {
    const timers: (NodeJS.Timeout | null)[] = []
    const server = await serve((_, response) => void timers.push(begin((text) => response.write(text))))
    const observe = address(server.url, { timeoutMs: 500 })
    expect(await messageOf(systemOf({ observe }).measure(null))).toMatch(/did not end within 0\.5 s/)
    for (const timer of timers) if (timer !== null) clearInterval(timer)
  })

  it('where nobody listens, and one that hangs up, are errors', async () => {
    const server = await serve((request) => request.socket.destroy())
    expect(await messageOf(systemOf({ observe: address(server.url) }).measure(null))).toMatch(/no answer came/)
    const { url } = server
    await servers.splice(0)[0]?.close()
    expect(await messageOf(systemOf({ observe: address(url) }).measure(null))).toMatch(
      /no answer came \(ECONNREFUSED\)/,
    )
  })

  it('whose headers cannot be read is refused before anything is called', () => {
    const withVariable = (variable: string) => () =>
      systemOf({ observe: address('http://127.0.0.1:1', { headers: { authorization: variable } }) })
    expect(withVariable('NOT_SET')).toThrow(/the environment variable NOT_SET is not set/)
    vi.stubEnv('PLANTED_SECRET', `${secret}\r\nx: y`)
    expect(withVariable('PLANTED_SECRET')).toThrow(
      /^the environment variable PLANTED_SECRET holds what no header may hold$/,
    )
  })
})

describe('health', () => {
  it('is what the hook says by how it ends', async () => {
    expect(await systemOf({}).health()).toEqual({ healthy: true, reason: 'its health hook says so' })
    const failing = await systemOf({ health: shell('exit 2') }).health()
    expect(failing).toEqual({ healthy: false, reason: expect.stringMatching(/hook health .* exit code 2/) })
    const server = await serve((_, response) => response.writeHead(204).end())
    expect(await systemOf({ health: address(server.url, { method: 'GET' }) }).health()).toMatchObject({ healthy: true })
  })
})

describe('an interval that is wrong', () => {
  it('is refused once and stepped over from then on', async () => {
    const bad = (sequence: number) => interval(sequence, { lost: -1 })
    const text = observed(interval(0), bad(1), bad(2), interval(3))
    const system = systemOf({ observe: saying(text) })
    expect((await system.measure(null)).map(({ sequence }) => sequence)).toEqual([0])
    const after = { stream: 'a', sequence: 0 }
    expect(await messageOf(system.measure(after))).toMatch(/observe .* interval 1: lost/)
    expect(await messageOf(system.measure(after))).toMatch(/interval 2: lost/)
    expect((await system.measure(after)).map(({ sequence }) => sequence)).toEqual([3])
  })

  it('does so too when the system counts anew', async () => {
    const system = systemOf({ observe: saying(observed(interval(0, { lost: -1 }), interval(1))) })
    const after = { stream: 'before', sequence: 99 }
    await messageOf(system.measure(after))
    expect((await system.measure(after)).map(({ sequence }) => sequence)).toEqual([1])
  })
})

it('leaves the length of intervals to the plan', async () => {
  expect(await systemOf({}).intervalMs()).toBeNull()
})
