/**
 * The target grammar, by hand, so that every error has a column and a remedy:
 *
 *   target   = subject "." measure op number unit? ("over" number ("ms"|"s"|"m"|"h"|"d"))?
 *   subject  = "candidate" | "baseline" | the name of an engine;   or "speedup" "." quantile
 *   measure  = ("roundTrip" | "delivery" | "serviceTime" | "overhead") "." quantile
 *            | "errorRate" | "throughputPerSecond" | "agents"
 *            | suite "." (case ".")? figure                     (suite-figures.ts lists suites and figures)
 *   quantile = "p50" | "p95" | "p99" | "p999"
 *   op       = "<" | "<="  where less is better,  ">" | ">="  where more is
 *
 * Units: ns, us, ms, s for latencies and times; B, KiB, MiB, GiB for bytes; % or none for the error rate; x or none for ratios; none elsewhere.
 * Input is at most 200 characters. `printTarget` gives the canonical text; parsing it gives the same target.
 */
import { LighthouseError } from '../platform/errors.ts'
import { nearestWord } from './nearest-word.ts'
import { figureNames, figureSections, suiteFigure, type FigureDimension, type SuiteFigure } from './suite-figures.ts'

export const quantileNames = ['p50', 'p95', 'p99', 'p999'] as const
export type QuantileName = (typeof quantileNames)[number]
export const quantileOf: Readonly<Record<QuantileName, number>> = { p50: 0.5, p95: 0.95, p99: 0.99, p999: 0.999 }

/** As people write it. */
export function quantileTitle(name: QuantileName): string {
  return name === 'p999' ? 'P99.9' : name.toUpperCase()
}

export const latencySeries = ['roundTrip', 'delivery', 'serviceTime'] as const
export type LatencySeries = (typeof latencySeries)[number]
const quantileMeasures = [...latencySeries, 'overhead'] as const
const plainMeasures = ['errorRate', 'throughputPerSecond', 'agents'] as const
const measures = [...quantileMeasures, ...plainMeasures] as const
const reservedSubjects = ['candidate', 'baseline', 'speedup'] as const
const knownEngines = ['polling', 'elicitation'] as const

export type Comparator = '<' | '<=' | '>' | '>='

export type Measure =
  | { readonly kind: 'latency'; readonly series: LatencySeries; readonly quantile: QuantileName }
  | { readonly kind: 'overhead'; readonly quantile: QuantileName }
  | { readonly kind: 'speedup'; readonly quantile: QuantileName }
  | { readonly kind: 'errorRate' }
  | { readonly kind: 'throughputPerSecond' }
  | { readonly kind: 'agents' }
  /** `path`: suite, case where one is named, figure. */
  | { readonly kind: 'figure'; readonly path: string; readonly figure: SuiteFigure }

const latencyUnits = { ns: 1e-6, us: 1e-3, ms: 1, s: 1e3 } as const
const byteUnits = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const
const durationUnits = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 } as const

export interface TargetExpression {
  /** `candidate`, `baseline` or an engine's name; `candidate` for the speed-up. */
  readonly subject: string
  readonly measure: Measure
  readonly comparator: Comparator
  /** As written, in `unit`. */
  readonly amount: number
  readonly unit: '' | '%' | 'x' | keyof typeof latencyUnits | keyof typeof byteUnits
  readonly over: { readonly amount: number; readonly unit: keyof typeof durationUnits } | null
}

/** The bound in the unit that is judged: ms for latency, overhead and times, bytes, a fraction, a rate, a count, a ratio. */
export function boundOf(target: TargetExpression): number {
  if (target.unit === '%') return target.amount / 100
  if (target.unit === '' || target.unit === 'x') return target.amount
  if (isByteUnit(target.unit)) return target.amount * byteUnits[target.unit]
  // Division by a power of ten keeps 300us at exactly 0.3 where multiplication by 1e-3 would not.
  return target.unit === 'ns' || target.unit === 'us'
    ? target.amount / (target.unit === 'ns' ? 1e6 : 1e3)
    : target.amount * latencyUnits[target.unit]
}

/** The duration that `over` names in ms, or null. */
export function durationOf(target: TargetExpression): number | null {
  return target.over === null ? null : target.over.amount * durationUnits[target.over.unit]
}

/** Canonical text; `parseTarget(printTarget(t))` equals `t`. */
export function printTarget(target: TargetExpression): string {
  const { measure } = target
  const path =
    measure.kind === 'speedup'
      ? `speedup.${measure.quantile}`
      : measure.kind === 'latency'
        ? `${target.subject}.${measure.series}.${measure.quantile}`
        : measure.kind === 'overhead'
          ? `${target.subject}.overhead.${measure.quantile}`
          : `${target.subject}.${measure.kind === 'figure' ? measure.path : measure.kind}`
  const over = target.over === null ? '' : ` over ${plain(target.over.amount)}${target.over.unit}`
  return `${path} ${target.comparator} ${plain(target.amount)}${target.unit}${over}`
}

/** Decimal digits without an exponent; the parser's numbers are short enough for that. */
function plain(amount: number): string {
  const text = String(amount)
  return text.includes('e') ? amount.toFixed(15).replace(/0+$/, '') : text
}

const maxLength = 200

/**
 * Throws LighthouseError('USAGE') with the column and what was expected. `engines`, when given, are the only engine
 * names allowed; otherwise any name is, except what looks like a misspelling of a known word.
 */
export function parseTarget(text: string, engines?: readonly string[]): TargetExpression {
  if (text.length > maxLength) {
    throw new LighthouseError('USAGE', `target is ${text.length} characters long; at most ${maxLength} are allowed`)
  }
  return new TargetParser(text, engines).parse()
}

class TargetParser {
  private readonly text: string
  private readonly engines: readonly string[] | undefined
  private position = 0

  constructor(text: string, engines: readonly string[] | undefined) {
    this.text = text
    this.engines = engines
  }

  parse(): TargetExpression {
    this.skipSpace()
    const subject = this.subject()
    this.expectDot()
    const measure = subject === 'speedup' ? this.speedup() : this.measure()
    const comparator = this.comparator(measure)
    this.skipSpace()
    const amountAt = this.position
    const amount = this.number()
    const unit = this.unit(measure)
    this.rejectVacuous(measure, amount, unit, amountAt)
    const over = this.over()
    return { subject: subject === 'speedup' ? 'candidate' : subject, measure, comparator, amount, unit, over }
  }

  private subject(): string {
    const at = this.position
    const word = this.take(/[A-Za-z][A-Za-z0-9_-]*/y)
    const expected = 'candidate, baseline, speedup or the name of an engine'
    if (word === '') this.fail(at, `expected ${expected}`)
    const engines = this.engines ?? knownEngines
    const known: readonly string[] = [...reservedSubjects, ...engines]
    if (known.includes(word)) return word
    const near = nearestWord(word, known)
    // With an open list of engines, `polling2` is a name and `poling` is a slip.
    if (this.engines !== undefined || (near !== null && !word.startsWith(near))) {
      this.fail(at, `unknown subject "${word}"; expected ${expected} (${engines.join(', ')})`, near)
    }
    return word
  }

  private measure(): Measure {
    const at = this.position
    const word = this.take(/[A-Za-z][A-Za-z0-9]*/y)
    if (figureSections.includes(word)) return this.figure(word)
    const measure = measures.find((each) => each === word)
    if (measure === undefined) {
      const said = word === '' ? 'expected' : `unknown measure "${word}"; expected`
      const known = [...measures, ...figureSections]
      this.fail(at, `${said} one of ${known.join(', ')}`, nearestWord(word, known))
    }
    if (measure === 'errorRate' || measure === 'throughputPerSecond' || measure === 'agents') return { kind: measure }
    this.expectDot()
    const quantile = this.quantile()
    return measure === 'overhead' ? { kind: 'overhead', quantile } : { kind: 'latency', series: measure, quantile }
  }

  /** `crash.timeToFull` or `timeToFull`, after the suite's name. */
  private figure(section: string): Measure {
    this.expectDot()
    const at = this.position
    const word = this.take(/[A-Za-z][A-Za-z0-9-]*/y)
    const own = suiteFigure(section, word)
    if (own !== undefined) return { kind: 'figure', path: `${section}.${word}`, figure: own }
    const names = figureNames(section)
    const expected = `expected one of ${names.join(', ')}, or the name of a case before it`
    if (word === '' || this.text.charAt(this.position) !== '.') {
      this.fail(at, `unknown figure "${word}"; ${expected}`, nearestWord(word, names))
    }
    this.expectDot()
    const nameAt = this.position
    const name = this.take(/[A-Za-z][A-Za-z0-9]*/y)
    const figure = suiteFigure(section, name)
    if (figure !== undefined) return { kind: 'figure', path: `${section}.${word}.${name}`, figure }
    return this.fail(nameAt, `unknown figure "${name}"; expected one of ${names.join(', ')}`, nearestWord(name, names))
  }

  private speedup(): Measure {
    const at = this.position
    const quantile = this.quantile()
    // No round of the planned sizes holds the 10,000 samples that a per-round p99.9 needs.
    if (quantile === 'p999') this.fail(at, 'a speed-up is measured per round, at p50, p95 or p99', 'p99')
    return { kind: 'speedup', quantile }
  }

  private quantile(): QuantileName {
    const at = this.position
    const word = this.take(/[A-Za-z0-9]+(?:\.[0-9]+)?/y)
    const found = quantileNames.find((each) => each === word)
    if (found !== undefined) return found
    // Every quantile is one edit from another, so only what can be meant in one way is guessed at.
    const meant = word.toLowerCase() === 'p99.9' ? 'p999' : word.toLowerCase()
    const near = quantileNames.find((each) => each === meant) ?? null
    const said = word === '' ? 'expected' : `unknown quantile "${word}"; expected`
    return this.fail(at, `${said} one of ${quantileNames.join(', ')}`, near)
  }

  private comparator(measure: Measure): Comparator {
    this.skipSpace()
    const at = this.position
    const found = this.take(/<=|>=|<|>/y)
    const moreIsBetter = prefersMore(measure)
    const expected = moreIsBetter ? '>= or >' : '< or <='
    if (found === '') this.fail(at, `expected ${expected}`)
    if (found.startsWith('>') !== moreIsBetter) {
      const name = measure.kind === 'figure' ? measure.path : measure.kind
      this.fail(at, `"${found}" would reward the worse ${name}; expected ${expected}`)
    }
    return found as Comparator
  }

  private number(): number {
    this.skipSpace()
    const at = this.position
    const digits = this.take(/[0-9]{1,15}(?:\.[0-9]{1,9})?/y)
    if (digits === '') this.fail(at, 'expected a number without sign or exponent, such as 300 or 0.1')
    if (/[0-9,._]/.test(this.text.charAt(this.position))) {
      this.fail(this.position, 'expected plain digits (at most 15, and 9 decimals); write 10000, not 10,000')
    }
    return Number(digits)
  }

  private unit(measure: Measure): TargetExpression['unit'] {
    const spaced = this.position
    this.skipSpace()
    const at = this.position
    const word = this.take(/%|[A-Za-zµ/]+/y)
    if (word === 'over' || word === '') this.position = spaced
    const given = word === 'over' ? '' : word
    if (measure.kind === 'figure') return this.figureUnit(measure.figure.dimension, given, at)
    if (measure.kind === 'latency' || measure.kind === 'overhead') {
      if (given === 'ns' || given === 'us' || given === 'ms' || given === 's') return given
      return this.fail(at, `expected a unit of time: ns, us, ms or s`, given === 'µs' ? 'us' : null)
    }
    if (given === '') return ''
    if (measure.kind === 'errorRate' && given === '%') return '%'
    if (measure.kind === 'speedup' && given === 'x') return 'x'
    const allowed =
      measure.kind === 'errorRate' ? '"%" or nothing' : measure.kind === 'speedup' ? '"x" or nothing' : 'no unit'
    return this.fail(at, `unexpected "${given}"; ${measure.kind} takes ${allowed}`)
  }

  private figureUnit(dimension: FigureDimension, given: string, at: number): TargetExpression['unit'] {
    const isTime = given === 'ns' || given === 'us' || given === 'ms' || given === 's'
    if (dimension === 'time' && isTime) return given
    if (dimension === 'bytes' && isByteUnit(given)) return given
    if (dimension === 'ratio' && (given === 'x' || given === '')) return given
    if (dimension === 'count' && given === '') return given
    const allowed = { time: 'ns, us, ms or s', bytes: 'B, KiB, MiB or GiB', ratio: '"x" or nothing', count: 'no unit' }
    return this.fail(at, `unexpected "${given}"; expected ${allowed[dimension]}`)
  }

  /** A target that nothing can miss proves nothing. */
  private rejectVacuous(measure: Measure, amount: number, unit: TargetExpression['unit'], at: number): void {
    if (measure.kind === 'errorRate' && (unit === '%' ? amount / 100 : amount) >= 1) {
      this.fail(at, 'expected an error rate below 100%')
    }
    if (prefersMore(measure) && amount === 0) this.fail(at, `expected a number above zero for ${measure.kind}`)
  }

  private over(): TargetExpression['over'] {
    this.skipSpace()
    if (this.position === this.text.length) return null
    const at = this.position
    if (this.take(/[^\s]+/y) !== 'over') this.fail(at, 'expected the end of the target or "over" and a duration')
    const amount = this.number()
    const unitAt = this.position
    const unit = this.take(/[A-Za-z]+/y)
    if (amount <= 0) this.fail(unitAt, 'expected a duration above zero')
    if (!(unit === 'ms' || unit === 's' || unit === 'm' || unit === 'h' || unit === 'd')) {
      return this.fail(unitAt, 'expected a unit of duration: ms, s, m, h or d, as in "over 48h"')
    }
    this.skipSpace()
    if (this.position !== this.text.length) this.fail(this.position, 'expected the end of the target')
    return { amount, unit }
  }

  private expectDot(): void {
    if (this.take(/\./y) === '') this.fail(this.position, 'expected "."')
  }

  private skipSpace(): void {
    this.take(/[ \t]+/y)
  }

  private take(pattern: RegExp): string {
    pattern.lastIndex = this.position
    const found = pattern.exec(this.text)?.[0] ?? ''
    this.position += found.length
    return found
  }

  private fail(at: number, what: string, near: string | null = null): never {
    const suggestions = [
      ...(near === null ? [] : [`Did you mean "${near}"?`]),
      'Write a target like "candidate.roundTrip.p99 < 300ms", "candidate.errorRate < 0.1%" or "speedup.p50 >= 30".',
    ]
    throw new LighthouseError('USAGE', `target ${JSON.stringify(this.text)}, column ${at + 1}: ${what}`, {
      suggestions,
    })
  }
}

function prefersMore(measure: Measure): boolean {
  if (measure.kind === 'figure') return measure.figure.better === 'more'
  return measure.kind === 'speedup' || measure.kind === 'agents' || measure.kind === 'throughputPerSecond'
}

function isByteUnit(unit: string): unit is keyof typeof byteUnits {
  return Object.hasOwn(byteUnits, unit)
}
