/** What agents and exchanges take in memory, and what the engines did when there was too little of it. */
import type {
  AgentMemoryResult,
  DescriptorsResult,
  FloodResult,
  InFlightResult,
  LeakResult,
  MemoryResult,
  PressureResult,
  SlowReaderResult,
  SlopeResult,
} from '../measurement/memory-result.ts'
import type { ResultsDocument } from '../measurement/results-document.ts'
import { amount, amountInterval, bytes, count, duration, factor, unknown } from './numbers.ts'
import type { Cell, Section, Tone } from './report-model.ts'

export function memorySections({ memory }: ResultsDocument): Section[] {
  if (memory === undefined) return []
  return [
    ...agentSection(memory),
    ...inFlightSection(memory),
    ...pressureSection(memory),
    ...descriptorsSection(memory),
    ...slowReaderSection(memory),
    ...floodSection(memory),
    ...leakSection(memory),
  ]
}

function slopeCell({ value, low, high, reason }: SlopeResult): Cell {
  if (value === null) return { text: unknown, ...(reason === '' ? {} : { detail: reason }) }
  const detail = amountInterval(value, [low, high])
  return { text: `${amount(value, [low, high])} B`, ...(detail === '' ? {} : { detail }) }
}

function shapeCell({ shape, bendPercent }: SlopeResult): Cell {
  if (shape === 'NOT_DEMONSTRATED') return { text: unknown }
  return { text: shape, detail: `bend ${amount(bendPercent)} %`, tone: shape === 'curved' ? 'doubt' : 'plain' }
}

function agentSection({ agents }: MemoryResult): Section[] {
  if (agents.length === 0) return []
  const row = (each: AgentMemoryResult): Cell[] => [
    { text: each.engine },
    { text: bytes(each.baseLiveBytes), detail: `${bytes(each.baseRssBytes)} resident` },
    slopeCell(each.idleLiveBytes),
    slopeCell(each.idleRssBytes),
    shapeCell(each.idleLiveBytes),
    slopeCell(each.residueLiveBytes),
  ]
  return [
    {
      title: 'Memory per agent',
      table: {
        head: ['engine', 'live without agents', 'live per idle agent', 'resident', 'shape', 'left when gone'],
        rows: agents.map(row),
      },
      lines: [
        {
          text: 'Slopes through all rounds, after two major collections, with 95 % intervals. Live is heap and external.',
        },
      ],
    },
  ]
}

function inFlightSection({ inFlight, copies }: MemoryResult): Section[] {
  if (inFlight.length === 0) return []
  const row = (each: InFlightResult): Cell[] => [
    { text: each.engine },
    { text: bytes(each.payloadBytes) },
    slopeCell(each.liveBytes),
    shapeCell(each.liveBytes),
    { text: count(each.mostOpen) },
  ]
  return [
    {
      title: 'Memory per exchange in flight',
      table: { head: ['engine', 'payload', 'live per open exchange', 'shape', 'most open'], rows: inFlight.map(row) },
      lines: copies.map((each) => ({
        text: `${each.engine}: ${amount(each.overheadBytes)} B for an exchange, and its payload ${factor(each.copies)}, by ${each.payloads} payloads.`,
      })),
    },
  ]
}

const pressureTones: Readonly<Record<PressureResult['state'], Tone>> = {
  carried: 'good',
  shed: 'good',
  'shed, then died': 'doubt',
  died: 'bad',
  'died at start': 'bad',
  failed: 'bad',
  invalid: 'doubt',
}

function pressureSection({ pressure }: MemoryResult): Section[] {
  if (pressure.length === 0) return []
  const row = (each: PressureResult): Cell[] => [
    {
      text: `${each.capOf}, ${amount(each.capFactor)} × need`,
      detail: `${bytes(each.capBytes)} of ${bytes(each.needBytes)}`,
    },
    { text: each.engine },
    { text: each.state, tone: pressureTones[each.state] },
    { text: count(each.shed), ...(each.firstShedMs === null ? {} : { detail: `from ${duration(each.firstShedMs)}` }) },
    {
      text: duration(each.diedAtMs),
      ...(each.restartMs === null ? {} : { detail: `up after ${duration(each.restartMs)}` }),
    },
    { text: count(each.failed) },
    { text: count(each.lost), tone: each.lost > 0 ? 'bad' : 'plain' },
    { text: duration(each.roundTripP99Ms) },
  ]
  return [
    {
      title: 'Under a cap',
      table: {
        head: ['cap', 'engine', '', 'refused with a hint', 'died after', 'failed', 'lost', 'round trip p99'],
        rows: pressure.map(row),
      },
      lines: [
        {
          text: 'The need is what the same load took without a cap: the highest settled heap or, of the whole process, the most resident memory that is of no file. An engine that died was started again on its store, without the cap; lost is what it had acknowledged and nobody saw again. Recipients answer late on purpose.',
        },
      ],
    },
  ]
}

function descriptorsSection({ descriptors }: MemoryResult): Section[] {
  if (descriptors.length === 0) return []
  const row = (each: DescriptorsResult): Cell[] => [
    { text: each.engine, ...(each.state === 'valid' ? {} : { detail: each.state, tone: 'doubt' as const }) },
    { text: count(each.served) },
    { text: count(each.refused) },
    { text: count(each.closed) },
    { text: count(each.silent), tone: (each.silent ?? 0) > 0 ? 'bad' : 'plain' },
    { text: `${count(each.servedAfter)} of ${count(each.wantedAfter)}` },
    { text: count(each.sessionsLost), tone: each.sessionsLost > 0 ? 'bad' : 'plain' },
    { text: count(each.failed) },
    { text: duration(each.roundTripP99Ms) },
  ]
  return [
    {
      title: 'Short of descriptors',
      table: {
        head: [
          'engine',
          'served',
          'refused in words',
          'closed',
          'no answer',
          'served afterwards',
          'sessions lost',
          'failed',
          'round trip p99',
        ],
        rows: descriptors.map(row),
      },
      lines: [{ text: 'New connections while descriptors were short, beside agents that were connected all along.' }],
    },
  ]
}

function slowReaderSection({ slowReaders }: MemoryResult): Section[] {
  if (slowReaders.length === 0) return []
  const row = (each: SlowReaderResult): Cell[] => [
    { text: each.engine, ...(each.state === 'valid' ? {} : { detail: each.state, tone: 'doubt' as const }) },
    each.cutAfterMs === null ? { text: 'no', tone: 'doubt' } : { text: `after ${duration(each.cutAfterMs)}` },
    { text: bytes(each.fedBytes), detail: `${count(each.refusedMessages)} messages refused` },
    { text: bytes(each.peakLiveBytes) },
    { text: bytes(each.peakRssBytes) },
    { text: count(each.failed) },
    { text: duration(each.roundTripP99Ms), detail: `control ${duration(each.controlP99Ms)}` },
  ]
  return [
    {
      title: 'A client that reads nothing',
      table: {
        head: ['engine', 'disconnected', 'taken for it', 'live memory', 'resident', 'failed of others', 'others’ p99'],
        rows: slowReaders.map(row),
      },
      lines: [{ text: 'Memory is counted above the idle agents, at most; what waits in an inbox is live.' }],
    },
  ]
}

function floodSection({ flood }: MemoryResult): Section[] {
  if (flood.length === 0) return []
  const row = (each: FloodResult): Cell[] => [
    { text: each.engine, ...(each.state === 'valid' ? {} : { detail: each.state, tone: 'doubt' as const }) },
    { text: count(each.unanswered) },
    { text: count(each.refused), detail: `${count(each.shed)} with a hint` },
    { text: duration(each.firstShedMs) },
    { text: bytes(each.peakLiveBytes) },
    { text: duration(each.roundTripP99Ms), detail: `control ${duration(each.controlP99Ms)}` },
    { text: count(each.lost), tone: each.lost > 0 ? 'bad' : 'plain' },
  ]
  return [
    {
      title: 'Questions that nobody answers',
      table: {
        head: ['engine', 'unanswered', 'refused', 'first hint after', 'live memory at most', 'others’ p99', 'lost'],
        rows: flood.map(row),
      },
      lines: [
        {
          text: 'Two agents never answer; what completes is the load of the others. Memory is counted above the idle agents.',
        },
      ],
    },
  ]
}

const leakTones: Readonly<Record<LeakResult['verdict'], Tone>> = {
  MET: 'good',
  MARGINAL: 'doubt',
  NOT_MET: 'bad',
  NOT_DEMONSTRATED: 'doubt',
}

const seriesWords: Readonly<Record<LeakResult['series'], string>> = {
  heapUsedBytes: 'heap',
  externalBytes: 'external',
  rssBytes: 'resident',
}

function leakSection({ leaks }: MemoryResult): Section[] {
  if (leaks.length === 0) return []
  const row = (each: LeakResult): Cell[] => [
    { text: each.engine },
    { text: seriesWords[each.series] },
    { text: each.verdict, tone: leakTones[each.verdict], detail: each.reason },
    { text: each.bytesPerHour === null ? unknown : `${amount(each.bytesPerHour)} B/h` },
    { text: count(each.readings) },
  ]
  return [
    {
      title: 'Growth under a steady load',
      table: { head: ['engine', 'memory', 'no leak', 'slope', 'readings'], rows: leaks.map(row) },
      lines: [],
    },
  ]
}
