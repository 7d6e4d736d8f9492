/**
 * The bodies: of the size asked for, of MCP's closed subset, and with answers that satisfy their questions.
 */
import { Ajv } from 'ajv'
import { describe, expect, it } from 'vitest'
import { answerBody, createBodyPool, poolSize } from '../../../src/load/bodies.ts'

interface Question {
  readonly message: string
  readonly requestedSchema: {
    readonly type: string
    readonly properties: Readonly<Record<string, Readonly<Record<string, unknown>>>>
    readonly required: readonly string[]
  }
}

const pool = createBodyPool('seed', 300)
const questions = pool.questions.map((body) => JSON.parse(body) as Question)

describe('createBodyPool', () => {
  it('repeats itself for a seed and differs between seeds', () => {
    expect(createBodyPool('seed', 300)).toEqual(pool)
    expect(createBodyPool('other', 300).questions).not.toEqual(pool.questions)
  })

  it('makes every question different, one line, and exactly as long as asked', () => {
    expect(new Set(pool.questions).size).toBe(poolSize)
    for (const body of pool.questions) {
      expect(body).not.toContain('\n')
      expect(Buffer.byteLength(body)).toBe(300)
      expect(JSON.stringify(JSON.parse(body))).toBe(body)
    }
  })

  it.each([1, 130, 200, 1000, 20_000])('comes near %i bytes', (bytes) => {
    for (const body of createBodyPool('seed', bytes).questions) {
      const length = Buffer.byteLength(body)
      expect(length).toBeGreaterThanOrEqual(bytes)
      expect(length).toBeLessThanOrEqual(Math.max(bytes, 190))
    }
  })

  it('uses few schemas, flat, and of every kind of primitive', () => {
    const large = createBodyPool('seed', 1000).questions.map((body) => (JSON.parse(body) as Question).requestedSchema)
    expect(new Set(large.map((schema) => JSON.stringify(schema))).size).toBeLessThanOrEqual(8)
    const kinds = new Set(large.flatMap((schema) => Object.values(schema.properties).map((field) => field['type'])))
    expect(kinds).toEqual(new Set(['string', 'number', 'integer', 'boolean']))
    expect(large.some((schema) => Object.values(schema.properties).some((field) => 'enum' in field))).toBe(true)
  })

  it('answers every question within its schema', () => {
    const ajv = new Ajv({ strict: true })
    for (const [index, { requestedSchema }] of questions.entries()) {
      const answer = JSON.parse(answerBody(pool, index, 0)) as { action: string; content: unknown }
      expect(answer.action).toBe('accept')
      expect(ajv.validate(requestedSchema, answer.content) ? '' : ajv.errorsText()).toBe('')
    }
  })

  it('carries text beyond Latin-1 in some bodies', () => {
    const exotic = createBodyPool('seed', 400).questions.filter(
      (body) => Buffer.from(body, 'latin1').toString('latin1') !== body,
    )
    expect(exotic.length).toBeGreaterThanOrEqual(poolSize / 32)
  })

  it('declines and cancels without content', () => {
    expect(JSON.parse(answerBody(pool, 3, 1))).toEqual({ action: 'decline' })
    expect(JSON.parse(answerBody(pool, 3, 2))).toEqual({ action: 'cancel' })
  })
})
