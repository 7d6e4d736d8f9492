/** The schemas in `docs/` as a stranger would use them: read from the file, compiled by ajv in its strict mode. */
import { readFileSync } from 'node:fs'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'

export type PublishedSchema = 'results.schema.json' | 'results-output.schema.json'

export function publishedSchemaPath(name: PublishedSchema): string {
  return new URL(`../docs/${name}`, import.meta.url).pathname
}

export function strictValidator(schema: object): ValidateFunction {
  return new Ajv2020({ strict: true, unicodeRegExp: true, ownProperties: true }).compile(schema)
}

/** What is wrong with a document, in words; empty for one that fits. */
export function errorsOf(validate: ValidateFunction, document: unknown): string[] {
  if (validate(document)) return []
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? ''}`)
}

/** By the file in `docs/`. */
export function publishedErrors(name: PublishedSchema, document: unknown): string[] {
  return errorsOf(strictValidator(JSON.parse(readFileSync(publishedSchemaPath(name), 'utf8')) as object), document)
}
