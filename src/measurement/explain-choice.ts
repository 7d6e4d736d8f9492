/**
 * Which target a user means. In this order, the first that fits: the expression, whatever its spaces; the title; a new
 * well-formed expression; words of one title; a beginning or part of one title; words or a part of one expression.
 * A whole expression is never taken for a part of another: `agents >= 100` is not `agents >= 10000`.
 */
import { LighthouseError } from '../platform/errors.ts'
import { nearestWord } from '../statistics/nearest-word.ts'
import { parseTarget, printTarget } from '../statistics/target-expression.ts'
import type { Target } from './targets-file.ts'

export interface ChosenTarget {
  readonly target: Target
  /** False when the run did not declare it. */
  readonly declared: boolean
}

const mostListed = 20
const longestText = 200

/** Throws LighthouseError('USAGE') that names the run's targets when `text` means none of them or several. */
export function chooseTarget(text: string, targets: readonly Target[]): ChosenTarget {
  const wanted = text.trim()
  const lower = wanted.toLowerCase()
  const exact =
    targets.find(({ expression }) => withoutSpaces(expression) === withoutSpaces(canonical(wanted) ?? wanted)) ??
    targets.find(({ title }) => title === wanted)
  if (exact !== undefined) return { target: exact, declared: true }
  const titled = targets.filter(({ title }) => title.toLowerCase() === lower)
  if (titled.length > 0) return { target: only(titled, wanted), declared: true }

  const expression = canonical(wanted)
  if (expression !== null) return { target: { expression, title: expression, mandatoryIn: [] }, declared: false }

  const ways: ((target: Target) => boolean)[] = [
    ({ title }) => holdsWords(title, lower),
    ({ title }) => title.toLowerCase().startsWith(lower),
    ({ title }) => title.toLowerCase().includes(lower),
    ({ expression }) => holdsWords(expression, lower),
    ({ expression }) => withoutSpaces(expression).includes(withoutSpaces(wanted)),
  ]
  for (const fits of lower === '' ? [] : ways) {
    const found = targets.filter(fits)
    if (found.length > 0) return { target: only(found, wanted), declared: true }
  }
  throw unknown(wanted, targets)
}

/** Canonical text of a well-formed expression, else null. */
function canonical(text: string): string | null {
  try {
    return printTarget(parseTarget(text))
  } catch (error) {
    if (error instanceof LighthouseError) return null
    throw error
  }
}

function withoutSpaces(text: string): string {
  return text.replace(/\s+/g, '').toLowerCase()
}

/** Whether `words` stand in `text` with no letter or digit next to them: P99 is in "P99 Latency", not in "P99.9 Latency". */
function holdsWords(text: string, words: string): boolean {
  const whole = text.toLowerCase()
  for (let at = whole.indexOf(words); at !== -1; at = whole.indexOf(words, at + 1)) {
    const after = whole.slice(at + words.length)
    if (!/[a-z0-9]$/.test(whole.slice(0, at)) && !/^(?:[a-z0-9]|\.[0-9])/.test(after)) return true
  }
  return false
}

function only(found: readonly Target[], wanted: string): Target {
  const [first, ...others] = found
  if (first !== undefined && others.length === 0) return first
  throw new LighthouseError('USAGE', `${quoted(wanted)} means several targets of the run`, {
    suggestions: [`Name one of them: ${listed(found)}.`],
  })
}

function unknown(wanted: string, targets: readonly Target[]): LighthouseError {
  const near = nearestWord(wanted, [...targets.flatMap(({ title, expression }) => [title, expression]), 'all'])
  const suggestions = [
    ...(near === null ? [] : [`Did you mean ${quoted(near)}?`]),
    targets.length === 0 ? 'The run declared no target.' : `The run has: ${listed(targets)}.`,
    ...grammarAdvice(wanted),
    'Use "all" to explain every target and the decision.',
  ]
  return new LighthouseError('USAGE', `the run has no target ${quoted(wanted)}`, { suggestions })
}

/** What looks like an expression gets the parser's own words, with the column. */
function grammarAdvice(wanted: string): string[] {
  if (!/[<>.]/.test(wanted)) return []
  try {
    parseTarget(wanted)
    return []
  } catch (error) {
    return error instanceof LighthouseError ? [`As a new target: ${error.message}.`] : []
  }
}

function listed(targets: readonly Target[]): string {
  const names = targets
    .slice(0, mostListed)
    .map(({ title, expression }) => (title === expression ? quoted(expression) : `${quoted(title)} (${expression})`))
  const more = targets.length - names.length
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

function quoted(text: string): string {
  return JSON.stringify(text.length > longestText ? `${text.slice(0, longestText)}…` : text)
}
