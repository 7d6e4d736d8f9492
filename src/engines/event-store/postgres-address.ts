/**
 * Where a PostgreSQL store is: reads the URL by hand, so that nothing in it can overrule the time-outs and the durability
 * of the store (as `options=` would), and keeps the password out of every text that a person or a log may see.
 *
 * Parts that the URL leaves out come from PGUSER, PGPASSWORD, PGDATABASE and `~/.pgpass`, as with other clients.
 */
import { LighthouseError } from '../../platform/errors.ts'

export interface PostgresAddress {
  /** A name, an IP address, or the folder of a Unix socket. */
  readonly host: string
  readonly port: number
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  readonly ssl: false | { readonly rejectUnauthorized: boolean }
  /** For messages: without password. */
  readonly shown: string
  /** Blots the password out of a text. */
  redact(text: string): string
}

const form = 'postgresql://user:password@host:5432/database?sslmode=disable|require|verify-full'

/** The URL itself is never repeated: where a password is not percent-encoded, any part of it may hold the password. */
function refuse(what: string): never {
  throw new LighthouseError('USAGE', `The URL of the PostgreSQL store ${what}.`, {
    suggestions: [`Write it as ${form}, with special characters of user and password percent-encoded.`],
  })
}

function parse(text: string): URL {
  const url = URL.parse(text)
  if (url === null) return refuse('cannot be read')
  if (url.protocol !== 'postgresql:' && url.protocol !== 'postgres:') refuse('does not begin with postgresql://')
  const known = [...url.searchParams.keys()].every((key) => key === 'sslmode' || key === 'host')
  if (!known || url.hash !== '') refuse('may carry nothing but sslmode and host behind the database')
  if (/[/@]/.test(decode(url.pathname.slice(1)))) refuse('names no usable database')
  return url
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return refuse('is not percent-encoded correctly')
  }
}

function isLocal(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

/** `require` encrypts without knowing to whom, as everywhere in PostgreSQL; without a mode a remote server is verified. */
function sslOf(mode: string | null, host: string): PostgresAddress['ssl'] {
  switch (mode ?? (isLocal(host) ? 'disable' : 'verify-full')) {
    case 'disable':
      return false
    case 'require':
      return { rejectUnauthorized: false }
    case 'verify-full':
      return { rejectUnauthorized: true }
    default:
      return refuse('has an sslmode that is none of disable, require and verify-full')
  }
}

/** Throws LighthouseError('USAGE') for a URL that is not one of a PostgreSQL database. */
export function parsePostgresAddress(text: string): PostgresAddress {
  const url = parse(text)
  const host = url.searchParams.get('host') ?? decode(url.hostname).replace(/^\[(.*)\]$/, '$1')
  if (host === '') refuse('names no host')
  const user = decode(url.username)
  const password = decode(url.password)
  const database = decode(url.pathname.slice(1))
  const port = url.port === '' ? 5432 : Number(url.port)
  // Longest first: the encoded form may contain the decoded one.
  const secrets = [url.password, password].filter((secret) => secret !== '').sort((a, b) => b.length - a.length)
  const place = host.startsWith('/') ? `localhost:${port}` : `${url.hostname}:${port}`
  return {
    host,
    port,
    user: user === '' ? undefined : user,
    password: password === '' ? undefined : password,
    database: database === '' ? undefined : database,
    ssl: sslOf(url.searchParams.get('sslmode'), host),
    shown: `postgresql://${user === '' ? '' : `${encodeURIComponent(user)}@`}${place}/${encodeURIComponent(database)}`,
    redact: (message) => secrets.reduce((rest, secret) => rest.replaceAll(secret, '***'), message),
  }
}
