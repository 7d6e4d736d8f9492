/**
 * Reads the list of engines of a comparison. Commas separate engines; the options of an engine follow its name,
 * each after a colon, so that no character needs quoting in a shell:
 *
 *     polling:interval=100:timeout=30,elicitation:batching=off,elicitation
 *
 * The last engine is the candidate that the verdict is about; the first is the baseline.
 * Which options an engine has is its own matter; here only names and form are checked.
 */
import { LighthouseError } from '../platform/errors.ts'
import { nearestWord } from '../statistics/nearest-word.ts'

export interface EngineSpec {
  /** Unique in the run: the spec as given, with `#2` … on repetition. */
  readonly label: string
  readonly name: string
  readonly options: Readonly<Record<string, string>>
}

/** Each engine adds a round to every round; more would make a run longer than anybody waits. */
const mostEngines = 8
const longestSpec = 256

const optionName = /^[a-z][a-zA-Z0-9]{0,31}$/
const optionValue = /^[A-Za-z0-9._-]{1,64}$/

function usage(message: string, suggestion: string): LighthouseError {
  return new LighthouseError('USAGE', message, { suggestions: [suggestion] })
}

export function parseEngineSpecs(text: string, knownNames: readonly string[]): EngineSpec[] {
  const parts = text.split(',').map((part) => part.trim())
  if (parts.length > mostEngines) throw usage(`${parts.length} engines are named`, `Name at most ${mostEngines}.`)
  if (parts.includes(''))
    throw usage(`an engine is missing in '${text}'`, 'Separate engines by single commas: polling,elicitation.')
  const seen = new Map<string, number>()
  return parts.map((part) => {
    const spec = parseEngineSpec(part, knownNames)
    const count = (seen.get(spec.label) ?? 0) + 1
    seen.set(spec.label, count)
    return count === 1 ? spec : { ...spec, label: `${spec.label}#${count}` }
  })
}

function parseEngineSpec(text: string, knownNames: readonly string[]): EngineSpec {
  if (text.length > longestSpec)
    throw usage(`an engine is longer than ${longestSpec} characters`, 'Write name:option=value.')
  const [name = '', ...settings] = text.split(':')
  if (!knownNames.includes(name)) {
    const guess = nearestWord(name, knownNames)
    throw usage(
      `there is no engine called '${name}'`,
      guess === null ? `Choose from: ${knownNames.join(', ')}.` : `Did you mean '${guess}'?`,
    )
  }
  const options = new Map<string, string>()
  for (const setting of settings) {
    const cut = setting.indexOf('=')
    const key = setting.slice(0, Math.max(cut, 0))
    const value = setting.slice(cut + 1)
    if (cut < 1 || !optionName.test(key) || !optionValue.test(value)) {
      throw usage(
        `'${setting}' in '${text}' is not an option`,
        `Write option=value after a colon: ${name}:option=value.`,
      )
    }
    if (options.has(key)) throw usage(`the option '${key}' stands twice in '${text}'`, 'Give every option once.')
    options.set(key, value)
  }
  return { label: text, name, options: Object.fromEntries(options) }
}
