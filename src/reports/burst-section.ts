/** What bursts did to each engine: one row per step of the load, and one per case for what followed. */
import type { BurstCaseResult, BurstFactor, BurstStep } from '../measurement/burst-result.ts'
import type { ResultsDocument } from '../measurement/results-document.ts'
import { count, duration, durationInterval, factor, factorInterval, perSecond, unknown } from './numbers.ts'
import type { Cell, Section, Tone } from './report-model.ts'

const factorTones: Readonly<Record<BurstFactor['verdict'], Tone>> = {
  degraded: 'bad',
  improved: 'good',
  '~': 'plain',
  NOT_DEMONSTRATED: 'doubt',
}

export function burstSections({ burst }: ResultsDocument): Section[] {
  if (burst === undefined || burst.cases.length === 0) return []
  return [
    {
      title: 'Bursts',
      table: {
        head: ['burst', 'engine', 'load', 'round trip p50', 'p50 degraded', 'p99', 'p99 degraded'],
        rows: burst.cases.flatMap((each) => each.steps.map((step) => stepRow(each, step))),
      },
      lines: [
        {
          text: 'Degradation is the quantile in the burst over the same before it, the median of the rounds with its 95 % interval; an exchange that failed counts with its deadline.',
        },
      ],
    },
    {
      title: 'After the burst',
      table: {
        head: ['burst', 'engine', 'as good as before after', 'rounds', 'most waiting', 'failed'],
        rows: burst.cases.map(afterRow),
      },
      lines: [
        {
          text: 'Counted from the end of the burst to the first of several seconds in a row as good as before it; its resolution is one second.',
        },
      ],
    },
  ]
}

function stepRow(each: BurstCaseResult, step: BurstStep): Cell[] {
  const { before } = each
  return [
    { text: each.case },
    { text: each.engine },
    {
      text: `${count(step.agents)} at ${perSecond(step.ratePerSecond)}`,
      detail: `from ${perSecond(before.ratePerSecond)}`,
    },
    quantileCell(step.p50Ms, before.p50Ms),
    factorCell(step.p50),
    quantileCell(step.p99Ms, before.p99Ms),
    factorCell(step.p99),
  ]
}

function quantileCell(ms: number | null, beforeMs: number | null): Cell {
  return ms === null ? { text: unknown } : { text: duration(ms), detail: `from ${duration(beforeMs)}` }
}

function factorCell({ ratio, low, high, verdict }: BurstFactor): Cell {
  const tone = factorTones[verdict]
  if (ratio === null) return { text: 'not demonstrated', tone }
  const interval = factorInterval(ratio, [low, high])
  const detail = verdict === 'NOT_DEMONSTRATED' ? 'not demonstrated' : `${interval} ${verdict}`
  return { text: factor(ratio, [low, high]), detail, tone }
}

function afterRow(each: BurstCaseResult): Cell[] {
  const { case: name, engine, recovery, before, steps, after, backlogBefore, backlogMax } = each
  const { medianMs, lowMs, highMs, rounds, recoveredRounds, watchedMs } = recovery
  const failed = steps.reduce((sum, step) => sum + step.failed, 0)
  const late = recoveredRounds < rounds
  const interval = medianMs === null ? '' : durationInterval(medianMs, [lowMs, highMs])
  const within = rounds === 0 ? unknown : `not within ${duration(watchedMs)}`
  return [
    { text: name },
    { text: engine },
    {
      text: medianMs === null ? within : duration(medianMs),
      ...(interval === '' ? {} : { detail: interval }),
      tone: late ? 'bad' : 'plain',
    },
    { text: `${count(recoveredRounds)} of ${count(rounds)}` },
    { text: count(backlogMax), ...(backlogBefore === null ? {} : { detail: `from ${count(backlogBefore)}` }) },
    {
      text: `${count(before.failed)} before, ${count(failed)} in it, ${count(after.failed)} after`,
      tone: before.failed + failed + after.failed > 0 ? 'bad' : 'plain',
    },
  ]
}
