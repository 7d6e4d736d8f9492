/** `lighthouse doctor` through the command line: on this machine as it is, with few descriptors, and with a folder that takes no file. */
import { readdirSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DoctorDocument } from '../../src/measurement/doctor-document.ts'
import { program, Sandbox } from './lighthouse-cli.ts'

const sandbox = new Sandbox()
afterAll(() => sandbox.cleanUp())

const states = ['OK', 'LIMITED', 'FAILED', 'UNKNOWN']

function parsed(stdout: string): DoctorDocument {
  return JSON.parse(stdout) as DoctorDocument
}

describe('the doctor', () => {
  let code: number | null = null
  let document: DoctorDocument

  beforeAll(async () => {
    const ended = await sandbox.run('doctor', '--json')
    code = ended.code
    document = parsed(ended.stdout)
  })

  it('ends with the exit code that its document names', () => {
    expect([0, 20, 24]).toContain(code)
    expect(document.exitCode).toBe(code)
    expect([document.schemaVersion, document.profile]).toEqual([1, 'standard'])
  })

  it('judges every suite at every profile', () => {
    const of = (profile: string): string[] =>
      document.suites.filter((suite) => suite.profile === profile).map(({ suite }) => suite)
    expect(of('standard')).toEqual(expect.arrayContaining(['comparison', 'scaling']))
    expect([of('smoke'), of('full')]).toEqual([of('standard'), of('standard')])
    for (const { state, reasons } of document.suites) expect(state === 'CAN_BE_VALID').toBe(reasons.length === 0)
  })

  it('gives each check a reading, and a reason where it is not OK', () => {
    expect(document.checks.map(({ name }) => name)).toEqual([
      'node',
      'descriptors',
      'cores',
      'memory',
      'ports',
      'steal',
      'foreignCpu',
      'clock',
      'timers',
      'disk',
      'fsync',
      'git',
      'postgresql',
      'prlimit',
      'cgroupMemory',
      'networkNamespace',
      'netem',
    ])
    for (const { state, reading, reason } of document.checks) {
      expect(states).toContain(state)
      expect(reading).not.toBe('')
      expect(reason === null).toBe(state === 'OK')
    }
  })

  it('has timed something', () => {
    const { clock, output, windowMs } = document.machine
    expect(windowMs).toBeGreaterThan(0)
    expect(clock.timers).toBeGreaterThan(0)
    expect(clock.sendLatenessP99Ms.value).toBeGreaterThan(0)
    expect(clock.smallestStepNs.value).toBeGreaterThan(0)
    expect(output.sync.value?.appends).toBeGreaterThan(0)
  })

  it('leaves nothing behind', () => {
    expect(readdirSync(sandbox.folder)).toEqual([])
  })
})

describe('the doctor, asked for one profile and in a hurry', () => {
  it('prints the verdict first, shows that profile alone, and says what is not known', async () => {
    const { code, stdout, stderr } = await sandbox.run('doctor', '--profile', 'smoke', '--quick', '--quiet')
    expect([0, 20, 24]).toContain(code)
    expect(stderr).toBe('')
    expect(stdout.split('\n')[0]).toMatch(new RegExp(` at profile smoke \\(exit ${code}\\)$`))
    expect(stdout).toContain('Nothing was timed')
    expect(stdout).not.toMatch(/│ (standard|full) /)
    const { checks, suites } = parsed((await sandbox.run('doctor', '--profile', 'smoke', '--quick', '--json')).stdout)
    expect(new Set(suites.map(({ profile }) => profile))).toEqual(new Set(['smoke']))
    const unknown = checks.filter(({ state }) => state === 'UNKNOWN').map(({ name }) => name)
    for (const name of ['steal', 'foreignCpu', 'timers']) expect(unknown).toContain(name)
  })

  it('refuses a profile that there is not', async () => {
    expect((await sandbox.run('doctor', '--profile', 'huge')).code).toBe(2)
  })
})

describe('the doctor on a machine with too little', () => {
  it.runIf(process.platform === 'linux')(
    'names a folder that takes no file, ends with 24, and makes nothing',
    async () => {
      for (const folder of ['/proc/nothing/runs', 'file/runs']) {
        writeFileSync(join(sandbox.folder, 'file'), 'x')
        const { code, stdout } = await sandbox.run('doctor', '--quick', '--json', '--output', folder)
        const { checks, suites } = parsed(stdout)
        expect(code).toBe(24)
        expect(checks.find(({ name }) => name === 'disk')).toMatchObject({ state: 'FAILED', stopsSuites: true })
        expect(suites.map(({ state }) => state)).toEqual(suites.map(() => 'CANNOT_BE_VALID'))
      }
      expect(readdirSync(sandbox.folder)).toEqual(['file'])
    },
  )

  it.runIf(process.platform === 'linux').each([
    [512, 24, ['CANNOT_BE_VALID', 'CANNOT_BE_VALID']],
    [1024, 20, ['CAN_BE_VALID', 'LIMITED']],
  ])('with %i descriptors ends with %i', (limit, exitCode, verdicts) => {
    const words = ['doctor', '--quick', '--json', '--profile', 'standard']
    const ended = spawnSync(
      '/bin/sh',
      ['-c', `ulimit -n ${limit} && exec "$@"`, 'sh', process.execPath, program, ...words],
      {
        cwd: sandbox.folder,
        encoding: 'utf8',
        timeout: 60_000,
        env: { PATH: process.env['PATH'] ?? '', HOME: sandbox.folder },
      },
    )
    const { checks, suites } = parsed(ended.stdout)
    expect(checks.find(({ name }) => name === 'descriptors')).toMatchObject({ state: 'LIMITED' })
    // The comparison and the scaling suite come first.
    expect(suites.slice(0, 2).map(({ state }) => state)).toEqual(verdicts)
    expect(ended.status).toBe(exitCode)
  })
})
