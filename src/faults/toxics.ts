/**
 * The model of a toxic: what a fault proxy may do to the connections that pass through it. Pure; nothing here
 * touches a socket or a timer.
 *
 * Names, attributes and defaults follow toxiproxy (`latency`, `bandwidth`, `slow_close`, `timeout`, `reset_peer`,
 * `slicer`, `limit_data`), with units in the names and milliseconds throughout. `black_hole`, `one_way`, `freeze`
 * and `corrupt` are additions for faults it does not have. Durations end at an hour, so that every due time fits a timer.
 */
import { LighthouseError } from '../platform/errors.ts'
import { nearestWord } from '../statistics/nearest-word.ts'

/** upstream: from the client to the server. downstream: from the server to the client. */
export const streams = ['upstream', 'downstream', 'both'] as const
export type Stream = (typeof streams)[number]
export type Direction = Exclude<Stream, 'both'>

interface Attribute {
  readonly min: number
  readonly max: number
  /** Taken when the attribute is not given; without one it must be given. */
  readonly fallback?: number
  /** A number with a fraction is allowed. */
  readonly fractional?: true
  readonly what: string
}

interface ToxicKind {
  readonly stream: Stream
  /** What `stream` may be. */
  readonly allowed: readonly Stream[]
  readonly attributes: Readonly<Record<string, Attribute>>
}

const longestMs = 3_600_000
const mostBytes = 1_000_000_000_000
const duration = (what: string, fallback?: number): Attribute => ({
  min: 0,
  max: longestMs,
  what,
  ...(fallback === undefined ? {} : { fallback }),
})
const bytes = (what: string, min: number): Attribute => ({ min, max: mostBytes, what })

const toxicKinds = {
  latency: {
    stream: 'downstream',
    allowed: streams,
    attributes: {
      latencyMs: duration('mean delay of each chunk'),
      jitterMs: duration('the delay is uniform in latencyMs ± jitterMs; at most latencyMs', 0),
    },
  },
  bandwidth: {
    stream: 'downstream',
    allowed: streams,
    attributes: { bytesPerSecond: bytes('rate of the line, per connection and direction', 1) },
  },
  slow_close: {
    stream: 'downstream',
    allowed: streams,
    attributes: { delayMs: duration('how long the end of the stream is held back') },
  },
  timeout: {
    stream: 'downstream',
    allowed: streams,
    attributes: {
      timeoutMs: duration('bytes are dropped, and the connection is closed after this time; 0: held for ever'),
    },
  },
  reset_peer: {
    stream: 'downstream',
    allowed: streams,
    attributes: { timeoutMs: duration('bytes are dropped, and both ends are reset this long after the first chunk') },
  },
  slicer: {
    stream: 'downstream',
    allowed: streams,
    attributes: {
      averageBytes: bytes('mean size of the pieces that chunks are cut into', 1),
      variationBytes: { ...bytes('sizes are uniform in averageBytes ± this; less than averageBytes', 0), fallback: 0 },
      delayMs: duration('time between two pieces', 0),
    },
  },
  limit_data: {
    stream: 'downstream',
    allowed: streams,
    attributes: { bytes: bytes('the connection is closed once so many bytes have passed in one direction', 0) },
  },
  black_hole: { stream: 'both', allowed: ['both'], attributes: {} },
  one_way: { stream: 'downstream', allowed: ['upstream', 'downstream'], attributes: {} },
  freeze: { stream: 'both', allowed: streams, attributes: {} },
  corrupt: {
    stream: 'downstream',
    allowed: streams,
    attributes: {
      chunkShare: { min: 0, max: 1, fractional: true, what: 'share of chunks in which one bit is flipped' },
    },
  },
} as const satisfies Readonly<Record<string, ToxicKind>>

export type ToxicType = keyof typeof toxicKinds
export const toxicTypes = Object.keys(toxicKinds) as readonly ToxicType[]

interface ToxicHead {
  /** Unique among the toxics of a proxy; default `<type>_<stream>`. */
  readonly name: string
  readonly stream: Stream
  /** Share of connections that the toxic applies to, 0 … 1; one draw per connection, for both directions. */
  readonly toxicity: number
}

type AttributesOf<T extends ToxicType> = { readonly [A in keyof (typeof toxicKinds)[T]['attributes']]: number }

/** A valid toxic; `type` tells which attributes it has. */
export type Toxic = { readonly [T in ToxicType]: ToxicHead & { readonly type: T } & AttributesOf<T> }[ToxicType]

/** What a caller writes: whatever has a default may be left out. */
export type ToxicInput = {
  readonly [T in ToxicType]: Partial<ToxicHead> & { readonly type: T } & Partial<AttributesOf<T>>
}[ToxicType]

/** True when no byte is lost, altered or cut off: what goes in comes out unchanged and in order, however late. */
export function isLossless(type: ToxicType): boolean {
  return ['latency', 'bandwidth', 'slow_close', 'slicer', 'freeze'].includes(type)
}

export function appliesTo(toxic: Toxic, direction: Direction): boolean {
  return toxic.stream === 'both' || toxic.stream === direction
}

/** Reads a plain object. Throws LighthouseError('USAGE') that names the toxic, the attribute and what is allowed. */
export function parseToxic(input: unknown): Toxic {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    fail(`a toxic is an object, not ${shown(input)}`, "Write it as { type: 'latency', latencyMs: 100 }.")
  }
  const given = new Map<string, unknown>(Object.entries(input).filter(([, value]) => value !== undefined))
  const type = typeOf(given.get('type'))
  const kind: ToxicKind = toxicKinds[type]
  const known = ['type', 'name', 'stream', 'toxicity', ...Object.keys(kind.attributes)]
  for (const key of given.keys()) {
    if (known.includes(key)) continue
    const guess = nearestWord(key, known)
    fail(
      `toxic ${type} has no attribute '${key.slice(0, 64)}'`,
      guess === null ? `Use: ${known.join(', ')}.` : `Did you mean '${guess}'?`,
    )
  }
  const stream = streamOf(type, kind, given.get('stream'))
  const name = nameOf(type, given.get('name') ?? `${type}_${stream}`)
  const share: Attribute = { min: 0, max: 1, fallback: 1, fractional: true, what: 'share of connections' }
  const toxic: Record<string, unknown> = {
    type,
    name,
    stream,
    toxicity: numberOf(type, 'toxicity', share, given.get('toxicity')),
  }
  for (const [attribute, bounds] of Object.entries(kind.attributes)) {
    toxic[attribute] = numberOf(type, attribute, bounds, given.get(attribute))
  }
  return consistent(toxic as unknown as Toxic)
}

function typeOf(value: unknown): ToxicType {
  const type = toxicTypes.find((known) => known === value)
  if (type !== undefined) return type
  if (value === undefined) fail('a toxic has no type', `Give type as one of: ${toxicTypes.join(', ')}.`)
  const guess = typeof value === 'string' ? nearestWord(value, toxicTypes) : null
  return fail(
    `there is no toxic ${shown(value)}`,
    guess === null ? `Give type as one of: ${toxicTypes.join(', ')}.` : `Did you mean '${guess}'?`,
  )
}

function streamOf(type: ToxicType, kind: ToxicKind, value: unknown): Stream {
  if (value === undefined) return kind.stream
  const stream = kind.allowed.find((allowed) => allowed === value)
  if (stream !== undefined) return stream
  const other = type === 'black_hole' ? ' One direction alone is one_way.' : ''
  const both = type === 'one_way' && value === 'both' ? ' Both directions are black_hole.' : ''
  return fail(
    `toxic ${type} cannot have stream ${shown(value)}`,
    `Give stream as ${kind.allowed.join(', ')}.${other}${both}`,
  )
}

function nameOf(type: ToxicType, value: unknown): string {
  if (typeof value === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(value)) return value
  return fail(
    `toxic ${type} cannot have the name ${shown(value)}`,
    'Use 1 to 64 letters, digits, dots, dashes or underscores.',
  )
}

function numberOf(type: ToxicType, name: string, attribute: Attribute, given: unknown): number {
  const { min, max } = attribute
  const value = given ?? attribute.fallback
  const allowed = `${attribute.fractional ? 'a number' : 'a whole number'} from ${min} to ${max}`
  if (value === undefined) fail(`toxic ${type} needs ${name}`, `Give ${name} as ${allowed}: ${attribute.what}.`)
  if (typeof value === 'number' && value >= min && value <= max && (attribute.fractional || Number.isInteger(value))) {
    return value
  }
  return fail(`toxic ${type} cannot have ${name} ${shown(value)}`, `Give ${name} as ${allowed}: ${attribute.what}.`)
}

function consistent(toxic: Toxic): Toxic {
  if (toxic.type === 'latency' && toxic.jitterMs > toxic.latencyMs) {
    fail(
      `toxic latency cannot have jitterMs ${toxic.jitterMs} above latencyMs ${toxic.latencyMs}`,
      'A delay cannot be negative: raise latencyMs or lower jitterMs.',
    )
  }
  if (toxic.type === 'slicer' && toxic.variationBytes >= toxic.averageBytes) {
    fail(
      `toxic slicer cannot have variationBytes ${toxic.variationBytes} with averageBytes ${toxic.averageBytes}`,
      'A piece has one byte or more: keep variationBytes below averageBytes.',
    )
  }
  return toxic
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 64)}'`
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value)
  return Array.isArray(value) ? 'a list' : `a value of type ${typeof value}`
}

function fail(message: string, suggestion: string): never {
  throw new LighthouseError('USAGE', message, { suggestions: [suggestion] })
}
