/**
 * Builders of command line flags. Each flag has a one-line summary that ends in an example, and an environment
 * variable LIGHTHOUSE_… named after it; the configuration file uses the same name in camelCase.
 */
import { boolean, custom, option } from '@oclif/core/flags'
import { longestDurationMs, parseDuration, parseEngineUrl, parseNumber, parseWhole, type Bounds } from './values.ts'

/** `round-duration` → `LIGHTHOUSE_ROUND_DURATION` */
export function environmentName(flag: string): string {
  return `LIGHTHOUSE_${flag.toUpperCase().replaceAll('-', '_')}`
}

/** `round-duration` → `roundDuration` */
export function configurationKey(flag: string): string {
  return flag.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

export interface FlagText {
  readonly summary: string
  /** Value shown after `e.g. --name`. */
  readonly example: string
  readonly group: string
}

type Described = { summary: string; env: string; helpGroup: string }

function described(name: string, text: FlagText): Described {
  return {
    summary: `${text.summary}, e.g. --${name} ${text.example}`.trimEnd(),
    env: environmentName(name),
    helpGroup: text.group,
  }
}

export function durationFlag(name: string, text: FlagText, bounds: Bounds = { min: 1, max: longestDurationMs }) {
  return custom<number>({ parse: (input) => settle(() => parseDuration(input, bounds)) })({
    ...described(name, text),
    helpValue: '<duration>',
  })
}

export function wholeFlag(name: string, text: FlagText, bounds: Bounds) {
  return custom<number>({ parse: (input) => settle(() => parseWhole(input, bounds)) })({
    ...described(name, text),
    helpValue: '<count>',
  })
}

export function numberFlag(name: string, text: FlagText, bounds: Bounds) {
  return custom<number>({ parse: (input) => settle(() => parseNumber(input, bounds)) })({
    ...described(name, text),
    helpValue: '<number>',
  })
}

export function urlFlag(name: string, text: FlagText) {
  return custom({ parse: (input) => settle(() => parseEngineUrl(input)) })({
    ...described(name, text),
    helpValue: '<url>',
  })
}

export function textFlag(
  name: string,
  text: FlagText,
  helpValue: string,
  parse: (input: string) => string = (input) => input,
) {
  return custom({ parse: (input) => settle(() => parse(input)) })({ ...described(name, text), helpValue })
}

export function choiceFlag<const T extends string>(name: string, text: FlagText, options: readonly T[]) {
  return option({ options })(described(name, text))
}

export function switchFlag(name: string, text: FlagText) {
  return boolean(described(name, text))
}

/** A switch that is on unless `--no-NAME` is given. */
export function defaultOnFlag(name: string, text: FlagText) {
  return boolean({ ...described(name, text), allowNo: true, default: true })
}

/** A thrown error becomes a rejection, as the parser expects. */
async function settle<T>(read: () => T): Promise<T> {
  return read()
}
