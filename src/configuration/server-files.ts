/**
 * The files a server and its clients share: keys, made on first use and readable by their owner only, and the
 * certificate and key of TLS. A secret never comes as a flag value: those show in process lists.
 */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { readBoundedFile } from '../measurement/bounded-file.ts'
import { LighthouseError } from '../platform/errors.ts'
import { makeFolders } from '../platform/folders.ts'
import { configurationFolder, environmentVariable, takeSecret } from '../platform/process.ts'

const maximumKeyBytes = 4096
const maximumPemBytes = 1_048_576
const shortestKey = 16

/** What a key opens: enrolling agents, or changing the flags of a bridge. */
export type KeyPurpose = 'enrolment' | 'admin'

const variables = { enrolment: 'LIGHTHOUSE_ENROLMENT_KEY', admin: 'LIGHTHOUSE_ADMIN_KEY' } as const
const holders = { enrolment: 'may enrol agents', admin: 'may change flags' } as const

export interface ServerKey {
  readonly key: string
  /** Set when this call made the file. */
  readonly note: string | null
}

function defaultKeyFile(purpose: KeyPurpose): string {
  return join(configurationFolder(), `${purpose}.key`)
}

/** File, else environment, else the default file; a file that does not exist is made with a fresh key. */
export function readServerKey(purpose: KeyPurpose, file: string | undefined): ServerKey {
  const variable = variables[purpose]
  if (file === undefined && environmentVariable(variable) !== undefined) {
    return { key: checked(purpose, takeSecret(variable), variable), note: null }
  }
  const path = file ?? defaultKeyFile(purpose)
  const made = makeKey(purpose, path)
  if (made !== null)
    return { key: made, note: `new ${purpose} key in ${path}; give this file to whoever ${holders[purpose]}` }
  return { key: existingKey(purpose, path), note: null }
}

/** For clients: nothing is made. Null when there is neither file nor variable. */
export function findServerKey(purpose: KeyPurpose, file: string | undefined): string | null {
  if (file !== undefined) return existingKey(purpose, file)
  const variable = variables[purpose]
  if (environmentVariable(variable) !== undefined) return checked(purpose, takeSecret(variable), variable)
  const data = readBoundedFile(defaultKeyFile(purpose), maximumKeyBytes)
  return data === null ? null : checked(purpose, new TextDecoder().decode(data).trim(), defaultKeyFile(purpose))
}

function existingKey(purpose: KeyPurpose, path: string): string {
  return checked(purpose, readPem(path, `--${purpose}-key-file`, maximumKeyBytes).trim(), path)
}

function checked(purpose: KeyPurpose, key: string, source: string): string {
  if (key.length >= shortestKey && /^[\x21-\x7e]+$/.test(key)) return key
  throw new LighthouseError(
    'USAGE',
    `${source} holds no ${purpose} key: at least ${shortestKey} printable characters without spaces are needed`,
    {
      suggestions: ['Remove the file and start the server once: it makes a fresh key.'],
    },
  )
}

/** The new key, or null when the file exists. */
function makeKey(purpose: KeyPurpose, path: string): string | null {
  const key = randomBytes(32).toString('base64url')
  try {
    makeFolders(dirname(path), 0o700)
    writeFileSync(path, `${key}\n`, { flag: 'wx', mode: 0o600 })
    return key
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return null
    throw new LighthouseError('ENVIRONMENT', `the ${purpose} key cannot be written to ${path}`, {
      cause,
      suggestions: [`Name a file that can be written: --${purpose}-key-file ${purpose}.key.`],
    })
  }
}

export function readTls(
  certificateFile: string | undefined,
  keyFile: string | undefined,
): { certificate: string; key: string } | null {
  if (certificateFile === undefined && keyFile === undefined) return null
  if (certificateFile === undefined || keyFile === undefined) {
    throw new LighthouseError('USAGE', `${certificateFile === undefined ? '--tls-key' : '--tls-cert'} is given alone`, {
      suggestions: ['Give both --tls-cert and --tls-key, or neither.'],
    })
  }
  return {
    certificate: readPem(certificateFile, '--tls-cert', maximumPemBytes),
    key: readPem(keyFile, '--tls-key', maximumPemBytes),
  }
}

export function readAuthorities(file: string): string {
  return readPem(file, '--ca', maximumPemBytes)
}

function readPem(file: string, flag: string, maximumBytes: number): string {
  const data = readBoundedFile(file, maximumBytes)
  if (data !== null) return new TextDecoder().decode(data)
  throw new LighthouseError(
    'USAGE',
    `the file of ${flag}, ${file}, cannot be read or has more than ${maximumBytes} bytes`,
    {
      suggestions: ['Check the path and the permissions.'],
    },
  )
}
