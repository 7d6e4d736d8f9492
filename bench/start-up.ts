/**
 * Start-up of the command line as whole processes, in turns with an empty Node: median of so many runs of each.
 *
 *   node bench/start-up.ts [runs]
 */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const runs = Number(process.argv[2] ?? 15)
const program = fileURLToPath(new URL('../bin/run.js', import.meta.url))
const commands = {
  'node -e 0': ['-e', '0'],
  '--version': [program, '--version'],
  '--help': [program, '--help'],
  'bench compare --help': [program, 'bench', 'compare', '--help'],
}
const times = new Map(Object.keys(commands).map((name): [string, number[]] => [name, []]))
for (let run = 0; run <= runs; run++) {
  for (const [name, args] of Object.entries(commands)) {
    const start = performance.now()
    execFileSync(process.execPath, args, { stdio: 'ignore' })
    // The first turn fills the caches of the disk.
    if (run > 0) times.get(name)?.push(performance.now() - start)
  }
}
const median = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN
const empty = median(times.get('node -e 0') ?? [])
for (const [name, list] of times)
  console.log(`${name}: ${median(list).toFixed(0)} ms, ${(median(list) / empty).toFixed(2)} × an empty Node`)
