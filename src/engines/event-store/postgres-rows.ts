/**
 * Rows between a `RowBatch` and PostgreSQL. A batch becomes one array per column in the server's binary form (dimension
 * header, then length and bytes of each element; `array_recv` in src/backend/utils/adt/arrayfuncs.c), so nothing is
 * escaped, bodies do not double in size as hex, and the batch is copied before the call returns.
 *
 * PostgreSQL's text holds neither NUL nor half a surrogate pair. Bodies hold both, as in the embedded store: they are
 * kept as bytes with their form beside them. Names are refused with them, since no engine makes such names.
 */
import { LighthouseError } from '../../platform/errors.ts'
import type { RowBatch, StoredEvent } from './event-store.ts'

/** How a body is kept: as given, as UTF-8, or as UTF-16 where UTF-8 would alter a half surrogate pair. */
const forms = { bytes: 0, utf8: 1, utf16: 2 } as const

/** Type numbers of pg_type, which are part of the protocol and do not change. */
const types = { bytea: 17, int2: 21, int4: 23, text: 25, float8: 701 } as const

export const eventColumns = 'sequence, agent, source, kind, exchange, form, body, produced_at_ms'
/** The order of `batchParameters`, as a list of parameters from $`first` on. */
export function batchPlaceholders(first: number): string {
  return ['text[]', 'text[]', 'int4[]', 'text[]', 'int2[]', 'bytea[]', 'float8[]']
    .map((type, index) => `$${first + index}::${type}`)
    .join(', ')
}

function isStorableName(name: string): boolean {
  return name.isWellFormed() && !name.includes('\0')
}

/** Throws LighthouseError('STORE') for a row that PostgreSQL cannot hold unaltered. */
export function checkRow(agent: string, source: string, kind: number, exchange: string): void {
  const wrong = !isStorableName(agent)
    ? 'agent'
    : !isStorableName(source)
      ? 'source'
      : !isStorableName(exchange)
        ? 'exchange'
        : kind !== (kind | 0)
          ? 'kind'
          : null
  if (wrong === null) return
  throw new LighthouseError('STORE', `Cannot store a row: PostgreSQL cannot hold its ${wrong} unaltered.`, {
    suggestions: ['Use names without NUL and half surrogate pairs, and kinds of 32 bits; no row was stored.'],
  })
}

/** `write` puts element `index` at `offset` and returns the next offset; `bytes` is the sum of the elements' lengths. */
function binaryArray(
  type: number,
  count: number,
  bytes: number,
  write: (buffer: Buffer, index: number, offset: number) => number,
): Buffer {
  const buffer = Buffer.allocUnsafe(20 + count * 4 + bytes)
  buffer.writeInt32BE(1, 0)
  buffer.writeInt32BE(0, 4)
  buffer.writeInt32BE(type, 8)
  buffer.writeInt32BE(count, 12)
  buffer.writeInt32BE(1, 16)
  let offset = 20
  for (let index = 0; index < count; index++) {
    const end = write(buffer, index, offset + 4)
    buffer.writeInt32BE(end - offset - 4, offset)
    offset = end
  }
  return buffer
}

function textArray(values: readonly string[]): Buffer {
  let bytes = 0
  for (const value of values) bytes += Buffer.byteLength(value)
  return binaryArray(types.text, values.length, bytes, (buffer, index, offset) => {
    return offset + buffer.write(values[index] as string, offset)
  })
}

function bodyForm(body: string | Uint8Array): number {
  if (typeof body !== 'string') return forms.bytes
  return body.isWellFormed() ? forms.utf8 : forms.utf16
}

function bodyArrays(bodies: readonly (string | Uint8Array)[]): [forms: Buffer, bodies: Buffer] {
  const formOf = bodies.map(bodyForm)
  const encodings = ['latin1', 'utf8', 'utf16le'] as const
  let bytes = 0
  for (const [index, body] of bodies.entries()) {
    bytes += typeof body === 'string' ? Buffer.byteLength(body, encodings[formOf[index] ?? 0]) : body.byteLength
  }
  return [
    binaryArray(types.int2, bodies.length, bodies.length * 2, (buffer, index, offset) =>
      buffer.writeInt16BE(formOf[index] as number, offset),
    ),
    binaryArray(types.bytea, bodies.length, bytes, (buffer, index, offset) => {
      const body = bodies[index] as string | Uint8Array
      if (typeof body === 'string') return offset + buffer.write(body, offset, encodings[formOf[index] ?? 0])
      buffer.set(body, offset)
      return offset + body.byteLength
    }),
  ]
}

/** Rows `from` … `to`−1 as parameters: agents, sources, kinds, exchanges, forms, bodies, produced at (ms). */
export function batchParameters(batch: RowBatch, from: number, to: number): Buffer[] {
  const count = to - from
  const agents = batch.agents.slice(from, to)
  const sources = batch.sources.slice(from, to)
  const kinds = batch.kinds.slice(from, to)
  const exchanges = batch.exchanges.slice(from, to)
  const times = batch.producedAtMs.slice(from, to)
  for (let index = 0; index < count; index++) {
    checkRow(agents[index] as string, sources[index] as string, kinds[index] as number, exchanges[index] as string)
  }
  return [
    textArray(agents),
    textArray(sources),
    binaryArray(types.int4, count, count * 4, (buffer, index, offset) =>
      buffer.writeInt32BE(kinds[index] as number, offset),
    ),
    textArray(exchanges),
    ...bodyArrays(batch.bodies.slice(from, to)),
    binaryArray(types.float8, count, count * 8, (buffer, index, offset) =>
      buffer.writeDoubleBE(times[index] as number, offset),
    ),
  ]
}

/** A row of `eventColumns` as the driver gives it: eight-byte integers as text, bytes as a Buffer. */
export interface EventRow {
  readonly sequence: string
  readonly agent: string
  readonly source: string
  readonly kind: number
  readonly exchange: string
  readonly form: number
  readonly body: Buffer
  readonly produced_at_ms: number
}

export function toEvent(row: EventRow): StoredEvent {
  const { form, body } = row
  return {
    sequence: Number(row.sequence),
    agent: row.agent,
    source: row.source,
    kind: row.kind,
    exchange: row.exchange,
    body: form === forms.bytes ? new Uint8Array(body) : body.toString(form === forms.utf8 ? 'utf8' : 'utf16le'),
    producedAtMs: row.produced_at_ms,
  }
}
