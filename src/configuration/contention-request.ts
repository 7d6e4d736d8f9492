/**
 * From flags to a ContentionRequest: the stores, where the server is, and the sizes of the three profiles with given values over
 * them. A password comes from PGPASSWORD or from `~/.pgpass`, never from a flag.
 */
import { fileURLToPath } from 'node:url'
import type { Settings } from '../command-flags.ts'
import { parsePostgresAddress } from '../engines/event-store/postgres-address.ts'
import { readTargetsFile } from '../measurement/targets-file.ts'
import { LighthouseError } from '../platform/errors.ts'
import { shippedFile } from '../platform/modules.ts'
import { environmentVariable } from '../platform/process.ts'
import type { PlannedArm } from '../suites/comparison-plan.ts'
import type { ContentionSizes } from '../suites/contention.ts'
import type { ContentionRequest } from '../suites/run-contention.ts'
import { storeNames } from '../suites/store-options.ts'
import { comparisonRequest, type ComparisonFlags } from './comparison-request.ts'
import { parseEngineSpecs } from './engine-specs.ts'
import type { ProfileName } from './profiles.ts'

/** The seeds' levels. */
const writers = [10, 50, 100, 200]
const ratePerWriterPerSecond = 10
const poolWriters = 50

const sizes: Readonly<Record<ProfileName, ContentionSizes & { readonly warmupMs: number }>> = {
  smoke: {
    writers: [10, 200],
    ratePerWriterPerSecond,
    rounds: 3,
    roundDurationMs: 600,
    fullQuantiles: false,
    pools: [5, 20],
    poolWriters,
    poolRounds: 1,
    poolRoundDurationMs: 600,
    probes: 0,
    probeDurationMs: 500,
    warmupMs: 300,
  },
  standard: {
    writers,
    ratePerWriterPerSecond,
    rounds: 6,
    roundDurationMs: 3000,
    fullQuantiles: true,
    pools: [5, 10, 20, 50, 100],
    poolWriters,
    poolRounds: 3,
    poolRoundDurationMs: 2000,
    probes: 6,
    probeDurationMs: 1500,
    warmupMs: 1000,
  },
  full: {
    writers,
    ratePerWriterPerSecond,
    rounds: 10,
    roundDurationMs: 30_000,
    fullQuantiles: true,
    pools: [5, 10, 20, 50, 100],
    poolWriters: 100,
    poolRounds: 6,
    poolRoundDurationMs: 10_000,
    probes: 10,
    probeDurationMs: 5000,
    warmupMs: 5000,
  },
}

const embeddedStores = 'sqlite:batching=off,sqlite'

/** A round on a server takes half a second around it, so a smoke run leaves out the comparison of its batching. */
function defaultStores(profile: ProfileName, server: boolean): string {
  if (!server) return embeddedStores
  return profile === 'smoke' ? 'sqlite,postgres' : 'sqlite,postgres:batching=off,postgres'
}

export interface ContentionFlags extends ComparisonFlags {
  readonly stores?: string | undefined
  readonly store?: string | undefined
  readonly 'start-postgres': boolean
  readonly writers?: string | undefined
  readonly 'rate-per-writer'?: number | undefined
  readonly pools?: string | undefined
  readonly 'pool-writers'?: number | undefined
  readonly probes?: number | undefined
  readonly rounds?: number | undefined
  readonly 'round-duration'?: number | undefined
  readonly warmup?: number | undefined
}

/** Throws USAGE for a URL with a password, a store that does not exist, and durability memory. */
export function contentionRequest(
  flags: ContentionFlags,
  settings: Settings,
  projectFolder: string,
): ContentionRequest {
  const { warmupMs, ...profile } = sizes[settings.profile]
  const { rounds: _rounds, roundDurationMs: _duration, ...shared } = comparisonRequest(flags, settings, projectFolder)
  const { durability } = shared
  if (durability === 'memory') {
    throw new LighthouseError('USAGE', 'contention asks about stores on a disk, and durability memory has none', {
      suggestions: ['Use --durability os or fsync.'],
    })
  }
  const storeUrl = flags.store === undefined ? null : withPassword(flags.store)
  const server = storeUrl !== null || flags['start-postgres']
  const rounds = flags.rounds ?? profile.rounds
  const source = 'fixtures/targets/contention.yaml'
  return {
    ...shared,
    durability,
    storeUrl,
    startPostgres: flags['start-postgres'],
    arms: planStores(flags.stores ?? defaultStores(settings.profile, server)),
    warmupMs: flags.warmup ?? warmupMs,
    workload: {
      ...shared.workload,
      name: 'writers',
      // Whom a writer writes to is the suite's own: the reader of its inbox.
      pattern: 'ring',
      answers: { accept: 1, decline: 0, cancel: 0 },
    },
    targets:
      flags.targets === undefined
        ? { source, items: readTargetsFile(fileURLToPath(shippedFile(source))) }
        : shared.targets,
    minimumRounds: settings.profile === 'smoke' ? 3 : Math.min(6, rounds),
    sizes: {
      ...profile,
      writers: flags.writers === undefined ? profile.writers : parseNumbers(flags.writers, 'writers'),
      ratePerWriterPerSecond: flags['rate-per-writer'] ?? profile.ratePerWriterPerSecond,
      rounds,
      roundDurationMs: flags['round-duration'] ?? profile.roundDurationMs,
      pools: flags.pools === undefined ? profile.pools : parseNumbers(flags.pools, 'pools'),
      poolWriters: flags['pool-writers'] ?? profile.poolWriters,
      probes: flags.probes ?? profile.probes,
    },
  }
}

function planStores(text: string): PlannedArm[] {
  const specs = parseEngineSpecs(text, storeNames)
  return specs.map((spec, index) => ({ ...spec, role: index === specs.length - 1 ? 'candidate' : 'baseline' }))
}

/** The URL with the password of the environment, so that processes without that environment can use it. */
function withPassword(text: string): string {
  const address = parsePostgresAddress(text)
  if (address.password !== undefined) {
    throw new LighthouseError(
      'USAGE',
      'the URL of the PostgreSQL store holds a password, which others could then read',
      {
        suggestions: ['Leave it out, and set PGPASSWORD or write it into ~/.pgpass.'],
      },
    )
  }
  const password = environmentVariable('PGPASSWORD')
  if (password === undefined || address.user === undefined) return text
  const url = new URL(text)
  url.password = encodeURIComponent(password)
  return url.href
}

/** `10,50,100`; `0` alone is the empty list. Throws USAGE for anything that is not a list of whole numbers. */
export function parseNumbers(text: string, flag: string): number[] {
  if (text.trim() === '0') return []
  return text.split(',').map((part) => {
    const value = Number(part.trim())
    if (/^\s*\d{1,6}\s*$/.test(part) && value >= 1) return value
    throw new LighthouseError('USAGE', `'${part.slice(0, 64)}' in --${flag} is not a whole number above 0`, {
      suggestions: [`Separate numbers by commas: --${flag} 10,50,100.`],
    })
  })
}
