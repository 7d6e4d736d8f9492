/**
 * The published package: packed from a copy of the files under version control, installed from its tarball into an
 * empty folder, and run from there, where there are no sources and Node strips no types.
 */
import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = new URL('../..', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'lighthouse-package-'))
const copy = join(folder, 'copy')
const installed = join(folder, 'installed')
const program = join(installed, 'node_modules/lighthouse-harness/bin/run.js')
const installMs = 240_000

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function run(command: string, parameters: readonly string[], cwd: string, timeout = 60_000): SpawnSyncReturns<string> {
  const path = [dirname(process.execPath), process.env['PATH']].join(delimiter)
  return spawnSync(command, parameters, {
    cwd,
    encoding: 'utf8',
    timeout,
    env: { ...process.env, PATH: path, NO_COLOR: '1' },
  })
}

function succeeds(result: SpawnSyncReturns<string>): SpawnSyncReturns<string> {
  if (result.status !== 0) throw new Error(`exit ${result.status ?? result.signal}\n${result.stdout}\n${result.stderr}`)
  return result
}

beforeAll(() => {
  const files = succeeds(
    run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], root),
  ).stdout.split('\0')
  for (const file of files) {
    if (file === '' || file.startsWith('test/') || !existsSync(join(root, file))) continue
    mkdirSync(dirname(join(copy, file)), { recursive: true })
    cpSync(join(root, file), join(copy, file))
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  succeeds(run('npm', ['pack', '--silent', '--pack-destination', folder], copy, installMs))
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? 'no tarball'
  mkdirSync(installed)
  writeFileSync(join(installed, 'package.json'), '{ "name": "empty", "version": "1.0.0", "private": true }\n')
  const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', join(folder, tarball)]
  succeeds(run('npm', install, installed, installMs))
}, 2 * installMs)

describe('the installed package', () => {
  it('holds code and fixtures, and neither sources nor tests', () => {
    const held = readdirSync(join(installed, 'node_modules/lighthouse-harness'))
    for (const name of ['bin', 'dist', 'fixtures', 'oclif.manifest.json', 'package.json']) expect(held).toContain(name)
    for (const name of ['src', 'test', 'bench']) expect(held).not.toContain(name)
    const documents = readdirSync(join(installed, 'node_modules/lighthouse-harness/docs'))
    for (const name of ['results.schema.json', 'results-output.schema.json']) expect(documents).toContain(name)
  })

  it('answers --version and --help from the manifest', () => {
    const version = run(process.execPath, [program, '--version'], installed)
    expect(version).toMatchObject({ status: 0, stderr: '' })
    expect(version.stdout).toContain('lighthouse-harness/')
    const help = run(process.execPath, [program, '--help'], installed)
    expect(help).toMatchObject({ status: 0, stderr: '' })
    expect(help.stdout).toContain('bench')
  })

  it('puts the command on the path of npx', () => {
    const ended = run('npx', ['--no-install', 'lighthouse', 'bench', 'compaer'], installed)
    expect(ended.status).toBe(2)
    expect(ended.stderr).toContain('lighthouse bench compare')
  })

  it('starts engines and load from compiled modules', () => {
    const size = ['--agents', '4', '--rate', '20', '--rounds', '1', '--round-duration', '300ms', '--warmup', '100ms']
    const parameters = [
      program,
      'bench',
      'compare',
      '--profile',
      'smoke',
      '--no-certificate',
      '--json',
      '--quiet',
      ...size,
    ]
    const ended = run(process.execPath, parameters, installed, 100_000)
    const document = JSON.parse(ended.stdout) as { exitCode: number; engines: unknown[]; runDirectory: string }
    expect(document.engines).toHaveLength(2)
    // One round is too few for a verdict, whatever it measured.
    expect([ended.status, document.exitCode]).toEqual([23, 23])
    expect(existsSync(join(installed, document.runDirectory, 'results.json'))).toBe(true)
    const report = run(process.execPath, [program, 'report', document.runDirectory, '--json'], installed)
    expect(JSON.parse(report.stdout)).toMatchObject({ exitCode: 23 })
  })
})
