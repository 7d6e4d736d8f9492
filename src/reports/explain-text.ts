/**
 * An explanation as text for a terminal of a given width: per target the verdict first, then one labelled paragraph each
 * for what was measured, what was compared, why the bound is as wide as it is, where it comes from, what was lacking
 * and what would decide. Computes nothing but words; every figure stands in the document.
 */
import type {
  BoundDriver,
  ComparedBound,
  DecisionExplanation,
  Explanation,
  RoundContributions,
  TargetExplanation,
} from '../measurement/explanation-document.ts'
import { amount, amountInterval, count, percent, share, unknown } from './numbers.ts'
import { forecastWords } from './explain-forecast-text.ts'
import { oneLine, wrapped } from './text.ts'

const labelWidth = 10
const mostInvalidNamed = 5
/** Below this phi nothing is said of where samples cluster. */
const slightClustering = 1.1

/** Ends in a line feed. Widths outside 60 … 200 are brought inside; a command is never broken, so that it can be copied. */
export function renderExplanation(explanation: Explanation, { width }: { readonly width: number }): string {
  const columns = Math.min(200, Math.max(60, Math.trunc(width)))
  const place = explanation.case === undefined ? '' : `, ${explanation.case}`
  const head = [
    flow(`Run ${explanation.runId}${place}, profile ${explanation.profile}: ${explanation.scope}`, columns),
    ...(explanation.finished ? [] : [flow('The run did not end; what it had finished is explained.', columns)]),
  ]
  const parts = [
    ...(explanation.decision === undefined ? [] : [decisionLines(explanation.decision, columns)]),
    ...explanation.targets.map((target) => targetLines(target, columns)),
  ]
  return `${[head, ...parts].map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function decisionLines(decision: DecisionExplanation, columns: number): string[] {
  const words = { DID_NOT_APPLY: 'no', DECIDED: 'yes', NOT_REACHED: 'not asked' } as const
  const bullet = (text: string): string => `      ${flow(`· ${text}`, columns - 8, '        ')}`
  return [
    `Decision: ${decision.decision}`,
    ...decision.rules.flatMap(({ rule, decision: then, asks, state, reasons }) => [
      `  ${flow(`${rule}. ${then}: ${asks} ${words[state]}`, columns - 5, '     ')}`,
      ...reasons.map(bullet),
      ...(state === 'DECIDED' ? decision.conditions.map(({ id, text }) => bullet(`Condition ${id}: ${text}`)) : []),
    ]),
    ...decision.findings.map((text) => `  ${flow(text, columns - 2, '  ')}`),
  ]
}

function targetLines(target: TargetExplanation, columns: number): string[] {
  const kind = target.declared ? (target.mandatory ? 'mandatory' : 'optional') : 'not declared'
  const title = target.title === target.expression ? '' : [flow(target.expression, columns)]
  const note = target.declared ? [] : ['not declared by the run: explained, never part of its decision']
  const paragraphs: (readonly [string, string])[] = [
    ...note.map((text) => ['Note', text] as const),
    ['Measured', measuredWords(target)],
    ['Bar', barWords(target)],
    ...comparedWords(target).map((text) => ['Compared', text] as const),
    ...target.drivers
      .filter((driver) => explains(driver, target))
      .map((driver) => ['Width', driverWords(driver, target)] as const),
    ...(target.contributions === null ? [] : roundWords(target.contributions, target)).map(
      (text) => ['Rounds', text] as const,
    ),
    ...target.lacks.map(({ what, remedy }) => ['Lacking', `${what}; ${remedy} would bring it`] as const),
    ...invalidWords(target).map((text) => ['INVALID', text] as const),
    ...forecastWords(target).map((text) => ['Forecast', text] as const),
  ]
  let before = ''
  const lines = paragraphs.map(([label, text]) => {
    const shown = label === before ? '' : label
    before = label
    return `  ${shown.padEnd(labelWidth)}${flow(text, columns - labelWidth - 2, ' '.repeat(labelWidth + 2))}`
  })
  return [
    flow(`${target.title}: ${target.verdict} (${kind})`, columns),
    ...title,
    ...lines,
    ...(target.command === null ? [] : [`      $ ${oneLine(target.command)}`]),
  ]
}

function measuredWords(target: TargetExplanation): string {
  const { value, low, high, unit, n, counted } = target
  const engine = target.engine === null ? '' : ` on ${target.engine}`
  if (value === null) return `nothing${engine}`
  const isShare = isShareOf(target)
  const side = (bound: number | null): string => (bound === null ? unknown : share(bound))
  const interval = isShare ? `[${side(low)}, ${side(high)}]` : amountInterval(value, [low, high])
  const figure = isShare ? share(value) : `${amount(value, [low, high])}${unit === '' ? '' : ` ${unit}`}`
  const exact = interval === '' || (low === value && high === value)
  return `${figure}${exact ? '' : ` ${interval} (one-sided 95 % bounds)`}${engine}, ${count(n)} ${counted}`
}

/** An error rate: a fraction in the document, percent in words. */
function isShareOf({ unit, counted }: TargetExplanation): boolean {
  return unit === '' && counted === 'exchanges'
}

function barWords(target: TargetExplanation): string {
  const { unit, expression } = target
  const { comparator, amount: bar } = target.bar
  const over = / over (.+)$/.exec(expression)?.[1]
  const figure = isShareOf(target)
    ? `${plainNumber(Number((bar * 100).toPrecision(12)))} %`
    : `${plainNumber(bar)}${unit === '' ? '' : ` ${unit}`}`
  return `${comparator} ${figure}${over === undefined ? '' : `, measured for ${over}`}`
}

function comparedWords(target: TargetExplanation): string[] {
  const { comparison, verdict, unit } = target
  if (comparison === null) return []
  const { badSide, goodSide, bar } = comparison
  const ofCompleted = comparison.quantity === 'completedShare'
  const isShare = ofCompleted || isShareOf(target)
  const figure = (value: number): string =>
    isShare ? share(value) : `${besides(value, bar)}${unit === '' ? '' : ` ${unit}`}`
  const bound = ({ side, value }: ComparedBound): string =>
    value === null ? `there is no ${side} bound` : `the ${side} bound ${figure(value)}`
  const lies = (compared: ComparedBound): string => {
    if (compared.value === null) return bound(compared)
    return `${bound(compared)} lies ${compared.inside === true ? 'inside' : 'outside'}`
  }
  const what = ofCompleted ? [`of completed ÷ scheduled, which is to be at least ${percent(bar * 100)}:`] : []
  const backlog =
    comparison.backlogGrows === undefined
      ? []
      : [comparison.backlogGrows ? 'the backlog grows' : 'the backlog does not grow']
  const sides =
    verdict === 'MET'
      ? [lies(badSide)]
      : verdict === 'NOT_MET'
        ? [lies(goodSide)]
        : [lies(badSide), lies(goodSide).replace(' lies', '')]
  return [`${verdict}: ${[...what, sides.join(', ')].join(' ')}${backlog.map((text) => `; ${text}`).join('')}`]
}

/** As many digits as tell a bound from the bar, from three on. */
function besides(value: number, bar: number): string {
  for (let digits = 3; digits < 9; digits++) {
    const text = value.toPrecision(digits)
    if (Number(text) !== bar || value === bar) return plainNumber(Number(text))
  }
  return plainNumber(value)
}

function plainNumber(value: number): string {
  const [whole = '0', fraction] = String(value).split('.')
  if (/e/.test(String(value))) return String(value)
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ',')
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}

/** The bound that decided; both when neither could. */
function explains({ side }: BoundDriver, { comparison, verdict }: TargetExplanation): boolean {
  if (comparison === null) return false
  if (verdict === 'MARGINAL') return true
  return side === (verdict === 'MET' ? comparison.badSide.side : comparison.goodSide.side)
}

function driverWords(driver: BoundDriver, { unit, low, high }: TargetExplanation): string {
  const bound = (driver.side === 'upper' ? high : low) ?? NaN
  const start = `${driver.side} bound: `
  switch (driver.by) {
    case 'studentT': {
      const alone =
        driver.orderStatistic === null
          ? ''
          : `; order statistics alone would give ${besides(driver.orderStatistic, bound)} ${unit}`
      return `${start}Student’s t over ${count(driver.rounds)} rounds, whose own quantiles differ that much${alone}`
    }
    case 'nothingAbove': {
      const factor =
        driver.maximumFactor === 1 ? 'the largest value' : `${driver.maximumFactor} times the largest value`
      return `${start}with ${effectiveWords(driver)}; so no sample may lie above it, and it is ${factor}`
    }
    case 'ratioRanks':
      return `${start}order statistics of the ratios of ${count(driver.rounds)} pairs of rounds; only more rounds narrow it`
    case 'clopperPearson':
      return `${start}Clopper–Pearson on ${effectiveWords(driver)}`
    case 'orderStatistics':
      return `${start}order statistics on ${effectiveWords(driver)}`
  }
}

function effectiveWords({ n, effectiveN, phi, phiFrom }: BoundDriver): string {
  const slight = phiFrom !== 'assumed' && phi < slightClustering
  const from = slight
    ? 'hardly any clustering was seen'
    : {
        rounds: 'they cluster, most between rounds',
        blocks: 'they cluster, most between the 1 s blocks of the rounds',
        independent: 'no clustering was seen',
        assumed: 'assumed where nothing lies above',
      }[phiFrom]
  return `n = ${count(n)} that weighs as n/phi = ${count(Math.floor(effectiveN))}, phi = ${amount(phi)}: ${from}`
}

function roundWords(contributions: RoundContributions, target: TargetExplanation): string[] {
  const { measure, total, roundsWithAny, rounds, worst } = contributions
  const counts = measure === 'aboveBar' || measure === 'failed' || measure === 'notCompleted'
  const doing = { aboveBar: 'lie above the bar', failed: 'failed', notCompleted: 'did not complete' } as const
  if (roundsWithAny === 0) {
    if (target.n === 0) return []
    if (measure === 'aboveBar') return [`no sample of ${rounds} valid rounds lies above the bar`]
    if (counts) return [`no exchange of ${rounds} valid rounds ${measure === 'failed' ? 'failed' : 'stayed open'}`]
    return [`each of ${rounds} rounds satisfies the bar by itself`]
  }
  const head = counts
    ? `${count(total)} ${measure === 'aboveBar' ? 'samples' : 'exchanges'} ${doing[measure]}, in ${roundsWithAny} of ${rounds} valid rounds`
    : `${count(total)} of ${rounds} rounds do not satisfy the bar by themselves`
  const lines = worst.map((each) => {
    const attempt = each.attempt > 0 ? `, attempt ${each.attempt + 1}` : ''
    const value = each.value === null ? '' : ownValue(measure, each.value, target)
    if (!counts) return `round ${each.round + 1}${attempt}: ${value}`
    const part = share((each.count ?? 0) / Math.max(1, total))
    const own = value === '' ? '' : `; ${value}`
    return `round ${each.round + 1}${attempt}: ${count(each.count)} of its ${count(each.n)}, ${part} of the ${count(total)}${own}`
  })
  return [`${head}${roundsWithAny > worst.length ? (counts ? ', the most in' : ', the smallest in') : ''}:`, ...lines]
}

function ownValue(measure: RoundContributions['measure'], value: number, target: TargetExplanation): string {
  const quantile = /\.(p\d+)\b/.exec(target.expression)?.[1] ?? 'quantile'
  if (measure === 'aboveBar') return `its own ${quantile} ${besides(value, target.bar.amount)} ${target.unit}`
  if (measure === 'ratio') return `${amount(value)} x`
  if (measure === 'openSockets') return `${count(value)} open sockets`
  return measure === 'failed' ? `error rate ${share(value)}` : `${share(value)} completed`
}

function invalidWords({ invalidRounds, verdict }: TargetExplanation): string[] {
  if (verdict !== 'NOT_DEMONSTRATED') {
    return invalidRounds.length === 0 ? [] : [`${count(invalidRounds.length)} rounds do not count; see the report`]
  }
  const attempts = Map.groupBy(invalidRounds, ({ round, engine }) => `round ${round + 1} of ${engine}`)
  const more = attempts.size - mostInvalidNamed
  return [
    ...[...attempts].slice(0, mostInvalidNamed).map(([name, tries]) => {
      const reasons = [...new Set(tries.flatMap((each) => each.reasons))]
      const repeated = tries.length === 1 ? '' : `, ${tries.length} attempts`
      const others = reasons.length > 2 ? ` (and ${reasons.length - 2} more reasons)` : ''
      return `${name}${repeated}: ${reasons.slice(0, 2).join(' ')}${others}`
    }),
    ...(more > 0 ? [`and ${count(more)} more`] : []),
  ]
}

/** Lines of `room` characters, all but the first after `indent`; words longer than a line are broken. */
function flow(text: string, room: number, indent = ''): string {
  const fitting = oneLine(text, 2000)
    .split(' ')
    .map((word) => (word.length <= room ? word : (word.match(new RegExp(`.{1,${room}}`, 'g')) ?? [word]).join(' ')))
    .join(' ')
  return wrapped(fitting, room, '').replaceAll('\n', `\n${indent}`)
}
