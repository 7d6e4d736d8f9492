/** Limits on a whole process: where they cannot be set, and a process that is killed for what it takes and counted, where they can. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeMemoryCgroup, whyMemoryCannotBeLimited } from '../../../src/platform/memory-cgroup.ts'

const mib = 2 ** 20
let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cgroup-test-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('where no process can be limited', () => {
  it.each([
    ['there are no cgroups', ''],
    ['version one without the memory controller', '3:cpuset:/\n2:cpu:/own\n'],
    ['folders that are missing', '4:memory:/own\n0::/own\n'],
  ])('says so: %s', async (_what, own) => {
    expect(await whyMemoryCannotBeLimited({ root, own })).toMatch(/no memory cgroup can be made here/)
  })

  it('leaves nothing behind in a folder that takes no limit', async () => {
    mkdirSync(join(root, 'memory', 'own'), { recursive: true })
    expect(await whyMemoryCannotBeLimited({ root, own: '4:memory:/own\n' })).toMatch(/takes no limit of memory/)
    expect(readdirSync(join(root, 'memory', 'own'))).toEqual([])
    expect(readdirSync(join(root, 'memory'))).toEqual(['own'])
  })
})

const cannot = await whyMemoryCannotBeLimited()
if (cannot !== null) console.warn(`SKIPPED: a process at its limit of memory: ${cannot}`)

describe.skipIf(cannot !== null)('a process at its limit', () => {
  /** Takes so many MiB and keeps them; says so when it has them. */
  const takes = (megabytes: number): string =>
    `const kept = []; for (let i = 0; i < ${megabytes}; i++) kept.push(Buffer.alloc(${mib}, 1)); console.log('kept', kept.length)`

  const run = (file: string, megabytes: number) =>
    execa('/bin/sh', ['-c', 'echo $$ > "$0" && exec "$@"', file, process.execPath, '-e', takes(megabytes)], {
      reject: false,
      timeout: 30_000,
    })

  it('is killed by the kernel, which counts it; one that takes less is not', async () => {
    const cgroup = makeMemoryCgroup(160 * mib)
    try {
      const small = await run(cgroup.processes, 20)
      expect(small.stdout, small.stderr).toBe('kept 20')
      expect(cgroup.kills()).toBe(0)
      const large = await run(cgroup.processes, 600)
      expect(large.signal).toBe('SIGKILL')
      expect(large.stdout).toBe('')
      expect(cgroup.kills()).toBe(1)
    } finally {
      await cgroup.remove()
    }
    const folder = dirname(cgroup.processes)
    expect(readdirSync(dirname(folder))).not.toContain(folder.slice(dirname(folder).length + 1))
  })
})
