/**
 * What engines did when there was too little: of heap, of descriptors, of answers. Every figure of a round that does not count is left
 * out, and the round is called invalid; what was acknowledged and lost stops the run through its ledger, whatever is said here.
 */
import { mergeDistributions, quantile } from '../statistics/distribution.ts'
import { msOf, words } from './derive-figures.ts'
import type { ArmRounds, ValidRound } from './derive-rounds.ts'
import { liveBytes, median, readingsOf, type CaseRounds } from './memory-readings.ts'
import type { DescriptorsResult, FloodResult, MemoryResult, PressureResult, SlowReaderResult } from './memory-result.ts'
import type { MemoryCasePlan, MemoryReading, RoundEvidence } from './round-evidence.ts'

function p99Ms(rounds: readonly ValidRound[]): number | null {
  return msOf(quantile(mergeDistributions(rounds.map(({ series }) => series.roundTrip.whole)), 0.99))
}

export const cappedKinds: readonly MemoryCasePlan['kind'][] = ['heapCap', 'processCap']

/** Of any case but those with a cap, whose deaths are judged: also where the round does not count. */
export function deathFindings(rounds: readonly CaseRounds[]): string[] {
  return rounds.flatMap(({ name, memory, arm }) =>
    arm.all.flatMap(({ faults }) => {
      const death = faults?.find(({ kind }) => kind === 'death')
      if (death === undefined || cappedKinds.includes(memory.kind)) return []
      return [
        `finding: ${arm.arm.label} died in ${name} ${words(death.injectedAtMs / 1000)} s into the load: ${death.shownBy}`,
      ]
    }),
  )
}

/** The record that counts, or the last there is. */
function recordOf({ arm }: CaseRounds): { readonly evidence: RoundEvidence; readonly valid: ValidRound | null } | null {
  const valid = arm.valid[0] ?? null
  const evidence = valid?.evidence ?? arm.all.at(-1)
  return evidence === undefined ? null : { evidence, valid }
}

function failedOf({ counts }: RoundEvidence): number {
  return counts.refused + counts.timedOut + counts.lost
}

function shedOf({ client }: RoundEvidence): { readonly shed: number; readonly firstShedMs: number | null } {
  return { shed: client['refusedWithRetryAfter'] ?? 0, firstShedMs: tenth(client['firstRetryAfterMs'] ?? null) }
}

function tenth(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms * 10) / 10
}

export function pressureResult(each: CaseRounds): PressureResult[] {
  const record = recordOf(each)
  if (record === null) return []
  const { evidence, valid } = record
  const figures = evidence.faults?.[0]?.figures ?? {}
  const { shed, firstShedMs } = shedOf(evidence)
  const diedAtMs = tenth(figures['diedAtMs'] ?? null)
  const state = pressureState({
    valid: valid !== null,
    atStart: figures['diedAtStart'] !== undefined,
    diedAtMs,
    firstShedMs,
    failed: failedOf(evidence),
  })
  return [
    {
      case: each.name,
      engine: each.arm.arm.label,
      state,
      capOf: each.memory.kind === 'processCap' ? 'process' : 'heap',
      capFactor: each.memory.capFactor,
      capBytes: figures['capBytes'] ?? null,
      needBytes: figures['needBytes'] ?? null,
      firstShedMs,
      diedAtMs,
      restartMs: tenth(figures['restartMs'] ?? null),
      kernelKills: figures['kernelKills'] ?? null,
      shed,
      completed: evidence.counts.completed,
      failed: failedOf(evidence),
      lost: evidence.counts.lost,
      duplicated: evidence.counts.duplicated,
      roundTripP99Ms: valid === null ? null : p99Ms([valid]),
    },
  ]
}

function pressureState(seen: {
  readonly valid: boolean
  readonly atStart: boolean
  readonly diedAtMs: number | null
  readonly firstShedMs: number | null
  readonly failed: number
}): PressureResult['state'] {
  const { valid, atStart, diedAtMs, firstShedMs, failed } = seen
  if (!valid) return 'invalid'
  if (atStart) return 'died at start'
  if (diedAtMs !== null) return firstShedMs !== null && firstShedMs < diedAtMs ? 'shed, then died' : 'died'
  if (firstShedMs !== null) return 'shed'
  return failed === 0 ? 'carried' : 'failed'
}

export function descriptorsResult(each: CaseRounds): DescriptorsResult[] {
  const record = recordOf(each)
  if (record === null) return []
  const { evidence, valid } = record
  const fault = evidence.faults?.[0]
  const figure = (name: string): number | null => fault?.figures[name] ?? null
  return [
    {
      engine: each.arm.arm.label,
      state: valid === null ? 'invalid' : fault?.bit === true ? 'valid' : 'did not bite',
      served: figure('served'),
      refused: figure('refused'),
      closed: figure('closed'),
      silent: figure('silent'),
      servedAfter: figure('servedAfter'),
      wantedAfter: figure('wantedAfter'),
      sessionsLost: evidence.client['lostSessions'] ?? 0,
      failed: failedOf(evidence),
      lost: evidence.counts.lost,
      roundTripP99Ms: valid === null ? null : p99Ms([valid]),
    },
  ]
}

/** What readings of the round were at most above those of the idle agents. */
function peakOf(valid: ValidRound | null, bytes: (reading: MemoryReading) => number): number | null {
  if (valid === null) return null
  const idle = median(readingsOf(valid, 'idle').map(bytes))
  const during = readingsOf(valid, 'during').map(bytes)
  return idle === null || during.length === 0 ? null : Math.max(0, Math.round(Math.max(...during) - idle))
}

function controlP99Ms(control: ArmRounds | undefined): number | null {
  return control === undefined || control.valid.length === 0 ? null : p99Ms(control.valid)
}

/** `control`: of the same engine, to hold the others' latency against. */
export function slowReaderResult(each: CaseRounds, control: ArmRounds | undefined): SlowReaderResult[] {
  const record = recordOf(each)
  if (record === null) return []
  const { evidence, valid } = record
  const fault = evidence.faults?.[0]
  const figure = (name: string): number | null => fault?.figures[name] ?? null
  return [
    {
      engine: each.arm.arm.label,
      state: valid === null ? 'invalid' : fault?.bit === true ? 'valid' : 'did not bite',
      fedBytes: figure('fedBytes'),
      refusedMessages: figure('refusedMessages'),
      cutAfterMs: tenth(figure('cutAfterMs')),
      peakLiveBytes: peakOf(valid, liveBytes),
      peakRssBytes: peakOf(valid, ({ rssBytes }) => rssBytes),
      failed: failedOf(evidence),
      lost: evidence.counts.lost,
      roundTripP99Ms: valid === null ? null : p99Ms([valid]),
      controlP99Ms: controlP99Ms(control),
    },
  ]
}

/** `control` as above. */
export function floodResult(each: CaseRounds, control: ArmRounds | undefined): FloodResult[] {
  const record = recordOf(each)
  if (record === null) return []
  const { evidence, valid } = record
  return [
    {
      engine: each.arm.arm.label,
      state: valid === null ? 'invalid' : 'valid',
      unanswered: evidence.counts.timedOut,
      refused: evidence.counts.refused,
      ...shedOf(evidence),
      peakLiveBytes: peakOf(valid, liveBytes),
      roundTripP99Ms: valid === null ? null : p99Ms([valid]),
      controlP99Ms: controlP99Ms(control),
      lost: evidence.counts.lost,
    },
  ]
}

export function pressureFindings({ pressure, descriptors, slowReaders, flood }: MemoryResult): string[] {
  return [
    ...pressure.flatMap(capFinding),
    ...descriptors.flatMap(descriptorsFinding),
    ...slowReaders.flatMap(slowReaderFinding),
    ...flood.flatMap(floodFinding),
  ]
}

function capFinding({ case: name, engine, state, capBytes, diedAtMs, lost }: PressureResult): string[] {
  const cap = capBytes === null ? name : `${name} (${words(capBytes / 2 ** 20)} MiB)`
  const after = lost === 0 ? 'nothing that it had acknowledged was lost' : `${lost} acknowledged exchanges were lost`
  if (state === 'died at start') return [`finding: ${engine} did not start under ${cap}`]
  if (state === 'died') {
    return [
      `finding: ${engine} died under ${cap} ${words((diedAtMs ?? 0) / 1000)} s into the load without having refused anything; ${after}`,
    ]
  }
  if (state === 'failed') return [`finding: ${engine} lived under ${cap}, and failed exchanges without refusing them`]
  return state === 'invalid' ? [`finding: what ${engine} did under ${cap} does not count: its round is INVALID`] : []
}

function descriptorsFinding(each: DescriptorsResult): string[] {
  const { engine, state, silent, closed, servedAfter, wantedAfter, sessionsLost } = each
  if (state !== 'valid') return [`finding: the shortage of descriptors says nothing of ${engine}: ${state}`]
  return [
    ...((silent ?? 0) > 0
      ? [`finding: ${engine} left ${silent} connections without any answer, short of descriptors`]
      : []),
    ...((closed ?? 0) > 0
      ? [`finding: ${engine} closed ${closed} connections without a word, short of descriptors`]
      : []),
    ...(sessionsLost > 0 ? [`finding: ${engine} lost ${sessionsLost} open sessions while short of descriptors`] : []),
    ...((servedAfter ?? 0) < (wantedAfter ?? 0)
      ? [`finding: ${engine} served ${servedAfter} of ${wantedAfter} connections after descriptors were back`]
      : []),
  ]
}

function slowReaderFinding({ engine, state, cutAfterMs, fedBytes, peakRssBytes }: SlowReaderResult): string[] {
  if (state !== 'valid') return [`finding: the client that does not read says nothing of ${engine}: ${state}`]
  if (cutAfterMs !== null) return []
  const mib = (bytes: number | null): string => words(bytes === null ? null : bytes / 2 ** 20)
  return [
    `finding: ${engine} did not disconnect a client that read nothing of ${mib(fedBytes)} MiB; its resident memory rose by at most ${mib(peakRssBytes)} MiB`,
  ]
}

function floodFinding({ engine, state }: FloodResult): string[] {
  return state === 'invalid'
    ? [`finding: the flood of unanswered questions says nothing of ${engine}: its round is INVALID`]
    : []
}
