/**
 * What question and answer bodies must look like (docs/wire-protocol.md §3, §7), and the cache of schemas.
 *
 * A body is parsed to be judged and then carried on as the text it came as. The cache is keyed by the schema's
 * own text and bounded, least recently used first out; it holds schemas, never a verdict about a body or a signature.
 */
import { answerActions, type AnswerAction, type RefusalCode } from '../engine.ts'
import { compileSchema, isJsonObject, matchesSchema, maxSchemaLength, type CompiledSchema } from './schema.ts'

export class SchemaCache {
  private readonly held = new Map<string, CompiledSchema>()
  private readonly limit: number
  hits = 0
  misses = 0

  /** A limit of 0 compiles every schema anew. */
  constructor(limit: number) {
    this.limit = limit
  }

  /**
   * The compiled schema whose text, as `JSON.stringify` writes it, is `text`; undefined when it is not held. Texts that
   * are held are valid JSON, and no other text than the schema's own finds it.
   */
  knownText(text: string): CompiledSchema | undefined {
    const known = this.held.get(text)
    if (known === undefined) return undefined
    this.hits++
    // A full cache keeps what is in use: a hit moves to the young end. Below the limit the order does not matter.
    if (this.held.size === this.limit) {
      this.held.delete(text)
      this.held.set(text, known)
    }
    return known
  }

  /** null when the schema is outside the subset or too long. */
  compile(schema: unknown): CompiledSchema | null {
    if (this.limit === 0) return JSON.stringify(schema)?.length > maxSchemaLength ? null : compileSchema(schema)
    const text = JSON.stringify(schema) ?? ''
    const known = this.knownText(text)
    if (known !== undefined) return known
    this.misses++
    const compiled = text.length > maxSchemaLength ? null : compileSchema(schema)
    if (compiled === null) return null
    if (this.held.size === this.limit) {
      const oldest = this.held.keys().next()
      if (oldest.done !== true) this.held.delete(oldest.value)
    }
    this.held.set(text, compiled)
    return compiled
  }

  get size(): number {
    return this.held.size
  }
}

/** The parsed JSON, or undefined; JSON text itself never parses to undefined. */
function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

const messageStart = '{"message":"'
const schemaMember = ',"requestedSchema":'

/**
 * The compiled schema of a body of the usual form, message first and a schema that was seen before to the letter, or
 * undefined. Such a body needs no parsing beyond its message: a JSON string, a comma, a member whose value is known to be
 * a JSON object, a brace. Anything else takes the long way, so this only ever says what the long way would say.
 */
function knownQuestion(body: string, cache: SchemaCache): CompiledSchema | undefined {
  if (!body.startsWith(messageStart)) return undefined
  let end = body.indexOf('"', messageStart.length)
  while (end > 0 && isEscaped(body, end)) end = body.indexOf('"', end + 1)
  if (end < 0 || !body.startsWith(schemaMember, end + 1) || !body.endsWith('}')) return undefined
  const known = cache.knownText(body.slice(end + 1 + schemaMember.length, -1))
  return known !== undefined && parse(body.slice(messageStart.length - 1, end + 1)) !== undefined ? known : undefined
}

/** Whether an odd number of backslashes precedes `at`. */
function isEscaped(text: string, at: number): boolean {
  let from = at
  while (text.charCodeAt(from - 1) === 92) from--
  return (at - from) % 2 === 1
}

/** The question's compiled schema, or why the question is refused. */
export function readQuestion(body: string, cache: SchemaCache): CompiledSchema | RefusalCode {
  return knownQuestion(body, cache) ?? readAnyQuestion(body, cache)
}

function readAnyQuestion(body: string, cache: SchemaCache): CompiledSchema | RefusalCode {
  const parsed = parse(body)
  if (!isJsonObject(parsed) || !Object.hasOwn(parsed, 'message') || typeof parsed['message'] !== 'string')
    return 'MALFORMED'
  if (Object.hasOwn(parsed, 'mode') && parsed['mode'] !== 'form') return 'MALFORMED'
  if (!Object.hasOwn(parsed, 'requestedSchema')) return 'MALFORMED'
  try {
    return cache.compile(parsed['requestedSchema']) ?? 'SCHEMA_VIOLATION'
  } catch {
    // Nested so deep that it cannot be written back as text.
    return 'SCHEMA_VIOLATION'
  }
}

function actionOf(value: unknown): AnswerAction | null {
  for (const action of answerActions) if (action === value) return action
  return null
}

/** The answer's action, or why the answer is refused. An unknown action is never taken for a decline. */
export function readAnswer(body: string, schema: CompiledSchema): AnswerAction | RefusalCode {
  const parsed = parse(body)
  if (!isJsonObject(parsed)) return 'MALFORMED'
  const action = Object.hasOwn(parsed, 'action') ? actionOf(parsed['action']) : null
  if (action === null) return 'MALFORMED'
  const content = Object.hasOwn(parsed, 'content') ? parsed['content'] : undefined
  if (action === 'accept') return matchesSchema(schema, content) ? action : 'SCHEMA_VIOLATION'
  return content === undefined || isJsonObject(content) ? action : 'MALFORMED'
}
