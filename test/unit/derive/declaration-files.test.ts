import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import {
  claimsFromJson,
  claimsSha256,
  claimsText,
  parseClaims,
  readClaimsFile,
} from '../../../src/measurement/claims-file.ts'
import {
  isMandatory,
  parseTargets,
  readTargetsFile,
  targetsFromJson,
  targetsSha256,
  targetsText,
} from '../../../src/measurement/targets-file.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'
import { shippedFile } from '../../../src/platform/modules.ts'

const folder = mkdtempSync(join(tmpdir(), 'declarations-'))
afterAll(() => rmSync(folder, { recursive: true }))

function errorOf(read: () => unknown): LighthouseError {
  try {
    read()
  } catch (error) {
    if (error instanceof LighthouseError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

const one = 'targets:\n  - expression: candidate.agents >= 5\n'

describe('a targets file', () => {
  it('gives canonical expressions, and titles where there are none', () => {
    expect(parseTargets('targets:\n  - expression: candidate.roundTrip.p99<300 ms\n', 't.yaml')).toEqual([
      { expression: 'candidate.roundTrip.p99 < 300ms', title: 'candidate.roundTrip.p99 < 300ms' },
    ])
  })

  it('may begin with a byte-order mark and end its lines with CRLF, to the same digest', () => {
    const plain = targetsSha256(parseTargets(one, 't.yaml'))
    expect(targetsSha256(parseTargets(`\uFEFF${one.replaceAll('\n', '\r\n')}`, 't.yaml'))).toBe(plain)
    expect(targetsSha256(parseTargets(`# comment\n${one}    title: candidate.agents >= 5\n`, 't.yaml'))).toBe(plain)
    expect(targetsSha256(parseTargets(one.replace('5', '6'), 't.yaml'))).not.toBe(plain)
    expect(targetsSha256(parseTargets(`${one}    mandatoryIn: []\n`, 't.yaml'))).not.toBe(plain)
  })

  it.each([
    ['', 't.yaml:1', 'expected object'],
    ['targets: []', 't.yaml:1', '>=1 items'],
    ['other: 1\ntargets: []', 't.yaml:1', 'unknown key "other"'],
    ['targets:\n  - expresion: x', 't.yaml:2', 'unknown key "expresion"'],
    ['targets:\n  - title: x', 't.yaml:2', 'expression'],
    [`${one}    mandatoryIn: [smok]`, 't.yaml:3', 'expected one of'],
    [`${one}    title: "a\\nb"`, 't.yaml:3', 'one line of visible text'],
    [`${one}    title: "\\u202Eabc"`, 't.yaml:3', 'one line of visible text'],
    [`${one}    title: ""`, 't.yaml:3', '>=1'],
    [`${one}  - expression: candidate.agents  >=5`, 't.yaml:3', 'stands at t.yaml:2 already'],
    [`${one}    title: T\n  - { expression: candidate.agents >= 6, title: T }`, 't.yaml:4', 'the title "T"'],
    [`${one}    expression: candidate.agents >= 6`, 't.yaml:3', 'unique'],
    ['targets:\n  - expression: candidate.agents >= 5ms', 't.yaml:2', 'column 22'],
    ['targets:\n  - expression: candiate.agents >= 5', 't.yaml:2', 'unknown subject'],
    ['targets: [', 't.yaml:1', ''],
    ['targets: &a\n  - *a', 't.yaml:2', 'aliases'],
    ['a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]', 't.yaml:2', 'aliases'],
    ['---\na: 1\n---\nb: 1', 't.yaml:3', 'multiple documents'],
    ['!!js/function "x"', 't.yaml:1', 'tag'],
    ['['.repeat(100_000), 't.yaml:1', ''],
  ])('is refused with file and line: %j', (text, place, what) => {
    const error = errorOf(() => parseTargets(text, 't.yaml'))
    expect(error.code).toBe('USAGE')
    expect(error.message).toContain(place)
    expect(error.message).toContain(what)
    expect(error.suggestions.length).toBeGreaterThan(0)
  })

  it('guesses a misspelt key', () => {
    expect(errorOf(() => parseTargets('targets:\n  - expresion: x', 't.yaml')).suggestions).toEqual([
      'Did you mean "expression"?',
    ])
  })

  it('has at most 1 MB and 100 targets', () => {
    expect(errorOf(() => parseTargets(`# ${'x'.repeat(1_048_577)}`, 't.yaml')).message).toContain('larger than 1 MB')
    const many = Array.from({ length: 101 }, (_, index) => `  - expression: candidate.agents >= ${index + 1}\n`)
    expect(errorOf(() => parseTargets(`targets:\n${many.join('')}`, 't.yaml')).message).toContain('<=100')
  })

  it('is read from disk only when it is a small regular UTF-8 file', () => {
    const path = join(folder, 'targets.yaml')
    writeFileSync(path, one)
    expect(readTargetsFile(path)).toHaveLength(1)
    writeFileSync(path, Buffer.from([0xff, 0xfe, 0x00]))
    expect(errorOf(() => readTargetsFile(path)).message).toContain('not UTF-8')
    writeFileSync(path, Buffer.alloc(1_048_577, 32))
    expect(errorOf(() => readTargetsFile(path)).message).toContain('1048577 bytes')
    expect(errorOf(() => readTargetsFile(folder)).message).toContain('not a regular file')
    expect(errorOf(() => readTargetsFile(join(folder, 'none.yaml'))).message).toContain('no such file')
  })

  it('is mandatory in every profile unless it says otherwise itself', () => {
    const of = (line: string) => parseTargets(`${one}${line}`, 't.yaml')[0]!
    for (const profile of ['smoke', 'standard', 'full'] as const) {
      expect(isMandatory(of(''), profile)).toBe(true)
      expect(isMandatory(of('    mandatoryIn: []'), profile)).toBe(false)
      expect(isMandatory(of('    mandatoryIn: [full, full]'), profile)).toBe(profile === 'full')
    }
  })

  it('returns from its JSON form unchanged', () => {
    const targets = readTargetsFile(fileURLToPath(shippedFile('fixtures/targets/readiness.yaml')))
    expect(targets.map(({ title }) => title)).toEqual([
      'P50 Latency',
      'P95 Latency',
      'P99 Latency',
      'P99.9 Latency',
      'Concurrent Agents',
      'Throughput (RPS)',
      'Error Rate',
      'Overhead per Exchange',
      'Speed-up at P50',
    ])
    expect(targetsFromJson(JSON.parse(targetsText(targets)))).toEqual(targets)
    expect(errorOf(() => targetsFromJson(undefined)).code).toBe('USAGE')
    expect(errorOf(() => targetsFromJson([])).code).toBe('USAGE')
  })
})

describe('a claims file', () => {
  const claim = (lines: string): string =>
    `claims:\n  - id: a\n    document: D\n    words: W\n    statement: S\n${lines
      .split('\n')
      .map((line) => `    ${line}`)
      .join('\n')}\n`
  const quantile = 'kind: quantile, engine: polling, series: delivery, quantiles: [p50]'

  it('is the shipped one, whole', () => {
    const claims = readClaimsFile(fileURLToPath(shippedFile('fixtures/claims.yaml')))
    expect(claims.length).toBeGreaterThanOrEqual(11)
    expect(claimsFromJson(JSON.parse(claimsText(claims)))).toEqual(claims)
    expect(claimsSha256(claims)).toMatch(/^[0-9a-f]{64}$/)
  })

  it('may be empty, since a run may test no claim', () => {
    expect(parseClaims('claims: []', 'c.yaml')).toEqual([])
  })

  it.each([
    [claim('suite: comparison'), 'a claim of the suite "comparison" has a test'],
    [claim(`suite: scaling\ntest: { ${quantile}, atMostMs: 5 }`), 'a test belongs to the suite that the claim names'],
    [claim('suite: guessing'), 'expected one of'],
    [claim(`suite: comparison\ntest: { ${quantile} }`), 'needs atLeastMs, atMostMs or both'],
    [claim(`suite: comparison\ntest: { ${quantile}, atLeastMs: 5, atMostMs: 5 }`), 'must lie below'],
    [claim(`suite: comparison\ntest: { ${quantile}, atMostMs: -5 }`), '>0'],
    [claim(`suite: comparison\ntest: { ${quantile}, atMost: 5, atMostMs: 5 }`), 'unknown key "atMost"'],
    [claim('suite: comparison\ntest: { kind: vibes }'), 'c.yaml:7'],
    [claim('suite: scaling').replace('id: a', 'id: A B'), 'lower-case'],
    [claim('suite: scaling') + claim('suite: scaling').replace('claims:\n', ''), 'stands at c.yaml:2 already'],
  ])('is refused: %#', (text, what) => {
    const error = errorOf(() => parseClaims(text, 'c.yaml'))
    expect(error.code).toBe('USAGE')
    expect(error.message).toContain('c.yaml:')
    expect(error.message).toContain(what)
  })
})
