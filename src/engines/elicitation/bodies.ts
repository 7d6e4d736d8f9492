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

  /** null when the schema is outside the subset or too long. */
  compile(schema: unknown): CompiledSchema | null {
    if (this.limit === 0) return JSON.stringify(schema)?.length > maxSchemaLength ? null : compileSchema(schema)
    const text = JSON.stringify(schema) ?? ''
    const known = this.held.get(text)
    if (known !== undefined) {
      this.hits++
      // A full cache keeps what is in use: a hit moves to the young end. Below the limit the order does not matter.
      if (this.held.size === this.limit) {
        this.held.delete(text)
        this.held.set(text, known)
      }
      return known
    }
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

/** The question's compiled schema, or why the question is refused. */
export function readQuestion(body: string, cache: SchemaCache): CompiledSchema | RefusalCode {
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
