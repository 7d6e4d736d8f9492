/** What suites need whose engines are processes that the run breaks, caps or watches: their rows of the table in requirements.ts. */
import { toolNames } from '../measurement/machine-tools.ts'
import type { CasePlan } from '../measurement/round-evidence.ts'
import { drainGraceMs } from './arm-timing.ts'
import { estimateEndurance, planEndurance } from './endurance.ts'
import { faultKind, type FaultName } from './fault-kinds.ts'
import { levelNeeds, levelsOf, storeBytes, type Row } from './machine-needs.ts'
import { estimateMemory, planMemory } from './memory-pressure.ts'
import { estimateRecovery, planRecovery } from './recovery.ts'
import { storeBytesOf, type EnduranceRequest } from './run-endurance.ts'
import type { MemoryRequest } from './run-memory.ts'
import type { RecoveryRequest } from './run-recovery.ts'

/** The control's engines are up throughout, and beside them those that are broken: one, or in a smoke run one of each. */
export function recoveryRow(request: RecoveryRequest): Row {
  const { arms, sizes, seed, workload } = request
  const { ratePerSecond } = sizes
  const plan = planRecovery(
    sizes,
    arms.map(({ label }) => label),
    seed,
  )
  const brokenAtOnce = sizes.together ? arms.length : 1
  const proxied = sizes.faults.some((name) => faultKind(name)?.network === true)
  const control = plan.cases.at(-1)
  const longestMs = Math.max(...plan.cases.slice(0, -1).map(({ roundDurationMs }) => roundDurationMs))
  const storeOf = (durationMs: number): number =>
    storeBytes(request, (ratePerSecond * durationMs) / 1000, workload.payloadBytes)
  const grace = arms.map((arm) => ({ drainGraceMs: drainGraceMs(arm) }))
  const { durationMs, diskBytes } = estimateRecovery(plan, grace, sizes)
  return {
    levels: levelsOf(plan.cases, arms.length + brokenAtOnce, 'process'),
    host: 'process',
    enginesAtOnce: arms.length + brokenAtOnce,
    proxiesAtOnce: proxied ? brokenAtOnce : 0,
    outputBytes: diskBytes,
    storeBytes:
      arms.length * storeOf((control?.rounds ?? 0) * (control?.roundDurationMs ?? 0)) +
      brokenAtOnce * storeOf(longestMs),
    durationMs,
    optionalTools: toolsOf(sizes.faults),
  }
}

/** Faults that need a program, under it. */
function toolsOf(faults: readonly FaultName[]): Row['optionalTools'] {
  const needing = faults.flatMap((name) => {
    const tool = toolNames.find((each) => each === faultKind(name)?.tool)
    return tool === undefined ? [] : [{ name, tool }]
  })
  return toolNames.flatMap((tool) => {
    const names = needing.filter((each) => each.tool === tool).map(({ name }) => name)
    return names.length === 0 ? [] : [{ tool, cases: `the fault ${names.join(', ')}` }]
  })
}

/** Every round has an engine of its own, beside those of the control; in a smoke run one of each is up at once. */
export function memoryRow(request: MemoryRequest): Row {
  const { arms, sizes, seed } = request
  const labels = arms.map(({ label }) => label)
  const plan = planMemory(sizes, labels, seed, new Map())
  const ownAtOnce = sizes.together ? arms.length : 1
  const grace = arms.map((arm) => ({ drainGraceMs: drainGraceMs(arm) }))
  const { durationMs, diskBytes } = estimateMemory(plan, grace, sizes)
  const storeOf = ({ ratePerSecond, roundDurationMs, rounds, memory }: CasePlan): number => {
    const exchanges = (ratePerSecond * roundDurationMs * (memory === undefined ? rounds : 1)) / 1000
    return storeBytes(request, exchanges, memory?.payloadBytes ?? sizes.payloadBytes)
  }
  const control = plan.cases.at(-1)
  const largest = Math.max(...plan.cases.slice(0, -1).map(storeOf))
  return {
    levels: levelsOf(plan.cases, arms.length + ownAtOnce, 'process'),
    host: 'process',
    enginesAtOnce: arms.length + ownAtOnce,
    proxiesAtOnce: 0,
    outputBytes: diskBytes,
    storeBytes: ownAtOnce * largest + (control === undefined ? 0 : arms.length * storeOf(control)),
    durationMs,
    optionalTools: [
      ...(sizes.descriptors === null ? [] : [{ tool: 'prlimit' as const, cases: 'engines short of descriptors' }]),
      ...(sizes.processCaps.length === 0
        ? []
        : [{ tool: 'cgroupMemory' as const, cases: 'caps on the memory of the whole process' }]),
    ],
  }
}

/** All engines are up throughout. What engines keep for a time moves only the part of the run that is judged, not what it takes. */
export function enduranceRow(request: EnduranceRequest): Row {
  const { arms, sizes, seed, warmupMs, durability } = request
  const places = arms.map((arm) => ({
    label: arm.label,
    drainGraceMs: drainGraceMs(arm),
    longestTtlMs: 0,
    exchangesKept: 0,
  }))
  const { durationMs, diskBytes } = estimateEndurance(planEndurance(sizes, places, seed), places, warmupMs)
  return {
    levels: [levelNeeds(sizes.agents, arms.length, 'process')],
    host: 'process',
    enginesAtOnce: arms.length,
    proxiesAtOnce: 0,
    outputBytes: diskBytes,
    storeBytes: durability === 'memory' ? 0 : storeBytesOf(request),
    durationMs,
    optionalTools: [],
  }
}
