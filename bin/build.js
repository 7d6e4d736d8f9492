#!/usr/bin/env node
/*
 * Builds what is published: `dist` from `src`, and the command manifest. `dist` is removed first, because the
 * compiler never deletes and a stale `dist/commands` file would stay a live command. The manifest is only
 * read by an installed package; a clone runs from source and ignores it. Anything that the compiler leaves
 * behind in `src` stops the build instead of going missing from the package.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const path = join(root, 'node_modules', '.bin') + delimiter + (process.env.PATH ?? '')

function run(command, ...parameters) {
  const result = spawnSync(command, parameters, { cwd: root, stdio: 'inherit', env: { ...process.env, PATH: path } })
  if (result.error !== undefined) throw result.error
  if (result.status !== 0) {
    process.stderr.write(
      `build: '${command} ${parameters.join(' ')}' ended with exit code ${result.status ?? result.signal}\n`,
    )
    process.exit(1)
  }
}

rmSync(join(root, 'dist'), { recursive: true, force: true })
rmSync(join(root, 'oclif.manifest.json'), { force: true })

const foreign = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && !entry.name.endsWith('.ts'))
  .map((entry) => join(entry.parentPath, entry.name))
if (foreign.length > 0) {
  process.stderr.write(
    `build: the compiler would leave these files out of dist; move them to fixtures:\n  ${foreign.join('\n  ')}\n`,
  )
  process.exit(1)
}

run('tsc', '-p', 'tsconfig.build.json')
run('oclif', 'manifest')
if (!existsSync(join(root, 'oclif.manifest.json'))) {
  process.stderr.write('build: no oclif.manifest.json was written\n')
  process.exit(1)
}
