/** The plan of a coordination run, and what flags and profiles make of it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { readSettings } from '../../../src/command-flags.ts'
import { comparisonRequest } from '../../../src/configuration/comparison-request.ts'
import {
  coordinationRequest,
  parsePatterns,
  type CoordinationFlags,
} from '../../../src/configuration/coordination-request.ts'
import { recoveryRequest } from '../../../src/configuration/recovery-request.ts'
import { scalingRequest } from '../../../src/configuration/scaling-request.ts'
import { agentsOf, exchangesPerInstance, rolesOf } from '../../../src/load/coordination.ts'
import { coordinationKinds } from '../../../src/measurement/coordination-evidence.ts'
import { isMandatory } from '../../../src/measurement/targets-file.ts'
import { shippedFile } from '../../../src/platform/modules.ts'
import { estimateCoordination, planCoordination } from '../../../src/suites/coordination.ts'

const folder = mkdtempSync(join(tmpdir(), 'lighthouse-coordination-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const labels = ['polling', 'elicitation']
const arms = [{ drainGraceMs: 2000 }, { drainGraceMs: 1000 }]
const machine = { host: 'thread', startedArms: 2, descriptorLimit: 20_000 } as const

type ProfileName = 'smoke' | 'standard' | 'full'
function requestOf(profile: ProfileName, flags: CoordinationFlags = {}) {
  return coordinationRequest(flags, readSettings({ ...flags, profile }), '.')
}

describe('the profiles', () => {
  it.each(['smoke', 'standard', 'full'] as const)(
    '%s numbers its rounds through and judges the last case',
    (profile) => {
      const { sizes } = requestOf(profile)
      const { cases, order, skippedCases } = planCoordination(sizes, labels, 'seed', machine)
      expect(skippedCases).toEqual([])
      expect(order).toHaveLength(cases.reduce((sum, each) => sum + each.rounds, 0))
      let next = 0
      for (const each of cases) {
        expect(each.firstRound).toBe(next)
        next += each.rounds
        const { pattern, instancesPerSecond } = each.coordination ?? { pattern: null, instancesPerSecond: NaN }
        if (pattern === null) throw new Error(`${each.name} has no pattern`)
        expect(each.agents).toBe(agentsOf(pattern))
        expect(each.ratePerSecond).toBe(instancesPerSecond * exchangesPerInstance(pattern))
      }
      const last = cases.at(-1)
      expect(last?.name).toBe(profile === 'full' ? 'expert-pool' : 'fan-out')
      // A p99 of instances needs 299 of them; a decision 3 rounds in a smoke run, 6 otherwise.
      const instances = (last?.coordination?.instancesPerSecond ?? 0) * ((last?.roundDurationMs ?? 0) / 1000)
      expect(instances * (last?.rounds ?? 0)).toBeGreaterThan(299 * 1.2)
      expect(last?.rounds).toBeGreaterThanOrEqual(profile === 'smoke' ? 3 : 6)
    },
  )

  it('play two patterns in half a minute, all in ten minutes, and 10,000 workers with 100 experts in full', () => {
    const estimate = (profile: ProfileName): number => {
      const { sizes, warmupMs } = requestOf(profile)
      return estimateCoordination(planCoordination(sizes, labels, 'seed', machine), arms, warmupMs).durationMs
    }
    expect(estimate('smoke')).toBeLessThan(30_000)
    expect(estimate('standard')).toBeLessThan(600_000)
    expect(requestOf('smoke').sizes.patterns).toHaveLength(2)
    expect(
      requestOf('standard')
        .sizes.patterns.map(({ name }) => name)
        .toSorted(),
      // Chains are played by name, and by the timeout cascades of the recovery suite.
    ).toEqual(coordinationKinds.filter((kind) => kind !== 'chain').toSorted())
    expect(requestOf('full').sizes.patterns.at(-1)?.plan.pattern).toMatchObject({ workers: 10_000, experts: 100 })
  })

  it('give every agent that is judged for fairness ten exchanges in a round of standard', () => {
    for (const { plan } of requestOf('standard').sizes.patterns) {
      const { pattern, instancesPerSecond } = plan
      const exchanges = instancesPerSecond * 4 * exchangesPerInstance(pattern)
      expect(exchanges / rolesOf(pattern).asked.agents, pattern.kind).toBeGreaterThan(12)
    }
  })
})

describe('the flags', () => {
  it('choose patterns in the order of play, and override rate, deadline and payload of each', () => {
    const { sizes } = requestOf('standard', {
      patterns: 'fan-out, pipeline',
      rate: 80,
      deadline: 900,
      'payload-bytes': 64,
      rounds: 7,
      'round-duration': 1500,
    })
    expect(sizes).toMatchObject({ rounds: 7, judgedRounds: 7, roundDurationMs: 1500 })
    expect(
      sizes.patterns.map(({ name, plan }) => [name, plan.instancesPerSecond, plan.deadlineMs, plan.payloadBytes]),
    ).toEqual([
      ['fan-out', 10, 900, 64],
      ['pipeline', 20, 900, 64],
    ])
    expect(parsePatterns('all').toSorted()).toEqual([...coordinationKinds].toSorted())
  })

  it("play a file of the user's own as it is, under its own name", () => {
    const file = join(folder, 'mine.yaml')
    writeFileSync(file, 'name: mine\npattern: pipeline\ncoordinators: 2\nagentsPerStage: 1\ndepth: 3\n')
    const [only, ...others] = requestOf('full', { workload: file }).sizes.patterns
    expect(others).toEqual([])
    expect(only).toEqual({
      name: 'mine',
      plan: {
        pattern: { kind: 'pipeline', coordinators: 2, agentsPerStage: 1, depth: 3 },
        instancesPerSecond: 20,
        arrivals: 'poisson',
        payloadBytes: 300,
        workMs: 0,
        deadlineMs: 5000,
      },
    })
  })

  it('leave bars of patterns that are not played to be seen, and bind nobody; a file of bars is taken as it is', () => {
    const mandatory = (flags: CoordinationFlags): string[] =>
      requestOf('standard', flags)
        .targets.items.filter((target) => isMandatory(target, 'standard'))
        .map(({ expression }) => expression)
    const ofPatterns = (list: readonly string[]): string[] =>
      list.filter((text) => /coordination\.[a-z-]+\.p99/.test(text))
    expect(ofPatterns(mandatory({}))).toHaveLength(6)
    expect(ofPatterns(mandatory({ patterns: 'quorum,pipeline' }))).toEqual([
      'candidate.coordination.pipeline.p99 < 1200ms',
      'candidate.coordination.quorum.p99 < 300ms',
    ])
    expect(requestOf('standard', { patterns: 'quorum' }).targets.items).toHaveLength(9)
    expect(mandatory({ patterns: 'quorum' })).toContain('candidate.coordination.fairness >= 0.9')
    const targets = fileURLToPath(shippedFile('fixtures/targets/coordination.yaml'))
    expect(ofPatterns(mandatory({ patterns: 'quorum', targets }))).toHaveLength(6)
  })

  it.each([
    [{ patterns: 'fanout' }, "there is no pattern 'fanout'", "Did you mean 'fan-out'?"],
    [{ patterns: 'fan-out,fan-out' }, 'the pattern fan-out is named twice', 'Name each once'],
    [{ patterns: 'fan-out', workload: 'pipeline' }, 'both say what is played', 'Give --patterns'],
    [{ workload: 'pairs' }, 'is a load of single exchanges', 'Use lighthouse bench compare --workload pairs.'],
    [{ workload: 'nothing' }, 'the workload nothing cannot be read', 'fan-out, pipeline, chain, review'],
  ] as const)('are refused: %j', (flags, message, suggestion) => {
    const plan = (): unknown => planCoordination(requestOf('smoke', flags).sizes, labels, 'seed', machine)
    expect(plan).toThrow(message)
    try {
      plan()
    } catch (error) {
      expect(JSON.stringify((error as { suggestions: unknown }).suggestions)).toContain(suggestion)
    }
  })
})

describe('a coordination pattern on another suite', () => {
  const settings = readSettings({ profile: 'smoke' })
  it.each([
    ['compare', () => comparisonRequest({ workload: 'fan-out' }, settings, '.')],
    ['scale', () => scalingRequest({ workload: 'review' }, settings, '.')],
    ['recovery', () => recoveryRequest({ workload: 'quorum' }, settings, '.')],
  ])('is refused by bench %s, which names the command that plays it', (_, request) => {
    expect(request).toThrow(/is a coordination pattern, and this command plays single exchanges/)
    try {
      request()
    } catch (error) {
      expect(error).toMatchObject({
        code: 'USAGE',
        suggestions: [
          expect.stringMatching(/^Use lighthouse bench coordination --workload (fan-out|review|quorum)\.$/),
        ],
      })
    }
  })
})

describe('a machine with too few descriptors', () => {
  it('moves large patterns to processes, leaves out what does not fit, and fails when that is the last', () => {
    const { sizes } = requestOf('full')
    const plan = planCoordination(sizes, labels, 'seed', machine)
    expect(plan.hosts['fan-out']).toEqual({ host: 'thread', note: null })
    expect(plan.hosts['expert-pool']?.host).toBe('process')
    expect(plan.hosts['expert-pool']?.note).toContain('10100 agents')
    expect(() => planCoordination(sizes, labels, 'seed', { ...machine, descriptorLimit: 4096 })).toThrow(
      'file descriptors',
    )
    const reversed = { ...sizes, patterns: sizes.patterns.toReversed() }
    const small = planCoordination(reversed, labels, 'seed', { ...machine, descriptorLimit: 4096 })
    expect(small.skippedCases.map(({ name }) => name)).toEqual(['expert-pool'])
    expect(small.cases[0]?.firstRound).toBe(0)
  })
})
