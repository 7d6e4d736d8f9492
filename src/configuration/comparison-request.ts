/**
 * From flags to a ComparisonRequest: reads the files that flags name (workload, targets, keys, authorities), and lets
 * given values win over the workload's and the profile's. Nothing is started or written here.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Settings } from '../command-flags.ts'
import { parseWorkload } from '../load/workload-file.ts'
import type { Pacing, Pattern, Workload } from '../load/round-plan.ts'
import { readClaimsFile } from '../measurement/claims-file.ts'
import { readTargetsFile } from '../measurement/targets-file.ts'
import type { Durability } from '../measurement/vocabulary.ts'
import { LighthouseError } from '../platform/errors.ts'
import { shippedFile } from '../platform/modules.ts'
import { freshSeed } from '../platform/random.ts'
import { planArms, type ArmSpec } from '../suites/comparison-plan.ts'
import type { ComparisonRequest } from '../suites/run-comparison.ts'
import { findServerKey, readAuthorities } from './server-files.ts'

export interface ComparisonFlags {
  readonly agents?: number | undefined
  readonly rate?: number | undefined
  readonly deadline?: number | undefined
  readonly pattern?: string | undefined
  readonly workload?: string | undefined
  readonly 'payload-bytes'?: number | undefined
  readonly pacing?: string | undefined
  readonly seed?: string | undefined
  readonly transport?: string | undefined
  readonly durability?: string | undefined
  readonly 'polling-url'?: string | undefined
  readonly 'elicitation-url'?: string | undefined
  readonly ca?: string | undefined
  readonly 'enrolment-key-file'?: string | undefined
  readonly targets?: string | undefined
  readonly output?: string | undefined
  readonly 'time-budget'?: number | undefined
}

export function comparisonRequest(
  flags: ComparisonFlags,
  settings: Settings,
  projectFolder: string,
  leastEngines = 2,
): ComparisonRequest {
  const arms = planArms(
    settings.engines.map((spec) => withUrl(spec, flags)),
    leastEngines,
  )
  const remote = arms.some(({ url }) => url !== undefined)
  return {
    profile: settings.profile,
    arms,
    workload: workloadOf(flags, settings),
    rounds: settings.rounds,
    minimumRounds: settings.minimumRounds,
    roundDurationMs: settings.roundDurationMs,
    warmupMs: settings.warmupMs,
    pacing: (flags.pacing ?? 'timer') as Pacing,
    host: settings.host,
    transport: flags.transport === 'sse' ? 'sse' : 'websocket',
    durability: (flags.durability ?? 'os') as Durability,
    seed: flags.seed ?? freshSeed(),
    targets: targetsOf(flags.targets),
    claims: {
      source: 'fixtures/claims.yaml',
      items: readClaimsFile(fileURLToPath(shippedFile('fixtures/claims.yaml'))),
    },
    ownEnrolmentKey: randomBytes(32).toString('base64url'),
    remoteEnrolmentKey: remote ? findServerKey('enrolment', flags['enrolment-key-file']) : null,
    timeBudgetMs: flags['time-budget'] ?? null,
    outputFolder: flags.output ?? 'runs',
    projectFolder,
    ...(flags.ca === undefined ? {} : { ca: readAuthorities(flags.ca) }),
  }
}

function withUrl(spec: ArmSpec, flags: ComparisonFlags): ArmSpec {
  const url =
    spec.name === 'polling' ? flags['polling-url'] : spec.name === 'elicitation' ? flags['elicitation-url'] : undefined
  return url === undefined ? spec : { ...spec, url }
}

/** The file's values, over them the profile's where the file says nothing, over them what was given. */
function workloadOf(flags: ComparisonFlags, settings: Settings): Workload {
  const base = flags.workload === undefined ? null : parseWorkload(...workloadText(flags.workload))
  const agents = flags.agents ?? base?.agents ?? settings.agents
  const workload: Workload = {
    name: base?.name ?? flags.pattern ?? 'pairs',
    agents,
    ratePerSecond: flags.rate ?? base?.ratePerSecond ?? settings.ratePerSecond,
    pattern: (flags.pattern as Pattern | undefined) ?? base?.pattern ?? 'pairs',
    arrivals: base?.arrivals ?? 'poisson',
    payloadBytes: flags['payload-bytes'] ?? base?.payloadBytes ?? 300,
    answers: base?.answers ?? { accept: 0.9, decline: 0.08, cancel: 0.02 },
    deadlineMs: flags.deadline ?? base?.deadlineMs ?? settings.deadlineMs,
  }
  if (workload.pattern === 'pairs' && agents % 2 !== 0) {
    throw new LighthouseError('USAGE', `the pattern pairs needs an even number of agents, not ${agents}`, {
      suggestions: [`Use --agents ${agents + 1}, or --pattern ring.`],
    })
  }
  return workload
}

/** A bare name is one of the shipped workloads; anything with a dot or a slash is a file. */
export function workloadText(
  nameOrFile: string,
  shipped: readonly string[] = ['pairs', 'ring'],
): [text: string, file: string] {
  const isName = /^[a-z0-9-]+$/.test(nameOrFile)
  const path = isName ? fileURLToPath(shippedFile(`fixtures/workloads/${nameOrFile}.yaml`)) : nameOrFile
  try {
    return [readFileSync(path, 'utf8'), nameOrFile]
  } catch (cause) {
    throw new LighthouseError('USAGE', `the workload ${nameOrFile} cannot be read`, {
      cause,
      suggestions: [
        isName
          ? `Shipped workloads are ${shipped.join(', ')}; a file needs its ending, e.g. mine.yaml.`
          : 'Check the path.',
      ],
    })
  }
}

function targetsOf(file: string | undefined): ComparisonRequest['targets'] {
  if (file === undefined) {
    const shipped = 'fixtures/targets/readiness.yaml'
    return { source: shipped, items: readTargetsFile(fileURLToPath(shippedFile(shipped))) }
  }
  // The folder is left out: a run directory names no path of the machine it was made on.
  return { source: basename(file), items: readTargetsFile(file) }
}
