/**
 * Puts the configuration file under the parser of the command line: a configured value becomes the default of its
 * flag, which gives the order flag > environment > file without a second parser. Errors of the
 * parser come back as one sentence that names the flag, the variable or the line they are about.
 */
import { existsSync } from 'node:fs'
import type { Config } from '@oclif/core/config'
import { CLIError } from '@oclif/core/errors'
import type { FlagInput } from '@oclif/core/interfaces'
import { stripVTControlCharacters } from 'node:util'
import { LighthouseError, type ErrorCode } from '../platform/errors.ts'
import { environmentVariable } from '../platform/process.ts'
import type { Configuration, ConfiguredValue } from './file.ts'
import { configurationKey, environmentName } from './flags.ts'
import { nearestWord } from '../statistics/nearest-word.ts'

/** In the current folder. */
const defaultFile = 'lighthouse.config.yaml'

/** Flags that make no sense in a file: where the file is, the form of the output of one call, and consent to it. */
const notConfigurable = new Set(['config', 'json', 'help', 'yes'])

/** The flags with configured values as their defaults. */
export async function configureFlags(config: Config, flags: FlagInput, argv: readonly string[]): Promise<FlagInput> {
  const configuration = await findConfiguration(config, flags, argv)
  const configured: FlagInput = { ...flags }
  for (const [name, flag] of Object.entries(flags)) {
    const value = configuration.get(configurationKey(name))
    if (value !== undefined) configured[name] = await withDefault(flag, name, value)
  }
  return configured
}

async function findConfiguration(config: Config, known: FlagInput, argv: readonly string[]): Promise<Configuration> {
  const named = valueOf('--config', argv) ?? environmentVariable('LIGHTHOUSE_CONFIG')
  // YAML and schema readers load only when there is something to read.
  if (named === undefined && !existsSync(defaultFile)) return new Map()
  const names = new Set([...Object.keys(known), ...config.commands.flatMap((command) => Object.keys(command.flags))])
  const keys = [...names].filter((name) => !notConfigurable.has(name)).map(configurationKey)
  const { readConfigurationFile } = await import('./file.ts')
  return (await readConfigurationFile(named ?? defaultFile, keys, named !== undefined)) ?? new Map()
}

async function withDefault(flag: FlagInput[string], name: string, value: ConfiguredValue): Promise<FlagInput[string]> {
  const key = configurationKey(name)
  if (flag.type === 'boolean') {
    if (value.text !== 'true' && value.text !== 'false') {
      throw new LighthouseError('CONFIGURATION', `${value.where}: '${key}' is '${value.text}'`, {
        suggestions: ['Write true or false.'],
      })
    }
    return { ...flag, default: value.text === 'true' }
  }
  if (flag.options !== undefined && !flag.options.includes(value.text)) {
    throw notAnOption(`${value.where}: '${key}'`, value.text, flag.options, 'CONFIGURATION')
  }
  try {
    // The readers of this project take the text alone; context and options are the parser's own.
    const read = flag.parse as (input: string) => Promise<unknown>
    const parsed = await read(value.text)
    return { ...flag, default: () => Promise.resolve(parsed) }
  } catch (error) {
    if (!(error instanceof LighthouseError)) throw error
    throw new LighthouseError('CONFIGURATION', `${value.where}: ${key}: ${error.message}`, {
      suggestions: error.suggestions,
    })
  }
}

function valueOf(flag: string, argv: readonly string[]): string | undefined {
  for (const [index, word] of argv.entries()) {
    if (word === '--') return undefined
    if (word === flag) return argv[index + 1]
    if (word.startsWith(`${flag}=`)) return word.slice(flag.length + 1)
  }
  return undefined
}

function notAnOption(where: string, given: string, options: readonly string[], code: ErrorCode): LighthouseError {
  const guess = nearestWord(given, options)
  return new LighthouseError(code, `${where} is '${given}', which is none of: ${options.join(', ')}`, {
    suggestions: [guess === null ? `Choose one of: ${options.join(', ')}.` : `Did you mean '${guess}'?`],
  })
}

/** The parser wraps what a flag's reader says; this takes it out again and says where the value came from. */
export function explainParserError(
  error: unknown,
  known: FlagInput,
  argv: readonly string[],
  command: string,
): unknown {
  if (!(error instanceof Error)) return error
  const source = (name: string): string => (given(name, argv, known) ? `--${name}` : environmentName(name))
  const text = stripVTControlCharacters(error.message).replace(/\nSee more help with --help$/, '')
  const wrapped = /^Parsing --(\S+) \n\t([\s\S]*)$/.exec(text)
  if (error instanceof LighthouseError && wrapped !== null) {
    return new LighthouseError(error.code, `${source(wrapped[1] ?? '')}: ${wrapped[2]}`, {
      suggestions: error.suggestions,
    })
  }
  const help = helpLine(command)
  if ('flags' in error && Array.isArray(error.flags)) return unknownFlags(error.flags.map(String), known, help)
  const option = /^Expected --([a-z0-9-]+)=([\s\S]*) to be one of: (.*)$/.exec(text)
  if (option !== null)
    return notAnOption(source(option[1] ?? ''), option[2] ?? '', (option[3] ?? '').split(', '), 'USAGE')
  if (!(error instanceof CLIError) || error.name === 'ExitError' || error.message.startsWith('EEXIT')) return error
  return new LighthouseError('USAGE', lowerFirst(text.trim()), { suggestions: [help] })
}

function given(name: string, argv: readonly string[], known: FlagInput): boolean {
  const letter = known[name]?.char
  return argv.some(
    (word) =>
      word === `--${name}` ||
      word === `--no-${name}` ||
      word.startsWith(`--${name}=`) ||
      (letter !== undefined && word.startsWith(`-${letter}`)),
  )
}

/**
 * The parser looks at arguments before flags, so the value of a misspelt flag would be called a wrong
 * argument. No value begins with two dashes, so a word that does and is no flag is told first.
 */
export function refuseUnknownFlags(known: FlagInput, argv: readonly string[], command: string): void {
  const end = argv.indexOf('--')
  const names = flagWords(known)
  const unknown = (end === -1 ? argv : argv.slice(0, end)).filter(
    (word) => word.startsWith('--') && !names.includes(word.split('=')[0] ?? word),
  )
  if (unknown.length > 0) throw unknownFlags(unknown, known, helpLine(command))
}

function helpLine(command: string): string {
  return `Run \`${command} --help\` for the flags and examples.`
}

function flagWords(known: FlagInput): string[] {
  return Object.entries(known).flatMap(([name, flag]) =>
    flag.type === 'boolean' && flag.allowNo ? [`--${name}`, `--no-${name}`] : [`--${name}`],
  )
}

function unknownFlags(flags: readonly string[], known: FlagInput, help: string): LighthouseError {
  const names = flagWords(known)
  const suggestions = flags.flatMap((flag) => {
    const guess = nearestWord(flag.split('=')[0] ?? flag, names)
    return guess === null ? [] : [`Did you mean '${guess}'?`]
  })
  return new LighthouseError('USAGE', `there is no flag ${flags.map((flag) => `'${flag}'`).join(', ')} here`, {
    suggestions: suggestions.length > 0 ? suggestions : [help],
  })
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
