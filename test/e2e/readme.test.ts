/** The examples of the README: those marked quick are run as written, all others must be commands that exist. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'

const root = new URL('../..', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'lighthouse-readme-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Example {
  readonly quick: boolean
  readonly words: readonly string[]
}

function examples(): Example[] {
  const blocks = readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^```sh( quick)?\n([\s\S]*?)^```$/gm)
  return [...blocks].flatMap(([, quick, text = '']) =>
    text
      .trim()
      .split('\n')
      .filter((line) => line.startsWith('npx lighthouse '))
      .map((line) => ({ quick: quick !== undefined, words: line.split(' ').slice(2) })),
  )
}

function lighthouse(words: readonly string[]): { status: number | null; stderr: string; stdout: string } {
  const options = { cwd: folder, encoding: 'utf8', timeout: 60_000, env: { ...process.env, NO_COLOR: '1' } } as const
  return spawnSync(process.execPath, [join(root, 'bin/run.js'), ...words], options)
}

describe('the README', () => {
  it('has examples of every command topic', () => {
    const topics = new Set(examples().map(({ words }) => words[0]))
    for (const topic of ['bench', 'doctor', 'report', 'serve', 'certify', '--version', '--help'])
      expect(topics).toContain(topic)
    expect(examples().filter(({ quick }) => quick).length).toBeGreaterThanOrEqual(5)
  })

  it.each(examples().filter(({ quick }) => quick))('shows a quick example that runs: $words', ({ words }) => {
    const ended = lighthouse(words)
    expect(ended.stderr).toBe('')
    expect(ended.status).toBe(0)
    expect(ended.stdout.length).toBeGreaterThan(20)
  })

  it.each(examples().filter(({ quick }) => !quick))('shows a long example whose flags exist: $words', ({ words }) => {
    // Topics come first; what follows the command's own words are its arguments.
    const depth = words[0] === 'report' || words[0] === 'doctor' ? 1 : words[1] === 'trust' ? 3 : 2
    const command = words.slice(0, depth)
    const help = lighthouse([...command, '--help'])
    expect(help.status).toBe(0)
    for (const word of words.filter((word) => word.startsWith('--'))) expect(help.stdout).toContain(word)
  })

  it('lists the exit codes that the program uses', async () => {
    const { exitCodes } = await import('../../src/platform/errors.ts')
    const table = readFileSync(join(root, 'docs/exit-codes.md'), 'utf8')
    for (const code of Object.values(exitCodes)) expect(table).toContain(`\n| ${code} |`)
  })
})
