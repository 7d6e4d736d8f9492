/** The chained log: what a kill, a full disk and somebody with an editor can do to it, and that all of it shows. */
import { appendFileSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  ChainedLog,
  nothingBefore,
  readChain,
  readChainBytes,
  type ChainRules,
} from '../../../src/measurement/chained-log.ts'

const rules: ChainRules = { title: 'The log', remedy: 'Move it aside.', largestBytes: 1 << 20, longestLine: 200_000 }
const freshFile = (): string => join(mkdtempSync(join(tmpdir(), 'chained-log-')), 'log.jsonl')

function read(file: string): unknown[] {
  const bodies: unknown[] = []
  readChain(file, rules, (body) => bodies.push(body))
  return bodies
}

describe('a chained log', () => {
  it('gives back what was appended, line by line, whatever is in it and wherever reads are cut', () => {
    const body = fc.record({ text: fc.string({ unit: 'grapheme', maxLength: 20_000 }), n: fc.integer() })
    fc.assert(
      fc.property(fc.array(fc.array(body, { minLength: 1, maxLength: 3 }), { maxLength: 8 }), (batches) => {
        const file = freshFile()
        const log = ChainedLog.open(file, rules, () => expect.unreachable())
        for (const batch of batches) log.append(...batch)
        expect(read(file)).toEqual(batches.flat())
        const inMemory: unknown[] = []
        const end = readChainBytes(
          existsSync(file) ? readFileSync(file) : new Uint8Array(),
          'log.jsonl',
          rules,
          (body) => inMemory.push(body),
        )
        expect([inMemory, end.hash, end.tornBytes]).toEqual([batches.flat(), log.hash, 0])
        const again = ChainedLog.open(file, rules, () => null)
        expect([again.lines, again.hash]).toEqual([batches.flat().length, log.hash])
      }),
      { numRuns: 40 },
    )
  })

  it('is empty when there is no file, and chains from zeros', () => {
    const file = freshFile()
    expect(read(file)).toEqual([])
    const [first, second] = ChainedLog.open(file, rules, () => null).append({ a: 1 }, { a: 2 })
    expect(first?.previous).toBe(nothingBefore)
    expect(second?.previous).toBe(first?.hash)
  })

  it('shows that any byte was changed, and in which line', () => {
    const file = freshFile()
    ChainedLog.open(file, rules, () => null).append({ a: 1 }, { a: 'two' }, { a: [3] })
    const text = readFileSync(file, 'utf8')
    fc.assert(
      fc.property(fc.nat(text.length - 2), fc.constantFrom('0', '9', 'a', '"', ' ', '\n'), (position, other) => {
        fc.pre(text[position] !== other)
        writeFileSync(file, text.slice(0, position) + other + text.slice(position + 1))
        expect(() => read(file)).toThrow(/^The log .* was altered: line [1-4]: /)
      }),
    )
  })

  it('is read from bytes in memory as from its file: the same lines, the same end, the same refusals', () => {
    const file = freshFile()
    ChainedLog.open(file, rules, () => null).append({ a: 1 }, { a: 2 })
    appendFileSync(file, '{"a":3,"prev')
    const readBytes = (data: Uint8Array): unknown => readChainBytes(data, 'log.jsonl', rules, () => null)
    expect(readBytes(readFileSync(file))).toEqual(readChain(file, rules, () => null))
    const altered = readFileSync(file, 'utf8').replace('"a":2', '"a":7')
    expect(() => readBytes(Buffer.from(altered))).toThrow(
      /^The log log\.jsonl was altered: line 2: its hash is not its own/,
    )
    expect(() => readBytes(Buffer.alloc(300_000, 'x'))).toThrow(/line 1: it is no line/)
    expect(readBytes(new Uint8Array())).toMatchObject({ lines: 0, hash: nothingBefore })
  })

  it('drops what a kill cut off at its end, and only whoever writes cuts it off on disk', () => {
    const file = freshFile()
    const log = ChainedLog.open(file, rules, () => null)
    log.append({ a: 1 })
    const whole = readFileSync(file, 'utf8')
    appendFileSync(file, '{"a":2,"prev')
    expect(read(file)).toEqual([{ a: 1 }])
    expect(readFileSync(file, 'utf8')).not.toBe(whole)
    const again = ChainedLog.open(file, rules, () => null)
    expect(readFileSync(file, 'utf8')).toBe(whole)
    again.append({ a: 2 })
    expect(read(file)).toEqual([{ a: 1 }, { a: 2 }])
  })

  it('takes nothing once it is full, and nothing when somebody else wrote to its file', () => {
    const file = freshFile()
    const log = ChainedLog.open(file, { ...rules, largestBytes: 1000 }, () => null)
    const fill = (): void => {
      for (let line = 0; line < 100; line++) log.append({ line })
    }
    expect(fill).toThrow(/is full; nothing was written/)
    const { lines } = log
    expect(read(file)).toHaveLength(lines)
    appendFileSync(file, 'x\n')
    expect(() => log.append({})).toThrow(/is full|somebody else wrote/)
    const other = ChainedLog.open(freshFile(), rules, () => null)
    other.append({ a: 1 })
    expect(() => ChainedLog.open(join(tmpdir(), 'no-such-folder', 'log'), rules, () => null).append({})).toThrow(
      /cannot be written/,
    )
  })

  it('refuses a line longer than it reads', () => {
    const file = freshFile()
    expect(() => ChainedLog.open(file, rules, () => null).append({ a: 'x'.repeat(200_000) })).toThrow(/too long/)
    writeFileSync(file, 'x'.repeat(300_000))
    expect(() => read(file)).toThrow(/no line of this log/)
  })
})
