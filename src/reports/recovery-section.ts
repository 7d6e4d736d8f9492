/** What each fault did to each engine: one row per fault, engine and repeat, with what was lost first. */
import type { FaultResult, ResultsDocument } from '../measurement/results-document.ts'
import { amount, count, duration, factor, share, unknown } from './numbers.ts'
import type { Cell, Section, Tone } from './report-model.ts'

const stateTones: Readonly<Record<FaultResult['state'], Tone>> = {
  recovered: 'good',
  'not recovered': 'bad',
  metastable: 'bad',
  'not steady before': 'doubt',
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
        head: ['fault', 'engine', '', 'detected', 'success', 'full', 'lost', 'dup.'],
        rows: shown.map(timesRow),
      },
      lines: [
        {
          text: 'Detected: from the injection to the first failure that a client saw. Success and full: from the healing to the first result of what was sent after it, and to the first of several seconds in a row as good as before the fault (to one second). Dup.: duplicated to the application.',
        },
        ...(hidden === 0 ? [] : [{ text: `${hidden} more are in results.json.` }]),
      ],
    },
    {
      title: 'What faults cost',
      table: {
        head: ['fault', 'engine', 'failed', 'budget', 'waiting', 'drained', 'attempts'],
        rows: shown.map(costRow),
      },
      lines: [
        {
          text: 'Failed: refused, timed out and lost exchanges of the whole round, and how often they burn its error budget of 0.1 %. Waiting: the most at the end of a second; drained: from the healing. Attempts: per exchange, as the clients count them.',
        },
      ],
    },
    ...cascadeSection(shown),
    {
      title: 'What was done',
      lines: shown.map(({ kind, engine, shownBy }) => ({ text: `${kind}, ${engine}: ${shownBy}` })),
    },
  ]
}

function cascadeSection(faults: readonly FaultResult[]): Section[] {
  const rows = faults.flatMap((fault): Cell[][] => {
    const { chains } = fault
    if (chains === null) return []
    return [
      [
        nameOf(fault),
        { text: fault.engine },
        { text: count(chains.begun) },
        { text: count(chains.failed), tone: chains.failed > 0 ? 'bad' : 'plain' },
        { text: factor(chains.questionRatio) },
        { text: factor(chains.questionRatioBefore) },
        { text: share(chains.inVainShare) },
      ],
    ]
  })
  if (rows.length === 0) return []
  return [
    {
      title: 'Timeout cascades',
      table: { head: ['fault', 'engine', 'chains', 'failed', 'questions', 'before', 'in vain'], rows },
      lines: [
        {
          text: 'Of chains that began while a fifth of the agents was slow. Questions: asked over those that the same chains take without a retry, and the same of chains before the fault. In vain: asked when nobody waited any more for what they were to bring.',
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
  ]
}
