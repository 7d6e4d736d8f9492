#!/usr/bin/env node
/*
 * Starts the command line from the TypeScript sources of a clone. The framework's own development mode
 * reads a compiler interface that TypeScript 7 does not have and then falls back to a stale `dist`
 * without a word, so it is switched off and the commands folder is named here instead. A manifest is ignored.
 *
 * Without a manifest every command is loaded to find one; `--help` needs only what it shows, so it loads only that.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
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
  pjson: {
    ...description,
    oclif: {
      ...description.oclif,
      commands: { strategy: 'pattern', target: './src/commands', ...helpPatterns(process.argv.slice(2)) },
    },
  },
  ignoreManifest: true,
  isRoot: true,
})

/** Nothing unless help is asked for; then the file of that command, or what the overview shows. */
function helpPatterns(argv) {
  const end = argv.indexOf('--')
  const options = end === -1 ? argv : argv.slice(0, end)
  if (!options.includes('--help') && !options.includes('-h')) return {}
  const words = []
  for (const word of argv) {
    if (!/^[a-z-]+$/.test(word) || word.startsWith('-')) break
    words.push(word)
  }
  if (words.length === 0) return { globPatterns: ['*.ts', ...oneOfEachTopic()] }
  for (let count = words.length; count > 0; count--) {
    const file = `${words.slice(0, count).join('/')}.ts`
    if (existsSync(new URL(`../src/commands/${file}`, import.meta.url))) return { globPatterns: [file] }
  }
  return {}
}

/** A topic is listed when it has a command; its text stands in package.json. */
function oneOfEachTopic() {
  const folder = new URL('../src/commands/', import.meta.url)
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => {
      const file = readdirSync(new URL(`${entry.name}/`, folder)).find((name) => name.endsWith('.ts'))
      return file === undefined ? [] : [`${entry.name}/${file}`]
    })
}
