#!/usr/bin/env node
/*
 * The published entry. Everything here parses and runs on old versions of Node, so that a too old one gets
 * one line instead of a syntax error; `--version` is answered before the command framework is imported.
 * A clone has `src/commands` and runs from source, an installed package runs from `dist`.
 */
import { existsSync, readFileSync } from 'fs'

const description = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const required = Number(/\d+/.exec(description.engines.node)[0])
const argv = process.argv.slice(2)

if (Number(process.versions.node.split('.')[0]) < required) {
  process.stderr.write(
    'lighthouse needs Node ' +
      required +
      ' or newer and was started with Node ' +
      process.versions.node +
      '. In a clone, run `npm ci` and then `npx lighthouse`, which brings its own.\n',
  )
  process.exitCode = 24
} else if (argv[0] === '--version') {
  const version = description.version
  const platform = process.platform + '-' + process.arch
  const text = argv.includes('--json')
    ? JSON.stringify(
        { name: description.name, version: version, platform: platform, node: process.versions.node },
        null,
        2,
      )
    : description.name + '/' + version + ' ' + platform + ' node-v' + process.versions.node
  process.stdout.on('error', function () {})
  process.stdout.write(text + '\n')
} else {
  const source = existsSync(new URL('../src/commands', import.meta.url))
  void import(source ? './dev.js' : './start.js')
}
