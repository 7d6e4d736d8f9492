/**
 * The published schema of results: the files in `docs/` are those that the schema gives, real documents fit, planted faults
 * do not, and zod and ajv never disagree, whatever is changed.
 */
import fc from 'fast-check'
import { format, resolveConfig } from 'prettier'
import { describe, expect, it } from 'vitest'
import type { ResultsDocument } from '../../../src/measurement/results-document.ts'
import { printedResultsSchema, publishedSchemas, resultsSchema } from '../../../src/measurement/results-schema.ts'
import { errorsOf, publishedSchemaPath, strictValidator, type PublishedSchema } from '../../published-schema.ts'
import { asWritten, resultsDocuments } from './results-documents.ts'

const regenerate = 'npx vitest run test/unit/measurement/results-schema.test.ts --update'
const names = ['results.schema.json', 'results-output.schema.json'] as const satisfies readonly PublishedSchema[]
const where = { runDirectory: 'runs/run-20261122-020736-1a2b', certificate: null }
const documents = Object.entries(resultsDocuments)

/** As generated, which the first test holds equal to the file: a run that writes the files anew must not judge by the old ones. */
function schemaOf(name: PublishedSchema): object {
  const schema = publishedSchemas()[name]
  if (schema === undefined) throw new Error(`${name} is not published`)
  return asWritten(schema)
}
const validators = {
  results: strictValidator(schemaOf('results.schema.json')),
  printed: strictValidator(schemaOf('results-output.schema.json')),
}

function documentOf(name: keyof typeof resultsDocuments): ResultsDocument {
  const document = resultsDocuments[name]
  if (document === undefined) throw new Error(`no document of ${name}`)
  return document
}

describe('the published files', () => {
  it.each(names)('%s is what the schema gives', async (name) => {
    const file = publishedSchemaPath(name)
    const text = await format(JSON.stringify(schemaOf(name)), {
      ...(await resolveConfig(file)),
      filepath: file,
    })
    await expect(text, `If the change is meant: ${regenerate}`).toMatchFileSnapshot(file)
  })

  it('are all', () => {
    expect(Object.keys(publishedSchemas())).toEqual(names)
  })

  it.each(names)('%s is a valid schema of draft 2020-12 in strict mode', (name) => {
    expect(() => strictValidator(schemaOf(name))).not.toThrow()
    expect(schemaOf(name)).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $id: expect.stringMatching(/^urn:lighthouse-harness:results(-output)?:v1$/) as string,
      type: 'object',
      additionalProperties: false,
    })
  })
})

interface Node {
  readonly type?: string
  readonly description?: string
  readonly $ref?: string
  readonly anyOf?: readonly Node[]
  readonly properties?: Readonly<Record<string, Node>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Node
  readonly prefixItems?: readonly Node[]
  readonly items?: false | Node
  readonly $defs?: Readonly<Record<string, Node>>
}

/** What a stranger would miss: an object or tuple that is open, a unit or a null without words. */
function lacks(node: Node, root: Node, path: string): string[] {
  const found: string[] = []
  const inner = (child: Node | undefined | boolean, name: string): void => {
    if (typeof child === 'object') found.push(...lacks(child, root, `${path}/${name}`))
  }
  if (node.type === 'object' && (node.additionalProperties ?? true) === true) found.push(`${path} is open`)
  if (node.prefixItems !== undefined && node.items !== false) found.push(`${path} is an open tuple`)
  for (const [name, member] of Object.entries(node.properties ?? {})) {
    const target = member.$ref === undefined ? undefined : root.$defs?.[member.$ref.replace('#/$defs/', '')]
    const words = `${member.description ?? ''} ${target?.description ?? ''}`
    const nullable = JSON.stringify(member.anyOf ?? member.type ?? '').includes('"null"')
    const unit = /(Ms|Us|Bytes|Percent|PerSecond|Per[A-Z]\w*)$/.exec(name)
    if (unit !== null && words.trim() === '') found.push(`${path}/${name} has a unit and no words`)
    if (nullable && !words.includes('null:')) found.push(`${path}/${name} can be null and does not say why`)
    inner(member, name)
  }
  for (const [name, child] of Object.entries(node.$defs ?? {})) inner(child, `$defs/${name}`)
  for (const [index, child] of (node.anyOf ?? []).entries()) inner(child, `anyOf/${index}`)
  for (const [index, child] of (node.prefixItems ?? []).entries()) inner(child, `prefixItems/${index}`)
  inner(node.items, 'items')
  inner(node.additionalProperties, '*')
  return found
}

describe('the words of the schema', () => {
  it.each(names)('%s is closed everywhere and explains units and nulls', (name) => {
    const schema = schemaOf(name) as Node
    expect(lacks(schema, schema, '')).toEqual([])
  })

  it.each([
    ['an open object', { type: 'object' }, ['#/x is open']],
    ['an open tuple', { prefixItems: [{ type: 'number' }] }, ['#/x is an open tuple']],
    [
      'a unit without words',
      { type: 'object', properties: { aMs: { type: 'number' } }, additionalProperties: false },
      ['#/x/aMs has a unit and no words'],
    ],
    [
      'a null without words',
      { type: 'object', properties: { a: { anyOf: [{ type: 'null' }] } }, additionalProperties: false },
      ['#/x/a can be null and does not say why'],
    ],
  ])('would be missed: %s', (_what, planted, expected) => {
    const root = { type: 'object', properties: { x: planted }, additionalProperties: false }
    expect(lacks(root, root, '#')).toEqual(expected)
  })
})

describe('documents that runs make', () => {
  it.each(documents)('fit: %s', (_name, document) => {
    // Not only as written: JSON would have hidden a NaN in the document.
    expect(resultsSchema.safeParse(document).error?.issues ?? []).toEqual([])
    expect(resultsSchema.parse(document)).toEqual(document)
    expect(errorsOf(validators.results, asWritten(document))).toEqual([])
    const printed = { ...document, ...where }
    expect(printedResultsSchema.safeParse(printed).error?.issues ?? []).toEqual([])
    expect(errorsOf(validators.printed, asWritten(printed))).toEqual([])
  })

  it('show every part that can be absent or empty', () => {
    const found = (part: (document: ResultsDocument) => unknown): boolean =>
      documents.some(([, document]) => {
        const value = part(document)
        return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== null
      })
    const parts: Record<string, (document: ResultsDocument) => unknown> = {
      cases: ({ cases }) => cases,
      knees: ({ scaling }) => scaling?.knees,
      peak: ({ scaling }) => scaling?.scalability[0]?.peakAgents,
      'a fault that was recovered from': ({ recovery }) =>
        recovery?.faults.find(({ timeToFullMs }) => timeToFullMs !== null),
      'a fault that could not be timed': ({ recovery }) =>
        recovery?.faults.find(({ backlogMax }) => backlogMax === null),
      'memory of an idle agent': ({ memory }) => memory?.agents[0]?.idleLiveBytes.low,
      'memory that is not known': ({ memory }) =>
        memory?.inFlight.find(({ liveBytes }) => liveBytes.value === null && liveBytes.reason !== ''),
      'an engine under a heap cap': ({ memory }) => memory?.pressure.find(({ state }) => state === 'carried'),
      'a leak that was excluded': ({ memory }) => memory?.leaks.find(({ verdict }) => verdict === 'MET'),
      'a burst with its ratio': ({ burst }) => burst?.cases[0]?.steps[0]?.p99.low,
      'a burst that was not recovered from': ({ burst }) =>
        burst?.cases.find(({ recovery, steps }) => recovery.medianMs === null && steps[0]?.p99.ratio === null),
      'a pattern with instances that failed': ({ coordination }) =>
        coordination?.patterns.find(({ instances }) => instances.failed > 0),
      'a pattern against the other engine': ({ coordination }) => coordination?.comparisons[0]?.low,
      'fairness with its interval': ({ coordination }) => coordination?.patterns[0]?.fairness[0]?.indexInterval[0],
      growth: ({ scaling }) => scaling?.growth.find(({ perAgent }) => perAgent !== null),
      savings: ({ savings }) => savings,
      claims: ({ claims }) => claims,
      conditions: ({ conditions }) => conditions,
      'case of an invalid round': ({ invalidRounds }) => invalidRounds[0]?.case,
      stages: ({ engines }) => engines.at(-1)?.stages,
      polling: ({ engines }) => engines[0]?.polling,
      'reasons of the ledger': ({ ledger }) => ledger.reasons,
      'resources that are null': ({ engines }) => Object.keys(engines[0]?.resources.nullReasons ?? {}),
    }
    for (const [name, part] of Object.entries(parts)) expect(found(part), name).toBe(true)
    const states = new Set(documents.flatMap(([, { scaling }]) => scaling?.levels.map(({ state }) => state) ?? []))
    expect([...states].sort()).toEqual(['held', 'not played', 'stopped'])
    const faults = new Set(documents.flatMap(([, { recovery }]) => recovery?.faults.map(({ state }) => state) ?? []))
    expect([...faults]).toEqual(expect.arrayContaining(['did not bite', 'invalid', 'recovered']))
    expect(new Set(documents.map(([, { decision }]) => decision)).size).toBeGreaterThanOrEqual(3)
  })

  it('are told from what is printed by its two members', () => {
    const document = asWritten(documentOf('a comparison'))
    expect(errorsOf(validators.results, { ...document, ...where })).toHaveLength(1)
    expect(errorsOf(validators.printed, document)).toHaveLength(1)
    expect(resultsSchema.safeParse({ ...document, ...where }).success).toBe(false)
    expect(printedResultsSchema.safeParse(document).success).toBe(false)
  })
})

type Path = readonly (string | number)[]

/** The document with what stands at `path` replaced; removed for undefined. */
function changed(value: unknown, path: Path, replacement: unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return replacement
  if (Array.isArray(value)) {
    const items: unknown[] = [...(value as unknown[])]
    if (rest.length === 0 && replacement === undefined) return items.filter((_, index) => index !== key)
    return Object.assign(items, { [key]: changed(items[Number(key)], rest, replacement) })
  }
  const entries = Object.entries(value as object).filter(([name]) => name !== key)
  const next = changed((value as Record<string, unknown>)[key], rest, replacement)
  return Object.fromEntries(next === undefined ? entries : [...entries, [String(key), next]])
}

function verdicts(document: unknown): { zod: boolean; ajv: boolean } {
  const written: unknown = asWritten(document)
  return { zod: resultsSchema.safeParse(written).success, ajv: validators.results(written) }
}

describe('a planted fault is caught by zod and by ajv', () => {
  const manyOptions = Object.fromEntries(Array.from({ length: 501 }, (_, index) => [`option${index}`, 'x']))
  it.each<readonly [string, Path, unknown]>([
    ['a missing member', ['ledger'], undefined],
    ['a missing member of a member', ['engines', 0, 'exchanges', 'lost'], undefined],
    ['a missing member within a case', ['cases', 1, 'engines', 0, 'roundTrip', 'intervals', 'p99Ms'], undefined],
    ['an extra member', ['certificate'], 'x'],
    ['an extra member of a member', ['engines', 0, 'resources', 'rssMinBytes'], 1],
    ['an extra member of an environment', ['environment', 'hostName'], 'build-7'],
    ['another version', ['schemaVersion'], 2],
    ['a figure that was NaN', ['engines', 0, 'offeredPerSecond'], NaN],
    ['a count that was NaN', ['engines', 0, 'exchanges', 'scheduled'], NaN],
    ['an infinite bound of a knee', ['scaling', 'knees', 0, 'boundMs'], Infinity],
    ['a parameter that was NaN', ['scaling', 'scalability', 0, 'lambda', 0], NaN],
    ['a wrong decision', ['decision'], 'PASSED'],
    ['a wrong verdict', ['targets', 0, 'verdict'], 'SHOWN'],
    ['a wrong suite', ['suite'], 'weather'],
    ['a wrong state of a level', ['scaling', 'levels', 0, 'state'], 'ok'],
    ['a wrong limit of a knee', ['scaling', 'knees', 0, 'limit'], 'memory'],
    ['a wrong metric of growth', ['scaling', 'growth', 0, 'metric'], 'heapBytes'],
    ['a negative count', ['engines', 0, 'exchanges', 'duplicated'], -1],
    ['a broken count', ['plannedRounds'], 2.5],
    ['a count too large to be exact', ['engines', 0, 'roundTrip', 'n'], 2 ** 53],
    ['a negative latency', ['engines', 0, 'roundTrip', 'p99Ms'], -0.001],
    ['an error rate above 1', ['engines', 0, 'errorRate'], 1.5],
    ['a string for a number', ['engines', 0, 'roundTrip', 'p50Ms'], '2.1'],
    ['a number for a string', ['seed'], 7],
    ['a string for a boolean', ['generator', 'valid'], 'true'],
    ['an object for a list', ['comparisons'], {}],
    ['an interval of one end', ['engines', 0, 'roundTrip', 'intervals', 'p50Ms'], [1]],
    ['an interval of three ends', ['engines', 0, 'roundTrip', 'intervals', 'p50Ms'], [1, 2, 3]],
    ['an estimate without value', ['scaling', 'scalability', 0, 'sigma'], [null, 0, 1]],
    ['a stage that is missing', ['engines', 0, 'stages', 'push'], undefined],
    ['a stage too many', ['engines', 0, 'stages', 'parse'], { n: 1, p50Us: 1, p99Us: 1 }],
    ['a name that is no case', ['invalidRounds', 0, 'case'], 'Agents 50'],
    ['a null for what is absent', ['invalidRounds', 0, 'case'], null],
    ['a record of more than 500 members', ['engines', 0, 'options'], manyOptions],
    ['a record of numbers', ['environment', 'libraries'], { ws: 8 }],
    ['an empty label', ['engines', 0, 'label'], ''],
  ])('%s', (_what, path, replacement) => {
    const document = documentOf('a scaling run with a fitted law')
    expect(verdicts(document)).toEqual({ zod: true, ajv: true })
    expect(verdicts(changed(document, path, replacement))).toEqual({ zod: false, ajv: false })
  })

  it.each<readonly [string, Path, unknown]>([
    ['a wrong state', ['state'], 'healed'],
    ['a missing time', ['timeToFullMs'], undefined],
    ['a negative time', ['timeToDetectMs'], -1],
    ['a null for what is always known', ['watchedMs'], null],
    ['a figure that was NaN', ['figures', 'rssBeforeBytes'], NaN],
  ])('%s of a fault', (_what, path, replacement) => {
    const document = documentOf('a recovery run')
    expect(verdicts(document)).toEqual({ zod: true, ajv: true })
    const planted = changed(document, ['recovery', 'faults', 0, ...path], replacement)
    expect(verdicts(planted)).toEqual({ zod: false, ajv: false })
  })
})

describe('a planted fault of a memory run is caught by zod and by ajv', () => {
  it.each<readonly [string, Path, unknown]>([
    ['a wrong shape', ['agents', 0, 'idleLiveBytes', 'shape'], 'straight'],
    ['a slope with a unit', ['agents', 0, 'idleRssBytes', 'value'], '4700 B'],
    ['a missing bound', ['inFlight', 0, 'liveBytes', 'high'], undefined],
    ['a wrong state', ['pressure', 0, 'state'], 'survived'],
    ['a negative loss', ['pressure', 0, 'lost'], -1],
    ['a share of a connection', ['descriptors', 0, 'closed'], 0.5],
    ['a missing control', ['flood', 0, 'controlP99Ms'], undefined],
    ['a wrong verdict', ['leaks', 0, 'verdict'], 'none'],
  ])('%s', (_what, path, replacement) => {
    const document = documentOf('a memory run')
    expect(verdicts(document)).toEqual({ zod: true, ajv: true })
    expect(verdicts(changed(document, ['memory', ...path], replacement))).toEqual({ zod: false, ajv: false })
  })
})

describe('a planted fault of a burst is caught by zod and by ajv', () => {
  it.each<readonly [string, Path, unknown]>([
    ['a wrong verdict', ['steps', 0, 'p99', 'verdict'], 'slower'],
    ['a missing stretch', ['after'], undefined],
    ['a negative ratio', ['steps', 0, 'p50', 'ratio'], -1],
    ['a missing time', ['recovery', 'medianMs'], undefined],
    ['a null for what is always known', ['recovery', 'watchedMs'], null],
    ['an extra member of a step', ['steps', 0, 'p95'], null],
  ])('%s', (_what, path, replacement) => {
    const document = documentOf('a burst run')
    expect(verdicts(document)).toEqual({ zod: true, ajv: true })
    const planted = changed(document, ['burst', 'cases', 0, ...path], replacement)
    expect(verdicts(planted)).toEqual({ zod: false, ajv: false })
  })
})

describe('a planted fault of a pattern is caught by zod and by ajv', () => {
  it.each<readonly [string, Path, unknown]>([
    ['a pattern that is none', ['patterns', 0, 'kind'], 'star'],
    ['missing instances', ['patterns', 0, 'instances', 'failed'], undefined],
    ['a negative count', ['patterns', 0, 'withdrawals', 'asked'], -1],
    ['a half interval', ['patterns', 0, 'fairness', 0, 'indexInterval'], [0.5]],
    ['a wrong verdict', ['comparisons', 0, 'verdict'], 'better'],
    ['an extra member', ['patterns', 0, 'p50Ms'], 4],
  ])('%s', (_what, path, replacement) => {
    const document = documentOf('a coordination run')
    expect(verdicts(document)).toEqual({ zod: true, ajv: true })
    const planted = changed(document, ['coordination', ...path], replacement)
    expect(verdicts(planted)).toEqual({ zod: false, ajv: false })
  })
})

function pathsOf(value: unknown, path: Path): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  const entries: (readonly [string | number, unknown])[] = Array.isArray(value)
    ? (value as unknown[]).map((item, index) => [index, item] as const)
    : Object.entries(value)
  return [path, ...entries.flatMap(([key, item]) => pathsOf(item, [...path, key]))]
}

describe('whatever is changed at one place', () => {
  const targetsOfChange = documents.flatMap(([, document]) => {
    const written: unknown = asWritten(document)
    return pathsOf(written, []).map((path) => ({ written, path }))
  })
  const place = fc.integer({ min: 0, max: targetsOfChange.length - 1 })
  const at = (index: number) => {
    const found = targetsOfChange[index]
    if (found === undefined) throw new Error(`no place ${index}`)
    return found
  }

  it('zod and ajv give the same answer', () => {
    // Letters only: zod counts UTF-16 units of a string, JSON Schema its code points.
    const word = fc.string({ unit: fc.constantFrom('a', 'B', '-', '7', ' '), maxLength: 70 })
    const number = fc.oneof(
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(0, 1, -1),
    )
    const leaf = fc.oneof(word, number, fc.boolean(), fc.constant(null), fc.constant(undefined))
    const replacement = fc.oneof(leaf, fc.array(leaf, { maxLength: 3 }), fc.dictionary(word, leaf, { maxKeys: 3 }))
    const answers = { accepted: 0, refused: 0 }
    fc.assert(
      fc.property(place, replacement, (index, value) => {
        const { written, path } = at(index)
        const { zod, ajv } = verdicts(changed(written, path, value) ?? null)
        answers[zod ? 'accepted' : 'refused']++
        expect(zod).toBe(ajv)
      }),
      { numRuns: 1500 },
    )
    expect(Math.min(answers.accepted, answers.refused)).toBeGreaterThan(30)
  })

  it('refuses a value of a type that stands nowhere in a document, and a member of an unknown name', () => {
    fc.assert(
      fc.property(place, (index) => {
        const { written, path } = at(index)
        // A list of lists of lists fits nowhere.
        expect(verdicts(changed(written, path, [[[]]]))).toEqual({ zod: false, ajv: false })
        const isRecord = path.some((key) => ['options', 'nullReasons', 'libraries', 'figures'].includes(String(key)))
        const parent = path.slice(0, -1)
        if (isRecord || path.length === 0 || typeof path.at(-1) === 'number') return
        expect(verdicts(changed(written, [...parent, 'unheardOf'], 0))).toEqual({ zod: false, ajv: false })
      }),
      { numRuns: 400 },
    )
  })
})
