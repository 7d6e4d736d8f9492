/**
 * From flags of the command line to the bridge that is spoken to, and to the change that is asked for.
 */
import type { BridgeFlagValues } from '../admin-flags.ts'
import type { AdminClient } from '../engines/bridge/admin-client.ts'
import type { Flags } from '../measurement/flags-document.ts'
import { LighthouseError } from '../platform/errors.ts'
import { findServerKey, readAuthorities } from './server-files.ts'

export const defaultBridgeUrl = 'http://127.0.0.1:8765'

/** Speaks to the bridge that flags name, and hangs up. */
export async function withBridge<T>(flags: BridgeFlagValues, speak: (client: AdminClient) => Promise<T>): Promise<T> {
  const { client } = await openAdminClient(flags)
  try {
    return await speak(client)
  } finally {
    await client.close()
  }
}

export async function openAdminClient(
  flags: BridgeFlagValues,
): Promise<{ readonly client: AdminClient; readonly url: string }> {
  const adminKey = findServerKey('admin', flags['admin-key-file'])
  if (adminKey === null) {
    throw new LighthouseError('USAGE', 'no admin key was given', {
      suggestions: ['Name the file that "lighthouse serve bridge" made or was given: --admin-key-file admin.key.'],
    })
  }
  const { AdminClient } = await import('../engines/bridge/admin-client.ts')
  const ca = flags.ca === undefined ? {} : { ca: readAuthorities(flags.ca) }
  const url = flags.url ?? defaultBridgeUrl
  return { client: new AdminClient({ url, adminKey, ...ca }), url }
}

export interface ChangeFlagValues {
  readonly enabled?: boolean | undefined
  readonly percentage?: number | undefined
  readonly 'opt-in'?: string | undefined
  readonly 'opt-out'?: string | undefined
  readonly fallback?: boolean | undefined
  readonly 'dual-mode'?: boolean | undefined
  readonly deprecation?: boolean | undefined
  readonly 'legacy-off'?: boolean | undefined
}

/** What was given. Throws LighthouseError('USAGE') when that is nothing. */
export function changeOf(flags: ChangeFlagValues): Partial<Flags> {
  const given: { [Name in keyof Flags]: Flags[Name] | undefined } = {
    enabled: flags.enabled,
    percentage: flags.percentage,
    optIn: namesOf(flags['opt-in']),
    optOut: namesOf(flags['opt-out']),
    fallback: flags.fallback,
    dualMode: flags['dual-mode'],
    deprecation: flags.deprecation,
    legacyOff: flags['legacy-off'],
  }
  const change = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  if (Object.keys(change).length > 0) return change
  throw new LighthouseError('USAGE', 'no flag is to be changed', {
    suggestions: ['Name one: --percentage 5, --enabled, --no-enabled, --opt-in a1,a2.'],
  })
}

function namesOf(text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined
  return text === 'none' ? [] : text.split(',').map((name) => name.trim())
}
