/** The limit of descriptors of a live process, set and put back, where the system has a tool for it. */
import { execa } from 'execa'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { limitDescriptors, whyDescriptorsCannotBeLimited } from '../../../src/suites/descriptor-limit.ts'

const why = await whyDescriptorsCannotBeLimited()

it.skipIf(why !== null)('lowers the soft limit alone, tells the one before, and puts it back', async () => {
  const child = execa('sleep', ['30'], { reject: false })
  try {
    const { pid } = child
    if (pid === undefined) throw new Error('sleep did not start')
    const limits = (): string[] =>
      /^Max open files\s+(\d+)\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.slice(1) ?? []
    const [soft = '', hard = ''] = limits()
    expect(await limitDescriptors(pid, 50)).toBe(Number(soft))
    expect(limits()).toEqual(['50', hard])
    expect(await limitDescriptors(pid, Number(soft))).toBe(50)
    expect(limits()).toEqual([soft, hard])
  } finally {
    child.kill('SIGKILL')
    await child
  }
})

it.skipIf(why !== null)('says what was wrong for a process that is not there', async () => {
  await expect(limitDescriptors(2 ** 22 + 1, 50)).rejects.toMatchObject({ code: 'ENVIRONMENT' })
})
