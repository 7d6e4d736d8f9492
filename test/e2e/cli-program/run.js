/* Runs the test commands beside this file through the real command line. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { settings } from '@oclif/core/settings'

settings.enableAutoTranspile = false
const root = fileURLToPath(new URL('../../..', import.meta.url))
const description = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
const { runCommandLine } = await import('../../../src/command-line.ts')
await runCommandLine({
  root,
  pjson: { ...description, oclif: { ...description.oclif, commands: './test/e2e/cli-program/commands' } },
  ignoreManifest: true,
  isRoot: true,
})
