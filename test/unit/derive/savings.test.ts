import { describe, expect, it } from 'vitest'
import { savings } from '../../../src/measurement/derive-savings.ts'
import { sortRounds, type ArmRounds } from '../../../src/measurement/derive-rounds.ts'
import { syntheticRun } from './synthetic-run.ts'

/** An arm of the candidate's engine under another label, as slow and as costly as `scale` makes it. */
function sibling(
  candidate: ArmRounds,
  label: string,
  scale: { readonly service: number; readonly cpu: number },
): ArmRounds {
  return {
    ...candidate,
    arm: { ...candidate.arm, label, options: { batching: 'off' }, role: 'baseline' },
    valid: candidate.valid.map((round, index) => {
      // A little spread between rounds, so that the medians are no constants.
      const spread = 1 + ((index % 5) - 2) / 100
      const { whole } = round.series.serviceTime
      const slower = { ...whole, values: whole.values.map((value) => Math.round(value * scale.service * spread)) }
      return {
        ...round,
        series: { ...round.series, serviceTime: { ...round.series.serviceTime, whole: slower } },
        evidence: {
          ...round.evidence,
          resources: { ...round.evidence.resources, cpuUs: (round.evidence.resources.cpuUs ?? 0) * scale.cpu * spread },
        },
      }
    }),
  }
}

function armsOf(rounds: number): ArmRounds[] {
  const { manifest, rounds: played } = syntheticRun({ rounds })
  return [...sortRounds(manifest, played, 5).arms]
}

function verdicts(arms: readonly ArmRounds[]): Record<string, string> {
  return Object.fromEntries(savings(arms).map(({ metric, verdict }) => [metric, verdict]))
}

describe('what an option saves', () => {
  it('says nothing where no other arm is of the same engine', () => {
    expect(savings(armsOf(10))).toEqual([])
  })

  it('finds a planted saving of time and a planted cost of CPU, each under its own name', () => {
    const [polling, candidate] = armsOf(10)
    if (polling === undefined || candidate === undefined) throw new Error('two arms were expected')
    const arms = [polling, sibling(candidate, 'elicitation:batching=off', { service: 1.5, cpu: 0.5 }), candidate]
    expect(verdicts(arms)).toEqual({
      serviceTimeP50: 'saves',
      serviceTimeP99: expect.any(String),
      cpuUsPerExchange: 'costs',
    })
    const cpu = savings(arms).find(({ metric }) => metric === 'cpuUsPerExchange')
    expect(cpu?.ratio).toBeCloseTo(0.5, 1)
    expect(cpu).toMatchObject({ arm: 'elicitation:batching=off', against: 'elicitation', rounds: 10 })
  })

  it('does not find one where there is none', () => {
    const [, candidate] = armsOf(10)
    if (candidate === undefined) throw new Error('two arms were expected')
    const found = verdicts([sibling(candidate, 'elicitation:schemaCache=off', { service: 1, cpu: 1 }), candidate])
    expect(found).toMatchObject({ serviceTimeP50: '~', cpuUsPerExchange: '~' })
  })

  it('demonstrates nothing with fewer than six pairs of rounds', () => {
    const [, candidate] = armsOf(5)
    if (candidate === undefined) throw new Error('two arms were expected')
    const found = verdicts([sibling(candidate, 'elicitation:batching=off', { service: 3, cpu: 3 }), candidate])
    expect(found).toMatchObject({ serviceTimeP50: 'NOT_DEMONSTRATED', cpuUsPerExchange: 'NOT_DEMONSTRATED' })
  })
})
