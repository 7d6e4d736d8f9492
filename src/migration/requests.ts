/**
 * What people ask of a migration: files in its folder, taken by whichever process watches it, in order.
 *
 * A request is written whole or not at all, and goes once it stands in the journal; who is killed in between takes it once. So a request
 * may be made while nobody watches, and counts as soon as somebody does.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { readBoundedFile } from '../measurement/bounded-file.ts'
import { ensureFolder, writeDurably } from '../measurement/durable-write.ts'
import type { Random } from '../platform/random.ts'
import { rollbackModes } from './state-machine.ts'

export const requestKinds = ['approved', 'paused', 'resumed', 'rollbackAsked'] as const
export type RequestKind = (typeof requestKinds)[number]

const printable = /^[^\p{Cc}\p{Cs}]+$/u
export const longestActor = 64
export const longestReason = 500
const shape = z.strictObject({
  type: z.enum(requestKinds),
  actor: z.string().max(longestActor).regex(printable),
  reason: z.string().max(longestReason).regex(printable),
  mode: z.enum(rollbackModes),
})
export type PersonsRequest = z.infer<typeof shape>

const folderName = 'requests'
const longestFile = 8192
/** More at once are left for the next look. */
const mostAtOnce = 100
const idPattern = /^\d{13}-[0-9a-z]{8}$/

/** What is wrong with a name or a reason; null when nothing is. */
export function textProblem(value: string, longest: number): string | null {
  if (value.trim() === '') return 'is empty'
  if (value.length > longest) return `is longer than ${longest} characters`
  return printable.test(value) ? null : 'has characters that cannot be printed'
}

/** Gives its id. Throws LighthouseError('RUN_DIRECTORY'). */
export function writeRequest(migrationFolder: string, request: PersonsRequest, wallMs: number, random: Random): string {
  const folder = join(migrationFolder, folderName)
  ensureFolder(folder)
  const id = `${String(wallMs).padStart(13, '0')}-${random
    .below(36 ** 6)
    .toString(36)
    .padStart(8, '0')}`
  writeDurably(join(folder, `${id}.json`), JSON.stringify(request))
  return id
}

/** In the order in which they were made. `request` is null for a file that is none. */
export function readRequests(
  migrationFolder: string,
): { readonly id: string; readonly request: PersonsRequest | null }[] {
  const folder = join(migrationFolder, folderName)
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch {
    return []
  }
  const ids = names.flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -5)] : []))
  return ids
    .filter((id) => idPattern.test(id))
    .sort()
    .slice(0, mostAtOnce)
    .map((id) => ({ id, request: readOne(join(folder, `${id}.json`)) }))
}

function readOne(file: string): PersonsRequest | null {
  const bytes = readBoundedFile(file, longestFile, { follow: false })
  if (bytes === null) return null
  try {
    const read = shape.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)))
    return read.success ? read.data : null
  } catch {
    return null
  }
}

export function removeRequest(migrationFolder: string, id: string): void {
  rmSync(join(migrationFolder, folderName, `${id}.json`), { force: true })
}

/** Whether nobody has taken it yet. */
export function isWaiting(migrationFolder: string, id: string): boolean {
  return existsSync(join(migrationFolder, folderName, `${id}.json`))
}
