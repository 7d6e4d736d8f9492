/** Hooks of a plan: what they mean is in its digest, and what is wrong with one is said by line, without what it may hold. */
import { describe, expect, it } from 'vitest'
import { outlinePlan } from '../../../src/migration/outline.ts'
import { parsePlan } from '../../../src/migration/plan-file.ts'
import { hookTitle } from '../../../src/migration/plan-hooks.ts'
import { planSha256 } from '../../../src/migration/plan.ts'

const phases = `name: p
phases: [{ name: one, percentage: 5, soak: 1h, gates: [candidate.delivery.p99 < 300ms] }]
`
const base = `${phases}hooks:
  setPercentage:
    url: https://10.0.0.5/share?tenant=1
    headers: { Authorization: env:SHARE_TOKEN }
  health: { command: [./healthy.sh, "two words"], timeout: 1.5s, environment: [HOST_NAME] }
  observe: { url: http://10.0.0.5:81/intervals }
`

it('are read with what they do not say', () => {
  const { hooks } = parsePlan(base, 'p.yaml')
  expect(hooks).toEqual({
    setPercentage: {
      kind: 'http',
      url: 'https://10.0.0.5/share?tenant=1',
      method: 'POST',
      timeoutMs: 10_000,
      headers: { Authorization: 'SHARE_TOKEN' },
    },
    health: {
      kind: 'command',
      command: ['./healthy.sh', 'two words'],
      timeoutMs: 1500,
      environment: ['HOST_NAME'],
    },
    observe: { kind: 'http', url: 'http://10.0.0.5:81/intervals', method: 'POST', timeoutMs: 10_000, headers: {} },
    whereabouts: null,
  })
  expect(parsePlan(phases, 'p.yaml').hooks).toBeNull()
  const all = parsePlan(`${base}  whereabouts: { url: http://10.0.0.5/where }\n`, 'p.yaml')
  expect(all.hooks?.whereabouts).toMatchObject({ method: 'GET' })
})

it('are part of the digest, and a plan without them has the one it always had', () => {
  const digest = planSha256(parsePlan(base, 'p.yaml'))
  for (const [one, other] of [
    ['/share', '/other'],
    ['SHARE_TOKEN', 'OTHER_TOKEN'],
    ['1.5s', '1.6s'],
    ['two words', 'three words'],
    ['[HOST_NAME]', '[HOST_NAME, MORE]'],
  ] as const)
    expect(planSha256(parsePlan(base.replace(one, other), 'p.yaml'))).not.toBe(digest)
  const plain = parsePlan(phases, 'p.yaml')
  expect(planSha256(plain)).toBe('40c23f9aa1a1f190920f2dacf1f5b5af31829998825e305204194386369d7f23')
  expect(planSha256(plain)).not.toBe(digest)
})

it('are shown without what an address is asked with', () => {
  const plan = parsePlan(base, 'p.yaml')
  expect(outlinePlan(plan, null).hooks).toEqual([
    {
      name: 'setPercentage',
      kind: 'http',
      title: 'POST https://10.0.0.5/share',
      timeoutMs: 10_000,
      variables: ['SHARE_TOKEN'],
    },
    {
      name: 'health',
      kind: 'command',
      title: './healthy.sh "two words"',
      timeoutMs: 1500,
      variables: ['HOST_NAME'],
    },
    { name: 'observe', kind: 'http', title: 'POST http://10.0.0.5:81/intervals', timeoutMs: 10_000, variables: [] },
  ])
  const long = hookTitle({ kind: 'command', command: ['x'.repeat(999)], timeoutMs: 1, environment: [] })
  expect(long).toHaveLength(200)
})

describe('hooks are refused', () => {
  it.each([
    ['without observe', base.replace(/ {2}observe.*\n/, ''), /p\.yaml:4.* hooks\.observe/],
    ['with a name that is misspelt', base.replace('observe:', 'observes:'), /unknown key "observes"/],
    ['with a key that is misspelt', base.replace('timeout:', 'timout:'), /p\.yaml:7.*unknown key "timout"/],
    ['with both a command and a url', base.replace('{ url: http', '{ command: [a], url: http'), /p\.yaml:8.*either a/],
    ['with neither', base.replace('url: http://10.0.0.5:81/intervals', ''), /p\.yaml:8.*either a command or a url/],
    ['with a command as one text', base.replace('[./healthy.sh, "two words"]', './healthy.sh'), /p\.yaml:7/],
    ['with an empty command', base.replace('[./healthy.sh, "two words"]', '[]'), /p\.yaml:7/],
    ['with a word of two lines', base.replace('two words', 'two\\nwords'), /p\.yaml:7.*one line of visible text/],
    ['with a method for a command', base.replace('timeout: 1.5s', 'method: GET'), /p\.yaml:7.*is for a url/],
    ['with headers for a command', base.replace('timeout: 1.5s', 'headers: { a: env:B }'), /p\.yaml:7.*are for a url/],
    [
      'with an environment for a url',
      base.replace('intervals }', 'i, environment: [A] }'),
      /p\.yaml:8.*is for a command/,
    ],
    [
      'with a GET that changes something',
      base.replace('    headers', '    method: GET\n    headers'),
      /p\.yaml:6.*POST/,
    ],
    ['with another method', base.replace('intervals }', 'i, method: PUT }'), /p\.yaml:8/],
    ['with another protocol', base.replace('http://10.0.0.5:81', 'file://'), /p\.yaml:8.*http or https/],
    [
      'with an address that is none',
      base.replace('http://10.0.0.5:81/intervals', 'http://10.0.0.5:99999/'),
      /p\.yaml:8.*http or/,
    ],
    ['with a fragment', base.replace('/intervals', '/intervals#x'), /p\.yaml:8.*fragment/],
    ['with no time at all', base.replace('1.5s', '1ms'), /p\.yaml:7.*from 100ms to 5m/],
    ['with more time than a migration can wait', base.replace('1.5s', '6m'), /p\.yaml:7.*from 100ms to 5m/],
    ['with a variable that has no name', base.replace('HOST_NAME', '"A=B"'), /p\.yaml:7.*environment variable/],
    ['with a header of the connection', base.replace('Authorization:', 'Host:'), /p\.yaml:6.*leave host to Lighthouse/],
    ['with a header that is none', base.replace('Authorization:', '"a b":'), /p\.yaml:6.*names that headers can have/],
    ['with a header twice', base.replace('{ Auth', '{ authorization: env:A, Auth'), /p\.yaml:6.*each header once/],
    ['with many headers', base.replace(/\{ Auth.*/, `{ ${many(17)} }`), /p\.yaml:6.*at most 16/],
  ])('%s', (_what, text, message) => {
    expect(() => parsePlan(text, 'p.yaml')).toThrow(message)
  })

  it.each([
    ['as the value of a header', base.replace('env:SHARE_TOKEN', 'Bearer-hunter2')],
    ['in an address', base.replace('https://', 'https://ada:hunter2@')],
  ])('with a secret %s, which is not repeated', (_what, text) => {
    const message = messageOf(() => parsePlan(text, 'p.yaml'))
    expect(message).toMatch(/p\.yaml:[56].*env:VARIABLE/)
    expect(message).not.toContain('hunter2')
  })
})

function many(count: number): string {
  return Array.from({ length: count }, (_, index) => `h${index}: env:V`).join(', ')
}

function messageOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    return String(error)
  }
  return expect.fail('it was taken')
}
