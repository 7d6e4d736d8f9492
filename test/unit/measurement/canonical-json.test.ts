/** The examples of RFC 8785 and what I-JSON cannot carry. */
import { describe, expect, it } from 'vitest'
import { canonicalJson, canonicalSha256, documentText, sha256Hex } from '../../../src/measurement/canonical-json.ts'

/** RFC 8785 appendix B: IEEE 754 bits and their text. */
const numbers: readonly [string, string][] = [
  ['0000000000000000', '0'],
  ['8000000000000000', '0'],
  ['0000000000000001', '5e-324'],
  ['8000000000000001', '-5e-324'],
  ['7fefffffffffffff', '1.7976931348623157e+308'],
  ['ffefffffffffffff', '-1.7976931348623157e+308'],
  ['4340000000000000', '9007199254740992'],
  ['c340000000000000', '-9007199254740992'],
  ['4430000000000000', '295147905179352830000'],
  ['44b52d02c7e14af5', '9.999999999999997e+22'],
  ['44b52d02c7e14af6', '1e+23'],
  ['44b52d02c7e14af7', '1.0000000000000001e+23'],
  ['444b1ae4d6e2ef4e', '999999999999999700000'],
  ['444b1ae4d6e2ef4f', '999999999999999900000'],
  ['444b1ae4d6e2ef50', '1e+21'],
  ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
  ['3eb0c6f7a0b5ed8d', '0.000001'],
  ['41b3de4355555553', '333333333.3333332'],
  ['41b3de4355555554', '333333333.33333325'],
  ['41b3de4355555555', '333333333.3333333'],
  ['41b3de4355555556', '333333333.3333334'],
  ['41b3de4355555557', '333333333.33333343'],
  ['becbf647612f3696', '-0.0000033333333333333333'],
  ['43143ff3c1cb0959', '1424953923781206.2'],
]

describe('canonicalJson', () => {
  it.each(numbers)('writes the number %s as %s', (bits, text) => {
    expect(canonicalJson(Buffer.from(bits, 'hex').readDoubleBE(0))).toBe(text)
  })

  it('writes the sample of section 3.2.2', () => {
    const input: unknown = JSON.parse(
      '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],' +
        '"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
    )
    expect(canonicalJson(input)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    )
  })

  it('sorts by UTF-16 code units as in section 3.2.3', () => {
    const input: unknown = JSON.parse(
      '{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew Letter Dalet With Dagesh",' +
        '"1":"One","\\ud83d\\ude00":"Emoji: Grinning Face","\\u0080":"Control","\\u00f6":"Latin Small Letter O With Diaeresis"}',
    )
    const order = [...canonicalJson(input).matchAll(/:"([^"]+)"/g)].map(([, value]) => value)
    expect(order).toEqual([
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ])
  })

  it('does not depend on the order of members', () => {
    expect(canonicalSha256({ b: [1, { d: 1, c: 2 }], a: null })).toBe(
      canonicalSha256({ a: null, b: [1, { c: 2, d: 1 }] }),
    )
    expect(canonicalSha256([1, 2])).not.toBe(canonicalSha256([2, 1]))
  })

  const cycle: unknown[] = []
  cycle.push(cycle)
  it.each([
    [{ a: [1, NaN] }, '$.a[1] is NaN'],
    [-Infinity, '$ is -Infinity'],
    ['\ud800', '$ holds a lone surrogate'],
    [{ '\udc00': 1 }, '$ holds a lone surrogate'],
    [{ a: undefined }, '$.a is of type undefined'],
    [[1n], '$[0] is of type bigint'],
    [Array(1), '$[0] is of type undefined'],
    [new Map(), '$ is of type object'],
    [cycle, 'nested more than 64 deep'],
  ])('refuses %o', (value, message) => {
    expect(() => canonicalJson(value)).toThrow(message)
  })

  it('hashes text as UTF-8', () => {
    expect(sha256Hex('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
    expect(sha256Hex('€')).toBe(sha256Hex(new Uint8Array([0xe2, 0x82, 0xac])))
    expect(documentText({ a: 1 })).toBe('{\n  "a": 1\n}\n')
  })
})
