/** Which tools a planted machine has: present, missing and unknown are three different things. */
import { describe, expect, it } from 'vitest'
import {
  readTools,
  systemTools,
  toolNames,
  type ToolAccess,
  type ToolRun,
} from '../../../src/measurement/machine-tools.ts'

interface Planted extends Partial<ToolAccess> {
  readonly answer?: (file: string, words: readonly string[]) => ToolRun
}

function planted({ answer = () => ({ exitCode: 0, said: 'fine' }), ...access }: Planted): {
  readonly access: ToolAccess
  readonly started: string[]
} {
  const started: string[] = []
  const run = (file: string, words: readonly string[]): Promise<ToolRun> => {
    started.push([file, ...words].join(' '))
    return Promise.resolve(answer(file, words))
  }
  const all: ToolAccess = {
    platform: 'linux',
    find: () => '/usr/bin',
    run,
    whyNoMemoryLimit: () => Promise.resolve(null),
    ...access,
  }
  return { access: all, started }
}

async function states(parts: Planted): Promise<Record<string, string>> {
  const readings = await readTools(planted(parts).access)
  return Object.fromEntries(readings.map(({ name, state }) => [name, state]))
}

const allPresent = Object.fromEntries(toolNames.map((name) => [name, 'present']))

describe('tools', () => {
  it('are all present where all are there', async () => {
    expect(await states({})).toEqual(allPresent)
  })

  it('start only what asks for a version or tries a namespace', async () => {
    const { access, started } = planted({})
    await readTools(access)
    expect(started).toEqual([
      '/usr/bin/unshare -Urn true',
      '/usr/bin/git --version',
      '/usr/bin/unshare -Urn /usr/bin/tc qdisc add dev lo root netem delay 1ms',
    ])
  })

  it.each([
    ['git', 'git', ['git']],
    ['initdb', 'postgresql', ['postgresql']],
    ['prlimit', 'prlimit', ['prlimit']],
    ['unshare', 'networkNamespace', ['networkNamespace', 'netem']],
    ['tc', 'netem', ['netem']],
  ])('without %s %s is missing', async (program, _name, missing) => {
    const find: ToolAccess['find'] = (programs) => (programs.includes(program) ? null : '/usr/bin')
    expect(await states({ find })).toEqual({
      ...allPresent,
      ...Object.fromEntries(missing.map((name) => [name, 'missing'])),
    })
  })

  it('are missing where the system refuses them, with what it said', async () => {
    const answer = (_file: string, words: readonly string[]): ToolRun =>
      words.includes('netem') ? { exitCode: 2, said: 'Specified qdisc kind is unknown' } : { exitCode: 0, said: '' }
    const readings = await readTools(planted({ answer }).access)
    expect(readings.find(({ name }) => name === 'netem')).toMatchObject({
      state: 'missing',
      detail: expect.stringContaining('qdisc kind is unknown') as string,
    })
    expect(await states({ answer: () => ({ exitCode: null, said: 'no answer within 5000 ms' }) })).toEqual({
      ...allPresent,
      git: 'missing',
      networkNamespace: 'missing',
      netem: 'missing',
    })
  })

  it('have no memory limit where no cgroup can be made, and say why', async () => {
    const whyNoMemoryLimit = () => Promise.resolve('this process is in no memory cgroup')
    const readings = await readTools(planted({ whyNoMemoryLimit }).access)
    expect(readings.filter(({ state }) => state !== 'present')).toEqual([
      { name: 'cgroupMemory', state: 'missing', detail: 'this process is in no memory cgroup' },
    ])
  })

  it('of Linux are unknown elsewhere, and nothing is tried', async () => {
    const { access, started } = planted({ platform: 'darwin' })
    const readings = await readTools(access)
    expect(readings.map(({ state }) => state)).toEqual([
      'present',
      'present',
      'unknown',
      'unknown',
      'unknown',
      'unknown',
    ])
    expect(started).toEqual(['/usr/bin/git --version'])
  })

  it('of this machine each have a state and a word about it', async () => {
    const readings = await readTools(systemTools())
    expect(readings.map(({ name }) => name)).toEqual(toolNames)
    for (const { detail } of readings) expect(detail).not.toBe('')
  })

  it('that do not exist or fail are told, not thrown', async () => {
    const { run, find } = systemTools()
    expect((await run('/nothing/here', [])).exitCode).toBeNull()
    expect(await run(process.execPath, ['-e', 'console.log("one\\ntwo"); process.exit(3)'])).toEqual({
      exitCode: 3,
      said: 'one',
    })
    expect(find(['no-such-program-anywhere'])).toBeNull()
  })
})
