/** Memory when garbage is gone: two collections before a reading, an error where there is no collector, and the kernel's share. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { settledMemory, socketMemoryBytes } from '../../../src/measurement/settled-memory.ts'

afterEach(() => vi.unstubAllGlobals())

describe('settled memory', () => {
  it('is read after two major collections', async () => {
    const collections: unknown[] = []
    vi.stubGlobal('gc', (options: unknown) => {
      collections.push(options)
      return Promise.resolve()
    })
    const memory = await settledMemory()
    expect(collections).toEqual([
      { type: 'major', execution: 'async' },
      { type: 'major', execution: 'async' },
    ])
    expect(memory.heapUsedBytes).toBeGreaterThan(1e6)
    expect(memory.rssBytes).toBeGreaterThan(memory.heapUsedBytes)
    expect(memory.externalBytes).toBeGreaterThan(0)
  })

  it('says what is missing in a process without collector', async () => {
    vi.stubGlobal('gc', undefined)
    await expect(settledMemory()).rejects.toMatchObject({ code: 'ENVIRONMENT', suggestions: [/--expose-gc/] })
  })
})

describe('memory of TCP sockets', () => {
  it('is what the kernel says, in pages of 4 KiB', () => {
    const text = 'sockets: used 16\nTCP: inuse 1 orphan 0 tw 3 alloc 1 mem 88\nUDP: inuse 0 mem 7\n'
    expect(socketMemoryBytes(() => text)).toBe(88 * 4096)
  })

  it('is not known where the system does not tell', () => {
    expect(socketMemoryBytes(() => 'TCP: inuse 1\nUDP: inuse 0 mem 7\n')).toBeNull()
    expect(
      socketMemoryBytes(() => {
        throw new Error('ENOENT')
      }),
    ).toBeNull()
  })
})
