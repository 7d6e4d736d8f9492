/**
 * Workload files: the shipped ones parse, and a broken one is refused with its line.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { buildCoordination } from '../../../src/load/coordination.ts'
import { buildSchedule } from '../../../src/load/schedule.ts'
import { parseCoordination, parseWorkload } from '../../../src/load/workload-file.ts'
import { coordinationKinds } from '../../../src/measurement/coordination-evidence.ts'
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

describe('parseCoordination', () => {
  it.each(coordinationKinds)('reads the shipped %s, of which a graph can be drawn', (name) => {
    const { plan, ...named } = parseCoordination(
      readFileSync(shippedFile(`fixtures/workloads/${name}.yaml`), 'utf8'),
      `${name}.yaml`,
    )
    expect(named).toEqual({ name })
    expect(plan.pattern.kind).toBe(name)
    expect(buildCoordination(plan, 'seed', 4000, 256).arrivalNs.length).toBeGreaterThan(40)
  })

  it('gives what is missing its default, but for the sizes that make the pattern', () => {
    const text = 'name: x\npattern: hot-spot\nworkers: 4\npeers: 2\nhotShare: 0.9\n'
    expect(parseCoordination(text, 'w.yaml').plan).toEqual({
      pattern: { kind: 'hot-spot', workers: 4, peers: 2, hotShare: 0.9 },
      instancesPerSecond: 20,
      arrivals: 'poisson',
      payloadBytes: 300,
      workMs: 0,
      deadlineMs: 5000,
    })
    expect(() => parseCoordination('name: x\npattern: hot-spot\nworkers: 4\n', 'w.yaml')).toThrow('peers: ')
  })

  const fanOut = 'name: x\npattern: fan-out\norchestrators: 2\nworkers: 8\n'
  const review = 'name: x\npattern: review\nauthors: 2\nreviewers: 4\nmaximumRounds: 2\n'
  const quorum = 'name: x\npattern: quorum\nbroadcasters: 2\nmembers: 4\n'
  it.each([
    [`${fanOut}fanOut: 9\n`, 'w.yaml:5: fanOut: 9 is more than the 8 workers'],
    [`${fanOut}fanOut: 0\n`, 'w.yaml:5: fanOut: '],
    [`${fanOut}fanOut: 4\nfanIn: 4\n`, 'w.yaml:6: Unrecognized key: "fanIn"'],
    [`${fanOut}fanOut: 4\ndepth: 4\n`, 'w.yaml:6: Unrecognized key: "depth"'],
    [`${fanOut}fanOut: 4\ninstancesPerSecond: 0\n`, 'w.yaml:6: instancesPerSecond: '],
    [`${fanOut}fanOut: 4\nworkers: 9\n`, 'w.yaml:6: Map keys must be unique'],
    [`${review}approvals: 5\ndeclineShare: 0\ncancelShare: 0\n`, 'w.yaml:6: approvals: 5 is more than the 4 reviewers'],
    [
      `${review}approvals: 2\ndeclineShare: 0.7\ncancelShare: 0.4\n`,
      'w.yaml:8: cancelShare: declineShare and cancelShare',
    ],
    [`${quorum}audience: 4\nquorum: 5\n`, 'w.yaml:6: quorum: 5 is more than the 4 of the audience'],
    [`${quorum}audience: 5\nquorum: 5\n`, 'w.yaml:5: audience: 5 is more than the 4 members'],
    [
      'name: x\npattern: expert-pool\nworkers: 2\nexperts: 2\ndeclineShare: 0\nmaximumAttempts: 3\n',
      'w.yaml:6: maximumAttempts: 3',
    ],
    [
      'name: x\npattern: hot-spot\nworkers: 90000\npeers: 90000\nhotShare: 1\n',
      'w.yaml:2: pattern: its roles are 180000 agents',
    ],
    ['name: x\npattern: star\n', 'w.yaml:2: pattern: '],
  ])('refuses %j', (text, message) => {
    const parse = (): unknown => parseCoordination(text, 'w.yaml')
    expect(parse).toThrow(LighthouseError)
    expect(parse).toThrow(message)
  })

  it('and parseWorkload each name the command that plays what they do not', () => {
    expect(() => parseCoordination('name: x\npattern: ring\n', 'w.yaml')).toThrow('is a load of single exchanges')
    expect(() => parseWorkload(`${fanOut}fanOut: 4\n`, 'w.yaml')).toThrow('"fan-out" is a coordination pattern')
  })
})
