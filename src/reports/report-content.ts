/**
 * What a report says, before anybody decides how it looks: the verdict and its scope first, then the engines side
 * by side, what the engine's own stages cost, whether the generator may be believed, targets, claims,
 * and what this run cannot say. Terminal and Markdown render the same content, so they cannot disagree.
 * Every figure comes from the results document; this file computes nothing but text.
 */
import {
  stageNames,
  type ClaimResult,
  type EngineResult,
  type Fact,
  type ResultsDocument,
  type TargetResult,
} from '../measurement/results-document.ts'
import type { Decision } from '../statistics/verdict.ts'
import { burstSections } from './burst-section.ts'
import { coordinationSections } from './coordination-section.ts'
import { enduranceSections } from './endurance-section.ts'
import { contentionSections } from './contention-section.ts'
import { engineSection } from './engine-section.ts'
import { memorySections } from './memory-section.ts'
import { recoverySections } from './recovery-section.ts'
import { savingSection } from './saving-section.ts'
import { scalingSections } from './scaling-section.ts'
import type { Cell, ReportContent, Section, Tone } from './report-model.ts'
import { amount, amountInterval, bytes, count, duration, percent, share, unknown } from './numbers.ts'

/** What an engine's own work for one exchange may cost. */
const overheadBudgetMs = 20

export const decisionTones: Readonly<Record<Decision, Tone>> = {
  APPROVED: 'good',
  CONDITIONALLY_APPROVED: 'doubt',
  NEEDS_FURTHER_REVIEW: 'doubt',
  REQUIRES_REMEDIATION: 'bad',
  EMERGENCY_STOP: 'bad',
}

export function reportContent(results: ResultsDocument): ReportContent {
  return {
    decision: results.decision,
    tone: decisionTones[results.decision],
    exitCode: results.exitCode,
    scope: results.scope,
    summary: [
      ...results.decisionReasons.map((text) => ({ text })),
      ...results.conditions.map(({ id, text }) => ({ text: `Condition ${id}: ${text}`, tone: 'doubt' as const })),
    ],
    sections: [
      ...scalingSections(results),
      ...recoverySections(results),
      ...contentionSections(results),
      ...burstSections(results),
      ...coordinationSections(results),
      ...enduranceSections(results),
      ...memorySections(results),
      engineSection(results),
      ...results.engines.flatMap(stageSection),
      savingSection(results),
      generatorSection(results),
      targetSection(results.targets),
      claimSection(results.claims),
      notAssessedSection(results),
      originSection(results),
    ].filter((section) => section.table !== undefined || section.lines.length > 0),
  }
}

function stageSection(engine: EngineResult): Section[] {
  const { stages } = engine
  if (stages === undefined) return []
  const rows = stageNames.map((name) => {
    const stage = stages[name]
    const p99Ms = stage.p99Us === null ? null : stage.p99Us / 1000
    const part = p99Ms === null ? unknown : `${percent((p99Ms / overheadBudgetMs) * 100)} of ${overheadBudgetMs} ms`
    const over = p99Ms !== null && p99Ms > overheadBudgetMs
    return [
      { text: name },
      { text: count(stage.n) },
      { text: duration(stage.p50Us === null ? null : stage.p50Us / 1000) },
      { text: duration(p99Ms) },
      { text: part, tone: over ? ('bad' as const) : ('plain' as const) },
    ]
  })
  return [
    {
      title: `Stages inside ${engine.label}`,
      table: { head: ['stage', 'n', 'p50', 'p99', 'p99 of the budget'], rows },
      lines: [],
    },
  ]
}

function generatorSection(results: ResultsDocument): Section {
  const { generator, ledger, invalidRounds } = results
  const ledgerText =
    ledger.state === 'COMPLETE'
      ? 'Ledger COMPLETE: every exchange is accounted for.'
      : `Ledger UNKNOWN: ${ledger.reasons.join('; ')}.`
  return {
    title: 'May the measurement be believed',
    table: {
      head: ['load generator', 'measured', 'bound'],
      rows: [
        [{ text: 'sent of scheduled' }, { text: share(generator.achievedRatio) }, { text: 'at least 99 %' }],
        [{ text: 'send lateness p99' }, { text: duration(generator.latenessP99Ms) }, { text: 'see the plan' }],
        [{ text: 'CPU of its core' }, { text: percent(generator.cpuPercent) }, { text: 'at most 90 %' }],
        [{ text: 'event loop delay p99' }, { text: duration(generator.eventLoopP99Ms) }, { text: unknown }],
      ],
    },
    lines: [
      generator.valid
        ? { text: 'The generator kept up.', tone: 'good' }
        : { text: `The generator did not keep up: ${generator.reasons.join('; ')}.`, tone: 'bad' },
      { text: ledgerText, tone: ledger.state === 'COMPLETE' ? 'good' : 'bad' },
      ...invalidRounds.map((round) => ({
        text: `Round ${round.round + 1} of ${round.engine}${round.case === undefined ? '' : `, ${round.case},`} is INVALID and does not count: ${round.reasons.join('; ')}.`,
        tone: 'doubt' as const,
      })),
    ],
  }
}

const verdictTones = { MET: 'good', MARGINAL: 'doubt', NOT_MET: 'bad', NOT_DEMONSTRATED: 'doubt' } as const

function targetSection(targets: readonly TargetResult[]): Section {
  const rows = targets.map((target): Cell[] => [
    { text: target.title, detail: target.expression },
    measured(target.value, target.low, target.high, target.unit),
    {
      text: target.verdict,
      tone: verdictTones[target.verdict],
      ...(target.reason === '' ? {} : { detail: target.reason }),
    },
    { text: target.mandatory ? 'mandatory' : 'optional' },
  ])
  if (rows.length === 0) return { title: 'Targets', lines: [{ text: 'No targets were declared.', tone: 'doubt' }] }
  return { title: 'Targets', table: { head: ['target', 'measured', 'verdict', ''], rows }, lines: [] }
}

/** Value and interval in the unit that the target was declared in. */
function measured(value: number | null, low: number | null, high: number | null, unit: string): Cell {
  if (value === null) return { text: unknown }
  const detail = amountInterval(value, [low, high])
  return { text: `${amount(value, [low, high])} ${unit}`.trimEnd(), ...(detail === '' ? {} : { detail }) }
}

const claimTones = { SHOWN: 'good', REFUTED: 'bad', NOT_SHOWN: 'doubt' } as const

function claimSection(claims: readonly ClaimResult[]): Section {
  if (claims.length === 0) return { title: 'Claims', lines: [] }
  return {
    title: 'Claims',
    table: {
      head: ['claim', 'measured', 'verdict'],
      rows: claims.map((claim): Cell[] => [
        { text: `${claim.id}: ${claim.statement}`, detail: claim.source },
        measured(claim.value, claim.low, claim.high, ''),
        { text: claim.verdict, tone: claimTones[claim.verdict], detail: claim.reason },
      ]),
    },
    lines: [],
  }
}

function notAssessedSection(results: ResultsDocument): Section {
  return {
    title: 'Not assessed',
    lines: results.notAssessed.map(({ what, command }) => ({ text: what, command })),
  }
}

function originSection(results: ResultsDocument): Section {
  const { environment } = results
  const dirty = environment.dirty.value === true ? ', working tree with changes that are not committed' : ''
  return {
    title: 'Where and how',
    lines: [
      { text: `Run ${results.runId}, profile ${results.profile}, seed ${results.seed}.` },
      {
        text:
          `${environment.cpuModel}, ${count(environment.logicalCpus)} logical CPUs, ${bytes(environment.memoryBytes)}, ` +
          `${environment.platform} ${environment.kernel}, Node ${environment.nodeVersion}, Lighthouse ${environment.lighthouseVersion}.`,
      },
      { text: `Commit ${fact(environment.commit)}${dirty}.` },
      {
        text:
          `CPU taken by others: steal ${fact(environment.stealPercent, percent)}, ` +
          `other processes ${fact(environment.foreignCpuPercent, percent)}.`,
      },
    ],
  }
}

function fact<T>(known: Fact<T>, format: (value: T) => string = String): string {
  return known.value === null ? `not known (${known.reason ?? 'no reason given'})` : format(known.value)
}
