/**
 * A throw-away PostgreSQL server: its own temporary folder, a free port of the loopback address, a random password.
 *
 * The server hangs on a shell that reads from this process: when the pipe ends, because `stop` closed it or because this
 * process died in whatever way, the shell stops the server, at first politely. PostgreSQL refuses to run as root, so under
 * root everything runs as the user `postgres` or, without one, `nobody`.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  accessSync,
  chownSync,
  constants,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { Client } from 'pg'
import { delay, systemClock } from '../../platform/clock.ts'
import { LighthouseError } from '../../platform/errors.ts'
import { environmentVariable } from '../../platform/process.ts'

const startWithinMs = 30_000
const stopWithinMs = 15_000

export interface PostgresServer {
  /** Of the database `store`, with the password. */
  readonly url: string
  readonly password: string
  readonly port: number
  /** Of the first process of the server. */
  readonly pid: number
  /** Runs SQL as the owner of the server on a connection of its own. */
  query<T extends object>(sql: string, values?: unknown[]): Promise<T[]>
  /** A connection of the caller's own; the caller ends it. */
  connect(): Promise<Client>
  /** SIGKILL to every process of the server at once; `start` brings it up again on the same data. */
  crash(): Promise<void>
  start(): Promise<void>
  /** Stops the server and removes its folder. */
  stop(): Promise<void>
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The folder of `initdb` and `postgres`, or null where no server is installed. */
export function postgresBinaries(): string | null {
  const debian = '/usr/lib/postgresql'
  let versions: string[] = []
  try {
    versions = readdirSync(debian).sort((a, b) => Number(b) - Number(a))
  } catch {
    // No Debian packages here; PATH may still have it.
  }
  const folders = [
    ...(environmentVariable('PATH') ?? '').split(delimiter).filter((folder) => folder !== ''),
    ...versions.map((version) => join(debian, version, 'bin')),
  ]
  return folders.find((folder) => ['initdb', 'postgres'].every((tool) => isExecutable(join(folder, tool)))) ?? null
}

function failure(what: string, cause?: unknown): LighthouseError {
  return new LighthouseError('ENVIRONMENT', what, {
    ...(cause === undefined ? {} : { cause }),
    suggestions: ['Install PostgreSQL so that its initdb and postgres run here, or name a server of your own.'],
  })
}

interface Identity {
  readonly uid?: number
  readonly gid?: number
}

function unprivileged(): Identity {
  if (process.getuid?.() !== 0) return {}
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const account = ['postgres', 'nobody']
    .map((name) => accounts.find((fields) => fields[0] === name))
    .find((fields) => fields !== undefined)
  if (account === undefined) {
    throw failure('PostgreSQL does not run as root, and there is neither a user postgres nor nobody')
  }
  return { uid: Number(account[2]), gid: Number(account[3]) }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Waits for a condition and fails loudly when it does not come. */
async function eventually(what: string, holds: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const clock = systemClock()
  const deadlineNs = clock.nowNs() + withinMs * 1e6
  while (!(await holds())) {
    if (clock.nowNs() > deadlineNs) throw failure(`did not happen within ${withinMs} ms: ${what}`)
    await delay(10)
  }
}

function isRunning(pid: number): boolean {
  try {
    // A killed process stays in the list until its parent has asked for its end.
    return !/^\d+ \(.*\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

function childrenOf(pid: number): number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim()
  return list === '' ? [] : list.split(' ').map(Number)
}

/**
 * $1 bounds the polite stop in tenths of a second, $2 is the folder, the rest starts the server. Without the word `keep` the
 * process that started it has died, and nobody else would remove the folder.
 */
const keeper = `
  limit=$1; folder=$2; shift 2
  "$@" < /dev/null >> "$PGLOG" 2>&1 &
  server=$!
  echo "$server"
  order=$(cat)
  kill -INT "$server" 2> /dev/null
  while [ "$limit" -gt 0 ] && kill -0 "$server" 2> /dev/null; do sleep 0.1; limit=$((limit - 1)); done
  kill -QUIT "$server" 2> /dev/null
  wait "$server"
  [ "$order" = keep ] || rm -rf "$folder"
`

class LocalServer implements PostgresServer {
  readonly password = randomBytes(12).toString('hex')
  readonly #binaries: string
  readonly #folder = mkdtempSync(join(tmpdir(), 'lighthouse-postgres-'))
  readonly #settings: Readonly<Record<string, string>>
  readonly #identity = unprivileged()
  #port = 0
  #shell: ChildProcess | null = null
  #server = 0

  constructor(binaries: string, settings: Readonly<Record<string, string>>) {
    this.#binaries = binaries
    this.#settings = settings
  }

  get url(): string {
    return `postgresql://owner:${this.password}@127.0.0.1:${this.#port}/store`
  }

  get port(): number {
    return this.#port
  }

  get pid(): number {
    return this.#server
  }

  initialise(): void {
    const { uid, gid } = this.#identity
    const secret = join(this.#folder, 'password')
    writeFileSync(secret, this.password, { mode: 0o600 })
    if (uid !== undefined && gid !== undefined) for (const path of [this.#folder, secret]) chownSync(path, uid, gid)
    const options = ['--username=owner', '--auth=scram-sha-256', `--pwfile=${secret}`, '--encoding=UTF8', '--locale=C']
    const made = spawnSync(
      join(this.#binaries, 'initdb'),
      ['--no-sync', ...options, '--pgdata', join(this.#folder, 'data')],
      { ...this.#identity, cwd: this.#folder, encoding: 'utf8', timeout: startWithinMs },
    )
    if (made.status !== 0) throw failure(`initdb failed: ${made.error?.message ?? made.stderr}`)
  }

  async start(): Promise<void> {
    // Somebody may take the free port before the server does.
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#startOnce(await freePort())
        return
      } catch (error) {
        await this.#end()
        if (attempt === 3) throw failure(`${String(error)}\n${this.#log()}`, error)
      }
    }
  }

  async #startOnce(port: number): Promise<void> {
    const settings = {
      listen_addresses: '127.0.0.1',
      port: String(port),
      unix_socket_directories: '',
      shared_buffers: '16MB',
      autovacuum: 'off',
      ...this.#settings,
    }
    const server = [
      join(this.#binaries, 'postgres'),
      '-D',
      join(this.#folder, 'data'),
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ]
    const shell = spawn('/bin/sh', ['-c', keeper, 'keeper', '100', this.#folder, ...server], {
      ...this.#identity,
      cwd: this.#folder,
      env: { PATH: environmentVariable('PATH') ?? '', LC_ALL: 'C', PGLOG: join(this.#folder, 'log') },
      stdio: ['pipe', 'pipe', 'ignore'],
      // Its own group, so that an interrupt of the terminal reaches it only through the pipe.
      detached: true,
    })
    this.#shell = shell
    const [line] = (await once(shell.stdout, 'data', { signal: AbortSignal.timeout(startWithinMs) })) as [Buffer]
    this.#server = Number(line.toString())
    this.#port = port
    await eventually(
      'the server answers',
      async () => {
        if (!isRunning(this.#server)) throw failure('the server ended while it started')
        return this.#prepare().then(
          () => true,
          () => false,
        )
      },
      startWithinMs,
    )
  }

  /** Makes the database, once. */
  async #prepare(): Promise<void> {
    const client = this.#client('postgres')
    try {
      await client.connect()
      const { rows } = await client.query("SELECT FROM pg_database WHERE datname = 'store'")
      if (rows.length === 0) await client.query('CREATE DATABASE store')
    } finally {
      await client.end()
    }
  }

  #client(database: string): Client {
    const url = `postgresql://owner:${this.password}@127.0.0.1:${this.#port}/${database}`
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 5000, query_timeout: 10_000 })
    // A server that is killed on purpose takes these connections with it.
    client.on('error', () => {})
    return client
  }

  async connect(): Promise<Client> {
    const client = this.#client('store')
    await client.connect()
    return client
  }

  async query<T extends object>(sql: string, values: unknown[] = []): Promise<T[]> {
    const client = await this.connect()
    try {
      return (await client.query<T>(sql, values)).rows
    } finally {
      await client.end()
    }
  }

  async crash(): Promise<void> {
    const processes = [this.#server, ...childrenOf(this.#server)]
    for (const pid of processes) process.kill(pid, 'SIGKILL')
    await eventually('every process of the server has ended', () => !processes.some(isRunning))
    await this.#end()
  }

  async stop(): Promise<void> {
    await this.#end()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #end(): Promise<void> {
    const shell = this.#shell
    this.#shell = null
    if (shell === null) return
    const ended = shell.exitCode === null ? once(shell, 'exit') : Promise.resolve([])
    shell.stdin?.end('keep')
    const giveUp = new AbortController()
    const outcome = await Promise.race([ended, delay(stopWithinMs, giveUp.signal).then(() => 'late' as const)])
    giveUp.abort()
    if (outcome !== 'late') return
    shell.kill('SIGKILL')
    if (isRunning(this.#server)) process.kill(this.#server, 'SIGKILL')
    throw failure(`the server did not stop within ${stopWithinMs} ms\n${this.#log()}`)
  }

  #log(): string {
    try {
      return readFileSync(join(this.#folder, 'log'), 'utf8').slice(-2000)
    } catch {
      return ''
    }
  }
}

/** Starts a server; the caller stops it. `settings` are server parameters. */
export async function startPostgres(settings: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
  const binaries = postgresBinaries()
  if (binaries === null) {
    throw failure(
      'PostgreSQL is not installed: initdb and postgres are neither on PATH nor in /usr/lib/postgresql/*/bin',
    )
  }
  const server = new LocalServer(binaries, settings)
  try {
    server.initialise()
    await server.start()
    return server
  } catch (error) {
    await server.stop()
    throw error
  }
}
