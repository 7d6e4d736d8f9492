/**
 * The files a server and its clients share: the enrolment key, made on first use and readable by its owner only, and
 * the certificate and key of TLS. A secret never comes as a flag value: those show in process lists.
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
export const enrolmentKeyVariable = 'LIGHTHOUSE_ENROLMENT_KEY'

export interface EnrolmentKey {
  readonly key: string
  /** Set when this call made the file. */
  readonly note: string | null
}

export function defaultEnrolmentKeyFile(): string {
  return join(configurationFolder(), 'enrolment.key')
}

/** File, else environment, else the default file; a file that does not exist is made with a fresh key. */
export function readEnrolmentKey(file: string | undefined): EnrolmentKey {
  if (file === undefined && environmentVariable(enrolmentKeyVariable) !== undefined) {
    return { key: checked(takeSecret(enrolmentKeyVariable), enrolmentKeyVariable), note: null }
  }
  const path = file ?? defaultEnrolmentKeyFile()
  const made = makeKey(path)
  if (made !== null)
    return { key: made, note: `new enrolment key in ${path}; give this file to whoever may enrol agents` }
  return { key: existingEnrolmentKey(path), note: null }
}

/** For clients: nothing is made. Null when there is neither file nor variable. */
export function findEnrolmentKey(file: string | undefined): string | null {
  if (file !== undefined) return existingEnrolmentKey(file)
  if (environmentVariable(enrolmentKeyVariable) !== undefined)
    return checked(takeSecret(enrolmentKeyVariable), enrolmentKeyVariable)
  const data = readBoundedFile(defaultEnrolmentKeyFile(), maximumKeyBytes)
  return data === null ? null : checked(new TextDecoder().decode(data).trim(), defaultEnrolmentKeyFile())
}

function existingEnrolmentKey(path: string): string {
  return checked(readPem(path, '--enrolment-key-file', maximumKeyBytes).trim(), path)
}

function checked(key: string, source: string): string {
  if (key.length >= shortestKey && /^[\x21-\x7e]+$/.test(key)) return key
  throw new LighthouseError(
    'USAGE',
    `${source} holds no enrolment key: at least ${shortestKey} printable characters without spaces are needed`,
    {
      suggestions: ['Remove the file and start the server once: it makes a fresh key.'],
    },
  )
}

/** The new key, or null when the file exists. */
function makeKey(path: string): string | null {
  const key = randomBytes(32).toString('base64url')
  try {
    makeFolders(dirname(path), 0o700)
    writeFileSync(path, `${key}\n`, { flag: 'wx', mode: 0o600 })
    return key
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return null
    throw new LighthouseError('ENVIRONMENT', `the enrolment key cannot be written to ${path}`, {
      cause,
      suggestions: ['Name a file that can be written: --enrolment-key-file enrolment.key.'],
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
