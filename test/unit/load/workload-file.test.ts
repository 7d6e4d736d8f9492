/**
 * Workload files: the shipped ones parse, and a broken one is refused with its line.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { buildSchedule } from '../../../src/load/schedule.ts'
import { parseWorkload } from '../../../src/load/workload-file.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'
import { shippedFile } from '../../../src/platform/modules.ts'

describe('parseWorkload', () => {
  it.each(['pairs', 'ring'])('reads the shipped %s, which can be scheduled', (name) => {
    const workload = parseWorkload(readFileSync(shippedFile(`fixtures/workloads/${name}.yaml`), 'utf8'), `${name}.yaml`)
    expect(workload).toMatchObject({ name, pattern: name, agents: 100, ratePerSecond: 200 })
    expect(buildSchedule(workload, 'seed', 1000, 256).count).toBeGreaterThan(100)
  })

  it('gives what is missing its default', () => {
    const workload = parseWorkload('name: small\npattern: ring\nagents: 3\n', 'w.yaml')
    expect(workload).toEqual({
      name: 'small',
      agents: 3,
      ratePerSecond: 200,
      pattern: 'ring',
      arrivals: 'poisson',
      payloadBytes: 300,
      answers: { accept: 0.9, decline: 0.08, cancel: 0.02 },
      deadlineMs: 5000,
    })
  })

  it.each([
    ['', 'w.yaml:1: expected a mapping'],
    ['- pairs\n', 'w.yaml:1: expected a mapping'],
    ['name: x\n', 'w.yaml:1: pattern: '],
    ['name: x\npattern: star\n', 'w.yaml:2: pattern: '],
    ['name: x\npattern: pairs\nratePerSecnd: 4\n', 'w.yaml:3: Unrecognized key: "ratePerSecnd"'],
    ['name: x\npattern: pairs\nagents: 7\n', 'w.yaml:3: agents: pattern "pairs" needs an even number'],
    ['name: x\npattern: ring\nratePerSecond: -1\n', 'w.yaml:3: ratePerSecond: '],
    ['name: x\npattern: ring\nratePerSecond: .nan\n', 'w.yaml:3: ratePerSecond: '],
    ['name: x\npattern: ring\nanswers:\n  accept: 1\n  decline: 1\n  cancel: 0\n', 'must sum to 1'],
    ['name: x\npattern: ring\nanswers:\n  accept: 2\n  decline: 0\n  cancel: -1\n', 'w.yaml:4: answers.accept: '],
    ['name: x\nname: y\npattern: ring\n', 'w.yaml:2: Map keys must be unique'],
    ['name: [\n', 'w.yaml:'],
    ['name: ../x\npattern: ring\n', 'w.yaml:1: name: use lower-case letters'],
    [`name: x\npattern: ring\n#${'x'.repeat(70_000)}`, 'w.yaml: 70'],
  ])('refuses %j', (text, message) => {
    const parse = (): unknown => parseWorkload(text, 'w.yaml')
    expect(parse).toThrow(LighthouseError)
    expect(parse).toThrow(message)
  })

  it('refuses aliases that unfold without end', () => {
    const bomb = [
      'a: &a [x, x]',
      ...'bcdefgh'.split('').map((key, index) => `${key}: &${key} [${`*${'abcdefg'[index]},`.repeat(9)}]`),
    ]
    expect(() => parseWorkload(bomb.join('\n'), 'w.yaml')).toThrow('Excessive alias count')
  })
})
