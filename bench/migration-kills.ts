/**
 * Kills `migrate start` at random moments, again and again, while it moves the agents of a bridge under load, and takes it up again each time: does it always go on, does it come to its
 * end, is its journal whole, and is nothing lost?
 *
 *     node bench/migration-kills.ts [kills] [agents] [rate] [seed]
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brokenPromises, totalOf } from '../src/measurement/migration-account.ts'
import { explainDecision } from '../src/migration/explain.ts'
import { findMigration, readMigration } from '../src/migration/folders.ts'
import { delay } from '../src/platform/clock.ts'
import { freshSeed, seededRandom } from '../src/platform/random.ts'
import { MovingLoad } from '../src/suites/moving-load.ts'

const [kills = 20, agents = 200, rate = 500] = process.argv.slice(2, 5).map(Number)
const seed = process.argv[5] ?? freshSeed()
const longestMs = 30 * 60_000
const root = fileURLToPath(new URL('..', import.meta.url))

/** Each kill costs a second or two of watching, which counts as missing; the plan grants that. */
const plan = readFileSync(join(root, 'fixtures/migration/quick.yaml'), 'utf8').replace(
  '  interval: 1s\n',
  '  interval: 1s\n  coverage: 0.5\n  patience: 10\n',
)

const folder = mkdtempSync(join(tmpdir(), 'migration-kills-'))
const random = seededRandom(`${seed}/kills`)
const load = await MovingLoad.open(
  {
    agents,
    ratePerSecond: rate,
    payloadBytes: 300,
    deadlineMs: 10_000,
    roundDurationMs: 15_000,
    seed,
    options: { observe: '1s' },
    durability: 'os',
    transport: 'websocket',
  },
  { onProgress: () => undefined, onRound: () => undefined, onNote: console.error },
)
const stopped = new AbortController()
const timer = setTimeout(() => stopped.abort(), longestMs)
const loading = load.run(stopped.signal)
mkdirSync(join(folder, 'migrations'))
writeFileSync(join(folder, 'plan.yaml'), plan)
writeFileSync(join(folder, 'admin.key'), load.adminKey, { mode: 0o600 })

const program = join(root, 'bin/dev.js')
const shared = ['--url', load.engine.url, '--admin-key-file', 'admin.key', '--quiet', '--json']
const begin = ['migrate', 'start', 'plan.yaml', '--actor', 'bench', '--reason', 'kills']
const resume = ['migrate', 'start', '--resume', 'latest']

function start(words: readonly string[]): ChildProcess {
  return spawn(process.execPath, [program, ...words, ...shared], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
}

let made = 0
let exitCode: number | null = null
try {
  for (let run = 0; exitCode === null && !stopped.signal.aborted; run++) {
    const hasBegun = run > 0 && journalExists()
    const child = start(hasBegun ? resume : begin)
    const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
    child.stdout?.resume()
    // From before it has read its journal to well into a phase.
    const aliveMs = made < kills ? 300 + random.uniform() * 7000 : longestMs
    await Promise.race([ended, delay(aliveMs, stopped.signal)])
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      made++
      console.log(`kill ${made} after ${Math.round(aliveMs)} ms`)
    }
    const [code, signal] = await ended
    if (signal === null) exitCode = code
  }
  load.stop()
  await loading
  const migration = findMigration(join(folder, 'migrations'), 'latest')
  const replay = readMigration(migration, { recount: true })
  const account = load.account(replay.begun.id, null)
  const { scheduled, completed, timedOut, lost, duplicated, reordered } = totalOf(account)
  const decisions = replay.decisions.map(({ decision }) => (decision.kind === 'enter' ? decision.phase : decision.kind))
  console.log({
    seed,
    kills: made,
    takenUp: replay.taken.length,
    exitCode,
    status: replay.migration.status,
    decisions: decisions.join(' → '),
    lines: replay.lines,
    unwatchedMs: Math.round(replay.unwatchedMs),
    explained: explainDecision(migration, null).histograms,
    ledgers: account.rounds.map(({ ledger }) => ledger.state).join(' '),
    exchanges: { scheduled, completed, timedOut, lost, duplicated, reordered },
    broken: brokenPromises(account),
  })
  process.exitCode = made >= kills && exitCode === 0 && brokenPromises(account).length === 0 ? 0 : 1
} finally {
  clearTimeout(timer)
  stopped.abort()
  await load.close()
  rmSync(folder, { recursive: true, force: true })
}

function journalExists(): boolean {
  try {
    return readMigration(findMigration(join(folder, 'migrations'), 'latest')).lines > 0
  } catch {
    return false
  }
}
