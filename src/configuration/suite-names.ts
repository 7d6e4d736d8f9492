/** Suites by the name that a person writes: that of the suite (`failure-recovery`) or that of its command (`recovery`). */
import { suiteCommands } from '../measurement/derive-scope.ts'
import { suites, type Suite } from '../measurement/vocabulary.ts'
import { LighthouseError } from '../platform/errors.ts'
import { nearestWord } from '../statistics/nearest-word.ts'

/** The name of a suite, or `all` for campaigns. Throws USAGE with the nearest name. */
export function suiteNamed(text: string): Suite | 'all' {
  return text.trim() === 'all' ? 'all' : oneSuite(text, suites)
}

/** `compare,scale` → suites; `known` are those that may be named. Throws USAGE for an unknown one and for one named twice. */
export function suiteList(text: string, known: readonly Suite[]): Suite[] {
  const named = text.split(',').map((part) => oneSuite(part, known))
  const twice = named.find((suite, index) => named.indexOf(suite) !== index)
  if (twice === undefined) return named
  throw new LighthouseError('USAGE', `the suite ${suiteCommands[twice]} is named twice`, {
    suggestions: ['Name every suite once.'],
  })
}

function oneSuite(text: string, known: readonly Suite[]): Suite {
  const word = text.trim()
  const found = known.find((suite) => suite === word || suiteCommands[suite] === word)
  if (found !== undefined) return found
  const near = nearestWord(
    word,
    known.flatMap((suite) => [suiteCommands[suite], suite]),
  )
  throw new LighthouseError('USAGE', `there is no suite '${word.slice(0, 64)}'`, {
    suggestions: [
      near === null ? `Suites: ${known.map((suite) => suiteCommands[suite]).join(', ')}.` : `Did you mean '${near}'?`,
    ],
  })
}
