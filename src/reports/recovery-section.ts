/** What each fault did to each engine: one row per fault, engine and repeat, with what was lost first. */
import type { FaultResult, ResultsDocument } from '../measurement/results-document.ts'
import { amount, count, duration, factor, unknown } from './numbers.ts'
import type { Cell, Section, Tone } from './report-model.ts'

const stateTones: Readonly<Record<FaultResult['state'], Tone>> = {
  recovered: 'good',
  'not recovered': 'bad',
  metastable: 'bad',
  'did not bite': 'doubt',
  invalid: 'doubt',
}

/** A report of a hundred repeats would be read by nobody; the rest is in results.json. */
const mostRows = 60

export function recoverySections({ recovery }: ResultsDocument): Section[] {
  if (recovery === undefined || recovery.faults.length === 0) return []
  const shown = recovery.faults.slice(0, mostRows)
  const hidden = recovery.faults.length - shown.length
  return [
    {
      title: 'Faults',
      table: {
        head: ['fault', 'engine', '', 'detected after', 'first success', 'full throughput', 'lost', 'duplicated'],
        rows: shown.map(timesRow),
      },
      lines: [
        {
          text: 'Detection counts from the injection, the rest from the healing. Full throughput begins with several seconds in a row as good as before the fault; its resolution is one second.',
        },
        ...(hidden === 0 ? [] : [{ text: `${hidden} more are in results.json.` }]),
      ],
    },
    {
      title: 'What faults cost',
      table: {
        head: [
          'fault',
          'engine',
          'failed',
          'budget burnt',
          'most waiting',
          'drained after',
          'attempts per exchange',
          'what was done',
        ],
        rows: shown.map(costRow),
      },
      lines: [
        {
          text: 'An error budget of 0.1 % of the round is burnt once at 1×. Failed are refused, timed out and lost exchanges of the whole round.',
        },
      ],
    },
  ]
}

function nameOf({ kind, case: name, round }: FaultResult): Cell {
  return {
    text: kind,
    ...(name === kind && round === 0 ? {} : { detail: name === kind ? `repeat ${round + 1}` : name }),
  }
}

function timesRow(fault: FaultResult): Cell[] {
  const late = `more than ${duration(fault.watchedMs)}`
  const watched = fault.state === 'not recovered' || fault.state === 'metastable'
  return [
    nameOf(fault),
    { text: fault.engine },
    { text: fault.state, tone: stateTones[fault.state] },
    { text: duration(fault.timeToDetectMs) },
    { text: fault.timeToFirstSuccessMs === null && watched ? late : duration(fault.timeToFirstSuccessMs) },
    { text: fault.timeToFullMs === null && watched ? late : duration(fault.timeToFullMs) },
    { text: count(fault.lost), tone: fault.lost > 0 ? 'bad' : 'plain' },
    { text: count(fault.duplicated), tone: fault.duplicated > 0 ? 'bad' : 'plain' },
  ]
}

function costRow(fault: FaultResult): Cell[] {
  return [
    nameOf(fault),
    { text: fault.engine },
    { text: count(fault.failed) },
    { text: factor(fault.budgetBurnt) },
    { text: fault.backlogMax === null ? unknown : count(fault.backlogMax) },
    { text: duration(fault.backlogDrainedMs) },
    { text: amount(fault.amplification) },
    { text: fault.shownBy },
  ]
}
