/**
 * The flags of commands that put load on engines: one record, spread into a command's `static flags`, so that a
 * flag means the same everywhere. Sizes without a value here come from the profile
 * (`configuration/profiles.ts`); `readSettings` brings both together.
 */
import {
  choiceFlag,
  defaultOnFlag,
  durationFlag,
  numberFlag,
  switchFlag,
  textFlag,
  urlFlag,
  wholeFlag,
} from './configuration/flags.ts'
import { parseEngineSpecs, type EngineSpec } from './configuration/engine-specs.ts'
import { engineHosts, profileNames, resolveProfile, type ResolvedProfile } from './configuration/profiles.ts'
import { parseSeed } from './configuration/values.ts'
import { engineNames } from './engines/registry.ts'
import { pacings, patterns } from './load/round-plan.ts'
import { durabilities } from './measurement/vocabulary.ts'

const size = 'SIZE'
const load = 'LOAD'
const engine = 'ENGINE'
const verdict = 'VERDICT'
const output = 'OUTPUT'

/** The largest delay of a timer. */
const longestTimerMs = 2_147_483_647
const day = 86_400_000

export const defaultEngines = 'polling,elicitation'

export const profileFlag = {
  profile: choiceFlag(
    'profile',
    { summary: 'Size of the run, filling in whatever is not given (default standard)', example: 'smoke', group: size },
    profileNames,
  ),
}

export const comparisonFlags = {
  ...profileFlag,
  agents: wholeFlag(
    'agents',
    { summary: 'Agents that take part', example: '1e3', group: size },
    { min: 2, max: 1_000_000 },
  ),
  rate: numberFlag(
    'rate',
    { summary: 'Exchanges offered per second', example: '500', group: size },
    { min: 0.1, max: 1_000_000 },
  ),
  rounds: wholeFlag(
    'rounds',
    { summary: 'Measured rounds per engine, interleaved', example: '20', group: size },
    { min: 1, max: 1000 },
  ),
  'round-duration': durationFlag(
    'round-duration',
    { summary: 'Length of a round', example: '30s', group: size },
    { min: 100, max: 7 * day },
  ),
  warmup: durationFlag(
    'warmup',
    { summary: 'Load before the first measured round, not counted', example: '2s', group: size },
    { min: 0, max: day },
  ),
  deadline: durationFlag(
    'deadline',
    { summary: 'After this an exchange counts as timed out', example: '5s', group: size },
    { min: 10, max: longestTimerMs },
  ),
  'time-budget': durationFlag(
    'time-budget',
    { summary: 'The run may not take longer than this', example: '10m', group: size },
    { min: 1000, max: 31 * day },
  ),

  pattern: choiceFlag('pattern', { summary: 'Who asks whom (default pairs)', example: 'ring', group: load }, patterns),
  workload: textFlag(
    'workload',
    { summary: 'Workload by name or file; flags override its values', example: 'workload.yaml', group: load },
    '<name|file>',
  ),
  'payload-bytes': wholeFlag(
    'payload-bytes',
    { summary: 'Size of a question', example: '2000', group: load },
    { min: 0, max: 1_000_000 },
  ),
  pacing: choiceFlag(
    'pacing',
    {
      summary: 'How the load waits for its next send: spin needs a spare core (default timer)',
      example: 'spin',
      group: load,
    },
    pacings,
  ),
  seed: textFlag(
    'seed',
    {
      summary: 'Every random draw of the run derives from it (default: a fresh one, printed)',
      example: '7f3a',
      group: load,
    },
    '<seed>',
    parseSeed,
  ),

  engines: textFlag(
    'engines',
    {
      summary: `Engines with options, baseline first, candidate last (default ${defaultEngines})`,
      example: 'polling:interval=100,elicitation',
      group: engine,
    },
    '<list>',
    (input) => {
      parseEngineSpecs(input, engineNames)
      return input
    },
  ),
  host: choiceFlag(
    'host',
    {
      summary: 'Where engines and load run: a thread or a child process each',
      example: 'process',
      group: engine,
    },
    engineHosts,
  ),
  transport: choiceFlag(
    'transport',
    { summary: 'How the elicitation engine is reached (default websocket)', example: 'sse', group: engine },
    ['websocket', 'sse'],
  ),
  durability: choiceFlag(
    'durability',
    { summary: 'What an acknowledgement promises of the store (default os)', example: 'fsync', group: engine },
    durabilities,
  ),
  'polling-url': urlFlag('polling-url', {
    summary: 'A running polling engine instead of one of our own',
    example: 'http://127.0.0.1:8081',
    group: engine,
  }),
  'elicitation-url': urlFlag('elicitation-url', {
    summary: 'A running elicitation engine instead of one of our own',
    example: 'https://bridge.example:8443',
    group: engine,
  }),
  ca: textFlag(
    'ca',
    { summary: 'PEM file of certificate authorities to trust for https and wss', example: 'ca.pem', group: engine },
    '<file>',
  ),
  'enrolment-key-file': textFlag(
    'enrolment-key-file',
    { summary: 'File that holds the key with which agents enrol', example: 'enrolment.key', group: engine },
    '<file>',
  ),

  targets: textFlag(
    'targets',
    { summary: 'Targets to judge by (default: the readiness targets)', example: 'targets.yaml', group: verdict },
    '<file>',
  ),
  'allow-conditional': switchFlag('allow-conditional', {
    summary: 'Exit 0 instead of 20 when CONDITIONALLY_APPROVED',
    example: '',
    group: verdict,
  }),
  certificate: defaultOnFlag('certificate', {
    summary: 'Issue a signed certificate of the run',
    example: '',
    group: verdict,
  }),
  key: textFlag(
    'key',
    { summary: 'Signing key of the certificate, a file or env://NAME', example: 'signing.pem', group: verdict },
    '<file|env://NAME>',
  ),

  output: textFlag(
    'output',
    { summary: 'Folder in which the run directory is made (default runs)', example: 'results', group: output },
    '<folder>',
  ),
  'dry-run': switchFlag('dry-run', {
    summary: 'Print plan, duration and disk use; start nothing',
    example: '',
    group: output,
  }),
}

/** The parsed values of the flags that size a run or name its engines. */
export interface GivenSettings {
  readonly profile?: string | undefined
  readonly agents?: number | undefined
  readonly rate?: number | undefined
  readonly rounds?: number | undefined
  readonly 'round-duration'?: number | undefined
  readonly warmup?: number | undefined
  readonly deadline?: number | undefined
  readonly host?: string | undefined
  readonly 'time-budget'?: number | undefined
  readonly engines?: string | undefined
}

export interface Settings extends ResolvedProfile {
  readonly engines: readonly EngineSpec[]
}

/** Flags over profile values; the engines parsed, in the order given. */
export function readSettings(flags: GivenSettings): Settings {
  const profile = profileNames.find((name) => name === flags.profile) ?? 'standard'
  const resolved = resolveProfile(profile, {
    agents: flags.agents,
    ratePerSecond: flags.rate,
    rounds: flags.rounds,
    roundDurationMs: flags['round-duration'],
    warmupMs: flags.warmup,
    deadlineMs: flags.deadline,
    host: engineHosts.find((host) => host === flags.host),
    timeBudgetMs: flags['time-budget'],
  })
  return { ...resolved, engines: parseEngineSpecs(flags.engines ?? defaultEngines, engineNames) }
}
