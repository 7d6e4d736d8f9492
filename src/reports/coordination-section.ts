/** How long whole patterns of cooperation took on each engine, and how evenly agents of one role were served. */
import type { FairnessResult, PatternComparison, PatternResult } from '../measurement/coordination-result.ts'
import type { Interval, ResultsDocument } from '../measurement/results-document.ts'
import {
  amount,
  amountInterval,
  count,
  duration,
  durationInterval,
  factor,
  factorInterval,
  perSecond,
  unknown,
} from './numbers.ts'
import type { Cell, Section, Tone } from './report-model.ts'

const verdictTones: Readonly<Record<PatternComparison['verdict'], Tone>> = {
  faster: 'good',
  slower: 'bad',
  '~': 'plain',
  NOT_DEMONSTRATED: 'doubt',
}

export function coordinationSections({ coordination }: ResultsDocument): Section[] {
  if (coordination === undefined || coordination.patterns.length === 0) return []
  const { patterns, comparisons } = coordination
  return [
    {
      title: 'Patterns',
      table: {
        head: ['pattern', 'engine', 'load', 'completed', 'failed', 'p50', 'p95', 'p99', 'max', 'withdrawn'],
        rows: patterns.map(patternRow),
      },
      lines: [
        {
          text: 'The time of a whole instance, from its arrival to the last answer that it needed; instances that failed are counted and not timed.',
        },
      ],
    },
    ...(comparisons.length === 0 ? [] : [comparisonSection(comparisons)]),
    {
      title: 'Fairness',
      table: {
        head: [
          'pattern',
          'engine',
          'agents',
          'exchanges per agent',
          'index',
          'by chance',
          'beyond chance',
          'worst to median',
        ],
        rows: patterns.flatMap((each) => each.fairness.map((role) => fairnessRow(each, role))),
      },
      lines: [
        {
          text: "Jain's index of the mean latencies of the agents of one role: 1 when all are served alike. By chance is what an even engine would show with as few exchanges per agent; beyond chance is the index without that, and what targets are about.",
        },
      ],
    },
  ]
}

function patternRow(each: PatternResult): Cell[] {
  const { completion, instances, withdrawals } = each
  const { intervals } = completion
  return [
    { text: each.case },
    { text: each.engine },
    { text: perSecond(each.instancesPerSecond) },
    { text: count(instances.completed), tone: each.validRounds === 0 ? 'doubt' : 'plain' },
    { text: count(instances.failed), tone: instances.failed > 0 ? 'bad' : 'plain' },
    timeCell(completion.p50Ms, intervals.p50Ms),
    timeCell(completion.p95Ms, intervals.p95Ms),
    timeCell(completion.p99Ms, intervals.p99Ms),
    { text: duration(completion.maxMs) },
    {
      text: count(withdrawals.withdrawn),
      ...(withdrawals.asked === withdrawals.withdrawn ? {} : { detail: `of ${count(withdrawals.asked)} asked for` }),
    },
  ]
}

function timeCell(ms: number | null, interval: readonly [number | null, number | null]): Cell {
  const detail = ms === null ? '' : durationInterval(ms, interval)
  return { text: duration(ms, interval), ...(detail === '' ? {} : { detail }) }
}

function comparisonSection(comparisons: readonly PatternComparison[]): Section {
  return {
    title: 'Patterns against the candidate',
    table: {
      head: ['pattern', 'baseline', 'quantile', 'times faster', 'rounds', ''],
      rows: comparisons.map((each): Cell[] => {
        const interval = [each.low, each.high] as const
        const detail = each.ratio === null ? '' : factorInterval(each.ratio, interval)
        return [
          { text: each.case },
          { text: each.baseline },
          { text: each.quantile },
          { text: factor(each.ratio, interval), ...(detail === '' ? {} : { detail }) },
          { text: count(each.rounds) },
          { text: each.verdict, tone: verdictTones[each.verdict] },
        ]
      }),
    },
    lines: [],
  }
}

function fairnessRow({ case: name, engine }: PatternResult, role: FairnessResult): Cell[] {
  const { worstToMedian, worstToMedianInterval } = role
  const worstDetail = worstToMedian === null ? '' : factorInterval(worstToMedian, worstToMedianInterval)
  return [
    { text: name },
    { text: engine },
    { text: `${count(role.agents)} × ${role.role}`, detail: role.measure === 'delivery' ? 'delivery' : 'round trip' },
    { text: amount(role.exchangesPerAgent) },
    indexCell(role.index, role.indexInterval),
    { text: role.indexByChance === null ? unknown : amount(role.indexByChance) },
    indexCell(role.indexBeyondChance, role.indexBeyondChanceInterval),
    {
      text: worstToMedian === null ? unknown : factor(worstToMedian, worstToMedianInterval),
      ...(worstDetail === '' ? {} : { detail: worstDetail }),
    },
  ]
}

function indexCell(index: number | null, interval: Interval): Cell {
  if (index === null) return { text: unknown }
  const detail = amountInterval(index, interval)
  return { text: amount(index, interval), ...(detail === '' ? {} : { detail }) }
}
