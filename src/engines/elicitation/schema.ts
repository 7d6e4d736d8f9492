/**
 * Schemas of questions: MCP's closed subset, read once into a small tree and interpreted (docs/wire-protocol.md §7).
 *
 * An interpreter instead of generated code, because a schema arrives with a message and is an attacker's input: reading one
 * costs microseconds, not a compiler run. Everything not in the subset is refused when the question is asked, so an answer
 * is never judged by a keyword that was silently ignored. Compared with ajv on random input in the tests.
 */
import { isHostileName } from './frame-codec.ts'
import { formatNames, matchesFormat, type FormatName } from './schema-formats.ts'

export const maxProperties = 64
export const maxSchemaLength = 16_384
const maxChoices = 1024

interface StringRule {
  readonly kind: 'string'
  readonly minLength: number
  readonly maxLength: number
  readonly format: FormatName | null
}
interface NumberRule {
  readonly kind: 'number'
  readonly integer: boolean
  readonly minimum: number
  readonly maximum: number
}
interface BooleanRule {
  readonly kind: 'boolean'
}
interface ChoiceRule {
  readonly kind: 'choice'
  readonly choices: ReadonlySet<string>
}
interface ChoicesRule {
  readonly kind: 'choices'
  readonly choices: ReadonlySet<string>
  readonly minItems: number
  readonly maxItems: number
}
type Rule = StringRule | NumberRule | BooleanRule | ChoiceRule | ChoicesRule

export interface CompiledSchema {
  readonly rules: ReadonlyMap<string, Rule>
  readonly required: readonly string[]
}

type JsonObject = Readonly<Record<string, unknown>>

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The object that a text is in JSON; null for any other text. */
export function parseJsonObject(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : null
  } catch {
    return null
  }
}

/** Own properties only: JSON can carry `__proto__` as an own name, and must not reach what an object inherits. */
function own(value: JsonObject, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined
}

function onlyKeys(value: JsonObject, allowed: readonly string[]): boolean {
  for (const key of Object.keys(value)) if (!allowed.includes(key)) return false
  return true
}

const isText = (value: unknown): value is string | undefined => value === undefined || typeof value === 'string'

/** A bound that is absent (then `otherwise`) or valid; NaN for an invalid one. */
function bound(value: unknown, otherwise: number, whole: boolean): number {
  if (value === undefined) return otherwise
  if (typeof value !== 'number' || !Number.isFinite(value)) return NaN
  return !whole || (Number.isInteger(value) && value >= 0) ? value : NaN
}

function textList(value: unknown): string[] | null {
  if (!Array.isArray(value) || value.length === 0 || value.length > maxChoices) return null
  const texts: string[] = []
  for (const item of value) {
    if (typeof item !== 'string') return null
    texts.push(item)
  }
  return new Set(texts).size === texts.length ? texts : null
}

/** `[{"const":…,"title":…}, …]` */
function titledChoices(value: unknown): string[] | null {
  if (!Array.isArray(value)) return null
  const constants: unknown[] = []
  for (const item of value) {
    if (!isJsonObject(item) || !onlyKeys(item, ['const', 'title']) || !isText(own(item, 'title'))) return null
    constants.push(own(item, 'const'))
  }
  return textList(constants)
}

/** null when the schema is outside the subset. */
export function compileSchema(schema: unknown): CompiledSchema | null {
  if (!isJsonObject(schema) || own(schema, 'type') !== 'object') return null
  if (!onlyKeys(schema, ['$schema', 'type', 'title', 'description', 'properties', 'required'])) return null
  for (const name of ['$schema', 'title', 'description']) if (!isText(own(schema, name))) return null
  const properties = own(schema, 'properties')
  if (!isJsonObject(properties)) return null
  const names = Object.keys(properties)
  if (names.length > maxProperties) return null
  const rules = new Map<string, Rule>()
  for (const name of names) {
    const rule = isHostileName(name) ? null : compileProperty(own(properties, name))
    if (rule === null) return null
    rules.set(name, rule)
  }
  const required = own(schema, 'required')
  if (required === undefined) return { rules, required: [] }
  const requiredNames = Array.isArray(required) && required.length === 0 ? [] : textList(required)
  if (requiredNames === null || !requiredNames.every((name) => rules.has(name))) return null
  return { rules, required: requiredNames }
}

const common = ['type', 'title', 'description', 'default']

function compileProperty(property: unknown): Rule | null {
  if (!isJsonObject(property) || !isText(own(property, 'title')) || !isText(own(property, 'description'))) return null
  const rule = ruleOf(property)
  if (rule === null) return null
  // A default that its own rule refuses would make the form unanswerable as offered.
  const preset = own(property, 'default')
  return preset === undefined || satisfies(rule, preset) ? rule : null
}

function ruleOf(property: JsonObject): Rule | null {
  switch (own(property, 'type')) {
    case 'string':
      return stringRule(property)
    case 'number':
    case 'integer':
      return numberRule(property)
    case 'boolean':
      return onlyKeys(property, common) ? { kind: 'boolean' } : null
    case 'array':
      return choicesRule(property)
    default:
      return null
  }
}

function stringRule(property: JsonObject): Rule | null {
  if (Object.hasOwn(property, 'enum')) {
    if (!onlyKeys(property, [...common, 'enum', 'enumNames'])) return null
    const choices = textList(own(property, 'enum'))
    const names = own(property, 'enumNames')
    if (choices === null || (names !== undefined && !(Array.isArray(names) && names.length === choices.length)))
      return null
    return { kind: 'choice', choices: new Set(choices) }
  }
  if (Object.hasOwn(property, 'oneOf')) {
    const choices = onlyKeys(property, [...common, 'oneOf']) ? titledChoices(own(property, 'oneOf')) : null
    return choices === null ? null : { kind: 'choice', choices: new Set(choices) }
  }
  if (!onlyKeys(property, [...common, 'minLength', 'maxLength', 'format'])) return null
  const minLength = bound(own(property, 'minLength'), 0, true)
  const maxLength = bound(own(property, 'maxLength'), Infinity, true)
  const format = own(property, 'format')
  const known = formatNames.find((name) => name === format) ?? null
  if (!(minLength <= maxLength) || (format !== undefined && known === null)) return null
  return { kind: 'string', minLength, maxLength, format: known }
}

function numberRule(property: JsonObject): Rule | null {
  if (!onlyKeys(property, [...common, 'minimum', 'maximum'])) return null
  const minimum = bound(own(property, 'minimum'), -Infinity, false)
  const maximum = bound(own(property, 'maximum'), Infinity, false)
  if (!(minimum <= maximum)) return null
  return { kind: 'number', integer: own(property, 'type') === 'integer', minimum, maximum }
}

function choicesRule(property: JsonObject): Rule | null {
  if (!onlyKeys(property, [...common, 'items', 'minItems', 'maxItems'])) return null
  const items = own(property, 'items')
  if (!isJsonObject(items)) return null
  let choices: string[] | null = null
  if (Object.hasOwn(items, 'enum')) {
    if (onlyKeys(items, ['type', 'enum']) && own(items, 'type') === 'string') choices = textList(own(items, 'enum'))
  } else if (onlyKeys(items, ['anyOf'])) choices = titledChoices(own(items, 'anyOf'))
  const minItems = bound(own(property, 'minItems'), 0, true)
  const maxItems = bound(own(property, 'maxItems'), Infinity, true)
  return choices !== null && minItems <= maxItems
    ? { kind: 'choices', choices: new Set(choices), minItems, maxItems }
    : null
}

/** Code points without allocating; only called when UTF-16 units do not already decide. */
function codePoints(text: string): number {
  let count = text.length
  for (let index = 0; index + 1 < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < 0xd800 || unit > 0xdbff) continue
    const next = text.charCodeAt(index + 1)
    if (next < 0xdc00 || next > 0xdfff) continue
    count--
    index++
  }
  return count
}

function satisfies(rule: Rule, value: unknown): boolean {
  switch (rule.kind) {
    case 'string': {
      if (typeof value !== 'string' || value.length < rule.minLength) return false
      if (rule.minLength > 0 || value.length > rule.maxLength) {
        const length = codePoints(value)
        if (length < rule.minLength || length > rule.maxLength) return false
      }
      return rule.format === null || matchesFormat(rule.format, value)
    }
    case 'number':
      if (typeof value !== 'number' || !Number.isFinite(value)) return false
      return (!rule.integer || Number.isInteger(value)) && value >= rule.minimum && value <= rule.maximum
    case 'boolean':
      return typeof value === 'boolean'
    case 'choice':
      return typeof value === 'string' && rule.choices.has(value)
    case 'choices': {
      if (!Array.isArray(value) || value.length < rule.minItems || value.length > rule.maxItems) return false
      for (const item of value) if (typeof item !== 'string' || !rule.choices.has(item)) return false
      return true
    }
  }
}

/** Whether `content` is an object of declared properties only that satisfies the schema. */
export function matchesSchema(schema: CompiledSchema, content: unknown): boolean {
  if (!isJsonObject(content)) return false
  for (const name of Object.keys(content)) {
    const rule = schema.rules.get(name)
    if (rule === undefined || !satisfies(rule, content[name])) return false
  }
  for (const name of schema.required) if (!Object.hasOwn(content, name)) return false
  return true
}
