/**
 * The bodies of a round: a seeded pool of questions and the answers that fit them. A question is one line
 * of JSON, `{"message":…,"requestedSchema":…}`, whose schema is of MCP's closed subset (a flat object of
 * primitives and enums). An answer is `{"action":"accept","content":…}`, or the action alone.
 *
 * A pool and not one text per exchange, so that a recipient can compare what arrived with what was sent by
 * ===, without hashing. Eight schemas to a pool, since a real system asks few kinds of question many
 * times. One body in sixteen carries text outside Latin-1, so that a transport which breaks UTF-8 shows
 * as `corrupt`. Sizes are UTF-8 bytes.
 */
import { seededRandom, type Random } from '../platform/random.ts'

export interface BodyPool {
  readonly questions: readonly string[]
  /** By body index: the accepting answer to the question. */
  readonly accepts: readonly string[]
  readonly decline: string
  readonly cancel: string
}

export const poolSize = 256
const schemasPerPool = 8

interface Field {
  readonly name: string
  readonly schema: Readonly<Record<string, unknown>>
  readonly value: (random: Random) => string | number | boolean
}

const environments = ['development', 'staging', 'production']
const severities = ['low', 'medium', 'high', 'critical']

/** Ordered by the bytes they add, so that a small payload keeps the small ones. */
const fieldCatalogue: readonly Field[] = [
  { name: 'approved', schema: { type: 'boolean' }, value: (random) => random.uniform() < 0.5 },
  { name: 'retries', schema: { type: 'integer', minimum: 0, maximum: 9 }, value: (random) => random.below(10) },
  { name: 'reason', schema: { type: 'string', maxLength: 80 }, value: (random) => sentence(random, 40) },
  {
    name: 'confidence',
    schema: { type: 'number', minimum: 0, maximum: 1 },
    value: (random) => Math.round(random.uniform() * 1000) / 1000,
  },
  { name: 'severity', schema: { type: 'string', enum: severities }, value: (random) => pick(severities, random) },
  {
    name: 'environment',
    schema: { type: 'string', title: 'Where to deploy', enum: environments },
    value: (random) => pick(environments, random),
  },
  {
    name: 'owner',
    schema: { type: 'string', title: 'Responsible agent', minLength: 3, maxLength: 32 },
    value: (random) => `agent-${random.below(100_000)}`,
  },
  {
    name: 'notifyTeam',
    schema: { type: 'boolean', description: 'Tell the team when it is done', default: true },
    value: (random) => random.uniform() < 0.5,
  },
]

const words = (
  'please review the change of shared memory before the next phase starts and confirm whether the agent may ' +
  'continue with its deployment plan since two tests disagree about latency under load for this task'
).split(' ')

/** Non-Latin text, an escape and a supplementary character: what a careless transport breaks. */
const exotic = 'naïve – 確認 "so" \\ 🔦 '

/** `payloadBytes` is met exactly where it exceeds the smallest question (about 130 bytes), and is that size below. */
export function createBodyPool(seed: string, payloadBytes: number, size: number = poolSize): BodyPool {
  const random = seededRandom(`${seed}/bodies`)
  const variants = Array.from({ length: schemasPerPool }, () => drawFields(random, payloadBytes))
  const questions: string[] = []
  const accepts: string[] = []
  for (let index = 0; index < size; index++) {
    const fields = variants[index % variants.length] ?? []
    questions.push(question(fields, payloadBytes, index, random))
    const content: Record<string, string | number | boolean> = {}
    for (const field of fields) content[field.name] = field.value(random)
    accepts.push(JSON.stringify({ action: 'accept', content }))
  }
  return { questions, accepts, decline: '{"action":"decline"}', cancel: '{"action":"cancel"}' }
}

/** The body that answers question `bodyIndex` with the action of that index in `answerActions`. */
export function answerBody(pool: BodyPool, bodyIndex: number, action: number): string {
  if (action === 0) return pool.accepts[bodyIndex] ?? ''
  return action === 1 ? pool.decline : pool.cancel
}

function drawFields(random: Random, payloadBytes: number): Field[] {
  const limit = 1 + random.below(fieldCatalogue.length)
  const first = random.below(3)
  const chosen: Field[] = []
  for (let step = 0; step < fieldCatalogue.length && chosen.length < limit; step++) {
    const field = fieldCatalogue[(first + step) % fieldCatalogue.length]
    if (field === undefined) continue
    const wouldBe = render('', [...chosen, field])
    if (chosen.length === 0 || Buffer.byteLength(wouldBe) + 24 <= payloadBytes) chosen.push(field)
  }
  return chosen
}

function question(fields: readonly Field[], payloadBytes: number, index: number, random: Random): string {
  const room = payloadBytes - Buffer.byteLength(render('', fields))
  let message = `#${index} `
  const withExotic = message + exotic
  if (index % 16 === 5 && encodedBytes(withExotic) <= room) message = withExotic
  const missing = room - encodedBytes(message)
  return render(missing > 0 ? message + sentence(random, missing) : message, fields)
}

function render(message: string, fields: readonly Field[]): string {
  return JSON.stringify({
    message,
    requestedSchema: {
      type: 'object',
      properties: Object.fromEntries(fields.map((field) => [field.name, field.schema])),
      required: fields.map((field) => field.name),
    },
  })
}

/** Bytes of `text` inside a JSON string, without its quotes. */
function encodedBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2
}

/** ASCII words cut to exactly `length` characters. */
function sentence(random: Random, length: number): string {
  let text = pick(words, random)
  while (text.length < length) text += ` ${pick(words, random)}`
  return text.slice(0, length)
}

function pick(items: readonly string[], random: Random): string {
  return items[random.below(items.length)] ?? ''
}
