/** Every flag of a run says what it is, how to set it from the environment, and shows an example that it takes. */
import { describe, expect, it } from 'vitest'
import { comparisonFlags } from '../../../src/command-flags.ts'
import { environmentName } from '../../../src/configuration/flags.ts'
import { parseConfiguration } from '../../../src/configuration/file.ts'
import { refuseUnknownFlags } from '../../../src/configuration/parse.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'

describe.each(Object.entries(comparisonFlags))('--%s', (name, flag) => {
  it('has an environment variable, a group and an example', () => {
    expect(flag.env).toBe(environmentName(name))
    expect(flag.helpGroup).toBeTruthy()
    expect(flag.summary).toContain(`, e.g. --${name}`)
  })

  it('takes its own example', async () => {
    const example = flag.summary?.split(`e.g. --${name}`)[1]?.trim() ?? ''
    if (flag.type === 'boolean') return expect(example).toBe('')
    if (flag.options !== undefined) return expect(flag.options).toContain(example)
    const read = flag.parse as (input: string) => Promise<unknown>
    await expect(read(example)).resolves.toBeDefined()
  })
})

describe('the configuration file', () => {
  const keys = ['agents', 'roundDuration', 'seed']
  const read = (text: string): Record<string, string> =>
    Object.fromEntries(
      [...parseConfiguration(text, 'f.yaml', keys)].map(([key, { text: value, where }]) => [key, `${value} ${where}`]),
    )

  it('reads values with the line they stand on, past a byte order mark and CRLF', () => {
    expect(read('\uFEFF# note\r\nagents: 7\r\nroundDuration: 2s\r\n')).toEqual({
      agents: '7 f.yaml:2',
      roundDuration: '2s f.yaml:3',
    })
  })

  it.each(['', '\n', '# nothing\n', '---\n', '\uFEFF'])('takes %j as empty', (text) => expect(read(text)).toEqual({}))

  it.each([
    ['agnets: 1', "f.yaml:1: there is no setting 'agnets'"],
    ['agents: 1\nagents: 2', 'f.yaml:2'],
    ['agents: 1\nseed: [', 'f.yaml:2'],
    ['- agents', 'not a mapping'],
    ['agents: {a: 1}', "'agents' is not"],
    ['seed: &a x\nagents: *a', 'aliases'],
    ['__proto__: 1', 'there is no setting'],
    ['? [a]\n: 1', 'there is no setting'],
  ])('refuses %j', (text, message) => {
    expect(() => read(text)).toThrow(message)
    expect(() => read(text)).toThrow(LighthouseError)
  })
})

describe('unknown flags', () => {
  it('are found before the parser sees them, with what was meant', () => {
    const refused = (): void =>
      refuseUnknownFlags(comparisonFlags, ['--agnets', '3', '--no-certifcate'], 'lighthouse x')
    expect(refused).toThrow("'--agnets', '--no-certifcate'")
    expect(() =>
      refuseUnknownFlags(comparisonFlags, ['--agents=3', '--no-certificate', '--', '--what'], 'x'),
    ).not.toThrow()
  })
})
