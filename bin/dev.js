#!/usr/bin/env node
/*
 * Starts the command line from the TypeScript sources of a clone. The framework's own development mode
 * reads a compiler interface that TypeScript 7 does not have and then falls back to a stale `dist`
 * without a word, so it is switched off and the commands folder is named here instead. A manifest is ignored.
 */
import { readFileSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

enableCompileCache()
const root = fileURLToPath(new URL('..', import.meta.url))
const description = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const { settings } = await import('@oclif/core/settings')
settings.enableAutoTranspile = false
const { runCommandLine } = await import('../src/command-line.ts')
await runCommandLine({
  root,
  pjson: { ...description, oclif: { ...description.oclif, commands: './src/commands' } },
  ignoreManifest: true,
  isRoot: true,
})
