/**
 * Knees of a scaling run and the Universal Scalability Law through them. Knees that the generator or the machine ended are lower
 * bounds of the engine's own, so a law through them describes engine, load and machine together; the report says so.
 */
import type { Distribution } from '../statistics/distribution.ts'
import { fitScalability } from '../statistics/scalability.ts'
import type { JudgedCase } from './derive-cases.ts'
import { significant, significantHigh, significantLow } from './derive-figures.ts'
import type { ArmRounds } from './derive-rounds.ts'
import { kneeOf, levelProbe, offeredPerSecond, probeOutcome, type Probe } from './knee.ts'
import type { KneeResult, ScalabilityResult } from './results-document.ts'
import type { RoundEvidence } from './round-evidence.ts'

/** Empty for an engine that made no probe. `level`: the case at whose number of agents the knee was sought, where there is one. */
export function kneeResult({ view: { plan }, judged }: JudgedCase, engine: string, level?: JudgedCase): KneeResult[] {
  const boundMs = plan.searchBoundsMs?.[engine]
  const arm = judged.sorted.arms.find((each) => each.arm.label === engine)
  if (boundMs === undefined || arm === undefined || arm.all.length === 0) return []
  const own = countedOf(arm)
  const probes = own.map(({ evidence, roundTrip }): Probe => ({
    ratePerSecond: offeredPerSecond(evidence),
    outcome: probeOutcome(evidence, roundTrip, boundMs),
  }))
  const levelArm = level?.judged.sorted.arms.find((each) => each.arm.label === engine)
  const levelRounds = levelArm === undefined ? [] : countedOf(levelArm)
  const atLevel = levelProbe(levelRounds, boundMs)
  const { ratePerSecond, limit } = kneeOf(atLevel === null ? probes : [atLevel, ...probes])
  const best = [...levelRounds, ...own].findLast(
    ({ evidence, roundTrip }) =>
      offeredPerSecond(evidence) === ratePerSecond && probeOutcome(evidence, roundTrip, boundMs) === 'held',
  )?.evidence
  const cpuUs = best?.resources.cpuUs ?? null
  const elapsedMs = best === undefined ? 0 : best.durationMs + best.drainMs
  return [
    {
      engine,
      agents: plan.agents,
      boundMs,
      ratePerSecond: significant(ratePerSecond),
      limit,
      probes: probes.length,
      engineCpuPercent: cpuUs === null || elapsedMs <= 0 ? null : significant(cpuUs / (elapsedMs * 10)),
      generatorCpuPercent: significant(best?.audit.cpuPercent ?? null),
    },
  ]
}

/** Every round, with the round trips of those that count. */
function countedOf({ all, valid }: ArmRounds): { evidence: RoundEvidence; roundTrip: Distribution | null }[] {
  const counted = new Map(valid.map(({ evidence, series }) => [evidence, series.roundTrip.whole]))
  return all.map((evidence) => ({ evidence, roundTrip: counted.get(evidence) ?? null }))
}

type Triple = readonly [value: number, low: number | null, high: number | null]

function triple({ value, low, high }: { value: number; low: number | null; high: number | null }): Triple {
  return [significant(value) ?? 0, significantLow(low), significantHigh(high)]
}

export function scalabilityOf(engine: string, knees: readonly KneeResult[]): ScalabilityResult {
  const points = knees.flatMap((knee) =>
    // What ended without a failure is no knee but a lower bound of one. The search resolves rates to a share of themselves,
    // hence the weights.
    knee.engine !== engine || knee.ratePerSecond === null || knee.limit === 'not reached'
      ? []
      : [{ concurrency: knee.agents, throughput: knee.ratePerSecond, weight: knee.ratePerSecond ** -2 }],
  )
  const testedTo = Math.max(0, ...points.map(({ concurrency }) => concurrency))
  const fit = fitScalability(points)
  if (fit.status === 'NOT_DEMONSTRATED') {
    const nothing = { lambda: null, sigma: null, kappa: null, peakAgents: null }
    const open = knees.filter((knee) => knee.engine === engine && knee.limit === 'not reached').length
    const reason = open === 0 ? fit.reason : `${fit.reason}; ${open} searches ended before anything failed`
    return { engine, status: fit.status, reason, ...nothing, testedTo }
  }
  const { lambda, sigma, kappa, peak } = fit
  return {
    engine,
    status: fit.status,
    reason: '',
    lambda: triple(lambda),
    sigma: triple(sigma),
    kappa: triple(kappa),
    peakAgents: peak === null || peak.extrapolated ? null : triple(peak.concurrency),
    testedTo,
  }
}
