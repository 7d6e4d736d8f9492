/** What each option of the candidate's engine saves, or that it saves nothing, as far as this run can tell. */
import type { ResultsDocument, SavingResult } from '../measurement/results-document.ts'
import { factor, factorInterval } from './numbers.ts'
import type { Cell, Section } from './report-model.ts'

const metrics = ['serviceTimeP50', 'serviceTimeP99', 'cpuUsPerExchange'] as const
const titles = {
  serviceTimeP50: 'service time p50',
  serviceTimeP99: 'service time p99',
  cpuUsPerExchange: 'CPU per exchange',
}

export function savingSection({ savings }: ResultsDocument): Section {
  const arms = [...new Set(savings.map(({ arm }) => arm))]
  if (arms.length === 0) return { title: 'What the options save', lines: [] }
  const rows = arms.map((arm): Cell[] => [
    { text: arm },
    ...metrics.map((metric) => cell(savings.find((each) => each.arm === arm && each.metric === metric))),
    { text: conclusion(savings.filter((each) => each.arm === arm)) },
  ])
  return {
    title: 'What the options save',
    table: { head: ['without it', ...metrics.map((metric) => titles[metric]), 'the candidate'], rows },
    lines: [
      {
        text: 'Each figure is the arm over the candidate, in pairs of rounds: 1.2× means the candidate needs a sixth less.',
      },
    ],
  }
}

function cell(saving: SavingResult | undefined): Cell {
  if (saving === undefined || saving.verdict === 'NOT_DEMONSTRATED') return { text: 'not demonstrated', tone: 'doubt' }
  const interval = [saving.low, saving.high] as const
  const tone = saving.verdict === 'saves' ? 'good' : saving.verdict === 'costs' ? 'bad' : 'plain'
  return {
    text: factor(saving.ratio, interval),
    detail: `${factorInterval(saving.ratio, interval)} ${saving.verdict}`.trim(),
    tone,
  }
}

function conclusion(savings: readonly SavingResult[]): string {
  const named = (verdict: string): string[] =>
    savings.filter((each) => each.verdict === verdict).map((each) => titles[each.metric])
  const parts = [
    ...(named('saves').length === 0 ? [] : [`saves ${named('saves').join(', ')}`]),
    ...(named('costs').length === 0 ? [] : [`costs ${named('costs').join(', ')}`]),
  ]
  if (parts.length > 0) return parts.join('; ')
  return savings.every(({ verdict }) => verdict === '~') ? 'saves nothing that this run shows' : 'not demonstrated'
}
