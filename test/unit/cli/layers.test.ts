/** The linter's own test: a planted breach of each layer rule must be found, and a clean file must not. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = new URL('../../..', import.meta.url).pathname
let copy = ''

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'lighthouse-layers-'))
  cpSync(join(root, '.oxlintrc.json'), join(copy, '.oxlintrc.json'))
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  for (const folder of ['statistics', 'reports', 'certificates', 'engines', 'platform', 'suites', 'commands']) {
    mkdirSync(join(copy, 'src', folder), { recursive: true })
  }
  writeFileSync(join(copy, 'src/engines/engine.ts'), 'export const engine = 1\n')
  writeFileSync(join(copy, 'src/commands/run.ts'), 'export const run = 1\n')
  writeFileSync(join(copy, 'src/platform/clock.ts'), 'export const now = (): number => Date.now()\n')
})

afterAll(() => rmSync(copy, { recursive: true, force: true }))

function lint(file: string, text: string): { status: number | null; output: string } {
  writeFileSync(join(copy, file), text)
  const result = spawnSync(join(root, 'node_modules/.bin/oxlint'), ['--deny-warnings', file], {
    cwd: copy,
    encoding: 'utf8',
    timeout: 15_000,
  })
  rmSync(join(copy, file))
  return { status: result.status, output: result.stdout + result.stderr }
}

describe('a breach of the layers', () => {
  it.each([
    [
      'src/statistics/planted.ts',
      "import { engine } from '../engines/engine.ts'\nexport const planted = engine\n",
      'restricted',
    ],
    [
      'src/reports/planted.ts',
      "import { engine } from '../engines/engine.ts'\nexport const planted = engine\n",
      'restricted',
    ],
    [
      'src/certificates/planted.ts',
      "import { engine } from '../engines/engine.ts'\nexport const planted = engine\n",
      'restricted',
    ],
    ['src/suites/planted.ts', "import { run } from '../commands/run.ts'\nexport const planted = run\n", 'restricted'],
    ['src/suites/planted.ts', 'export const planted = (): number => Math.random()\n', 'Take a Random'],
    ['src/suites/planted.ts', 'export const planted = (): number => Date.now()\n', 'Take a Clock'],
    ['src/suites/planted.ts', "export const planted = process.env['HOME']\n", 'Ask src/platform'],
    ['src/suites/planted.ts', '// @ts-ignore\nexport const planted = 1\n', 'ts-ignore'],
  ])('in %s is found', (file, text, message) => {
    const result = lint(file, text)
    expect(result.output).toContain(message)
    expect(result.status).toBe(1)
  })

  it('is not seen where there is none', () => {
    const clean = "import { engine } from '../engines/engine.ts'\nexport const planted = engine\n"
    expect(lint('src/suites/planted.ts', clean)).toMatchObject({ status: 0 })
  })
})
