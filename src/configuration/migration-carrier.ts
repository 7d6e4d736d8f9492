/**
 * From flags of the command line to a migration that is carried on: the system it moves, where evidence is looked for, and what is told on the way.
 */
import { basename, join } from 'node:path'
import { openAdminClient } from './admin-target.ts'
import { planFile } from './plan-names.ts'
import { readAuthorities } from './server-files.ts'
import type { CarryFlagValues } from '../migration-command.ts'
import { BridgeSystem } from '../migration/bridge-system.ts'
import { beginMigration, isCarriedOn, JournalFollower, type OpenMigration } from '../migration/folders.ts'
import { HookSystem } from '../migration/hook-system.ts'
import type { JournalLine } from '../migration/journal.ts'
import { parsePlan } from '../migration/plan-file.ts'
import { planSha256, type MigrationPlan } from '../migration/plan.ts'
import { boundsOf, type Replay } from '../migration/replay.ts'
import { lookFor } from '../migration/requirements.ts'
import {
  isWaiting,
  longestActor,
  longestReason,
  textProblem,
  writeRequest,
  type PersonsRequest,
  type RequestKind,
} from '../migration/requests.ts'
import { MigrationRunner, type RunEnd, type RunnerParts } from '../migration/runner.ts'
import type { RollbackMode } from '../migration/state-machine.ts'
import type { MigratedSystem } from '../migration/system.ts'
import { chooseTrust } from '../certificates/trust-store.ts'
import { readDeclarationText } from '../measurement/declaration-file.ts'
import { writeDurably } from '../measurement/durable-write.ts'
import { collectEnvironment } from '../measurement/environment.ts'
import type { MigrationStatus } from '../measurement/migration-document.ts'
import { newMigrationId } from '../measurement/utc-time.ts'
import { delay, systemClock } from '../platform/clock.ts'
import { LighthouseError } from '../platform/errors.ts'
import { configurationFolder } from '../platform/process.ts'
import { freshSeed, seededRandom } from '../platform/random.ts'
import { eventText } from '../migration/event-text.ts'
import { renderIncident } from '../reports/incident-report.ts'
import { incidentsOf } from '../migration/incident.ts'

/** A plan and a bridge that disagree by more than this on the length of intervals do not fit. */
const intervalTolerance = 1.5
const takenWithinMs = 30_000
const lookEveryMs = 200
const followEveryMs = 1000

/** Throws LighthouseError('USAGE') that names what is missing. */
export function requestOf(
  type: RequestKind,
  flags: { readonly actor?: string | undefined; readonly reason?: string | undefined },
  mode: RollbackMode = 'full',
): PersonsRequest {
  const { actor, reason } = flags
  if (actor === undefined || reason === undefined)
    throw new LighthouseError('USAGE', `this needs ${actor === undefined ? '--actor' : '--reason'}`, {
      suggestions: ['Say who asks for it and why: --actor ada --reason "48 h without a miss".'],
    })
  for (const [name, value, longest] of [
    ['actor', actor, longestActor],
    ['reason', reason, longestReason],
  ] as const) {
    const problem = textProblem(value, longest)
    if (problem !== null) throw new LighthouseError('USAGE', `--${name} ${problem}`)
  }
  return { type, actor, reason, mode }
}

export interface Carrying {
  readonly signal: AbortSignal
  readonly tell: (line: string) => void
}

/** The system that a plan is about: its hooks, or the bridge that flags name. Checked before anything is begun. */
export async function openSystem(
  plan: MigrationPlan,
  flags: CarryFlagValues,
  migration: string | null = null,
): Promise<MigratedSystem> {
  const system = await systemOf(plan, flags, migration)
  try {
    const intervalMs = await system.intervalMs()
    const wantedMs = plan.evidence.intervalMs
    if (intervalMs !== null && Math.max(intervalMs / wantedMs, wantedMs / intervalMs) > intervalTolerance) {
      throw new LighthouseError(
        'USAGE',
        `the bridge measures intervals of ${intervalMs / 1000} s, and the plan is about intervals of ${wantedMs / 1000} s`,
        { suggestions: [`Start the bridge with --options observe=${wantedMs}ms, or change the plan's interval.`] },
      )
    }
    return system
  } catch (error) {
    await system.close()
    throw error
  }
}

async function systemOf(
  plan: MigrationPlan,
  flags: CarryFlagValues,
  migration: string | null,
): Promise<MigratedSystem> {
  const { hooks } = plan
  if (hooks !== null) {
    if (flags.url !== undefined)
      throw new LighthouseError('USAGE', '--url is about a bridge, and this plan has hooks', {
        suggestions: ['Leave --url out: the hooks of the plan say where its system is.'],
      })
    const ca = flags.ca === undefined ? null : readAuthorities(flags.ca)
    return new HookSystem({ hooks, boundsMs: boundsOf(plan), migration, ca })
  }
  const { client, url } = await openAdminClient(flags)
  return new BridgeSystem(client, url)
}

/** Calls every hook that changes nothing, so that what is wrong with one is found before anything is begun. */
async function tryHooks(system: MigratedSystem): Promise<void> {
  if (system.kind !== 'hooks') return
  const { healthy, reason } = await system.health(null)
  if (!healthy)
    throw new LighthouseError('ENGINE_UNREACHABLE', reason, {
      suggestions: ['A migration begins with a system that is healthy: make its health hook succeed first.'],
    })
  await system.whereabouts()
  await system.measure(null)
}

/** Until it ends or `signal` aborts. The lock is given back. */
export async function carryOn(
  open: OpenMigration,
  flags: CarryFlagValues,
  by: PersonsRequest,
  { signal, tell }: Carrying,
): Promise<RunEnd> {
  const { folder, journal, replay, lock } = open
  try {
    const system = await openSystem(replay.plan, flags, replay.begun.id)
    try {
      const runner = new MigrationRunner({ ...runnerParts(open, flags, by, tell), folder, journal, replay, system })
      const end = await runner.run(signal).catch((error: unknown) => {
        throw disarmed(error)
      })
      writeIncidents(open, tell)
      return end
    } finally {
      await system.close()
    }
  } finally {
    lock.release()
  }
}

/** A journal that cannot be written ends the process, and with it everything that watched. */
function disarmed(error: unknown): unknown {
  if (!(error instanceof LighthouseError) || error.code !== 'STORE') return error
  const { message, suggestions } = error
  const resume = 'Then take it up again, for until then no trip is armed: lighthouse migrate start --resume latest.'
  return new LighthouseError('STORE', message, { cause: error, suggestions: [...suggestions, resume] })
}

/** Of a runner, what does not depend on the migration. */
export function runnerParts(
  { replay, comparisons }: OpenMigration,
  flags: CarryFlagValues,
  by: Pick<PersonsRequest, 'actor' | 'reason'>,
  tell: (line: string) => void,
): Omit<RunnerParts, 'folder' | 'journal' | 'replay' | 'system'> {
  const clock = systemClock()
  return {
    clock,
    wait: delay,
    look: (requirements) =>
      lookFor(requirements, {
        ...placesOf(flags),
        wallMs: () => clock.wallMs(),
        compare: (requirement) => comparisons.find(requirement, replay.migration),
      }),
    by: { request: 'start', actor: by.actor, reason: by.reason },
    onLine: (line) => tellLine(line, tell),
    onNote: tell,
  }
}

function placesOf(flags: CarryFlagValues): Omit<Parameters<typeof lookFor>[1], 'wallMs'> {
  const trust = chooseTrust(configurationFolder(), {
    certificate: '',
    allowedSigners: flags['allowed-signers'],
    revokedKeys: undefined,
    fromFile: false,
  })
  const folders = (flags.evidence ?? 'runs,certificates').split(',').map((folder) => folder.trim())
  return { folders, trust, commit: flags.commit ?? null }
}

function tellLine(line: JournalLine, tell: (text: string) => void): void {
  const text = eventText(line)
  if (text !== null) tell(text)
}

/** One for each time that agents went back. */
export function writeIncidents({ folder, replay }: OpenMigration, tell: (line: string) => void): void {
  for (const incident of incidentsOf(replay)) {
    const file = join(folder, `incident-${incident.line}.md`)
    writeDurably(file, renderIncident(incident))
    tell(`incident report: ${file}`)
  }
}

/** Asks whoever carries it on; when nobody has taken it in time, it waits in the folder. */
export async function ask(folder: string, request: PersonsRequest, signal: AbortSignal): Promise<{ taken: boolean }> {
  const clock = systemClock()
  const id = writeRequest(folder, request, clock.wallMs(), seededRandom(freshSeed()))
  const untilNs = clock.nowNs() + takenWithinMs * 1e6
  while (isWaiting(folder, id)) {
    if (signal.aborted || clock.nowNs() > untilNs || !isCarriedOn(folder)) return { taken: !isWaiting(folder, id) }
    await delay(lookEveryMs, signal)
  }
  return { taken: true }
}

/** A plan's file as it was read, and what it says. */
export interface ReadPlan {
  readonly text: string
  readonly source: string
  readonly plan: MigrationPlan
}

export function readPlan(fileOrName: string): ReadPlan {
  const source = planFile(fileOrName)
  const text = readDeclarationText(source)
  return { text, source: basename(source), plan: parsePlan(text, source) }
}

/** Begins a migration by a plan; its system was reached before anything was written. Gives its folder. */
export async function beginFromFile(fileOrName: string, outputFolder: string, flags: CarryFlagValues): Promise<string> {
  const read = readPlan(fileOrName)
  const system = await openSystem(read.plan, flags)
  try {
    await tryHooks(system)
  } finally {
    await system.close()
  }
  return beginWith(read, outputFolder, system, flags.commit ?? null)
}

/** `commit`: of what is moved, or `here`: of this folder, if nothing in it differs. Gives the migration's folder. */
export async function beginWith(
  { text, source, plan }: ReadPlan,
  outputFolder: string,
  { kind, address }: Pick<MigratedSystem, 'kind' | 'address'>,
  commit: string | null,
): Promise<string> {
  const wallMs = systemClock().wallMs()
  const environment = await collectEnvironment('.')
  const own = environment.dirty.value === false ? environment.commit.value : null
  return beginMigration(outputFolder, {
    id: newMigrationId(wallMs, seededRandom(freshSeed())),
    plan: text,
    planSource: source,
    planSha256: planSha256(plan),
    system: { kind, address },
    lighthouse: environment.lighthouseVersion,
    commit: commit === 'here' ? own : commit,
    atWallMs: wallMs,
  })
}

/** Throws USAGE for a word that can change nothing. */
export function refuseWhatIsOver(status: MigrationStatus, { type, mode }: PersonsRequest): void {
  const refuse = (message: string, suggestion: string): never => {
    throw new LighthouseError('USAGE', message, { suggestions: [suggestion] })
  }
  if (status.status === 'rolledBack')
    refuse(`${status.id} was rolled back and stays so`, 'Start a new migration once the cause is mended.')
  if (type === 'approved' && status.status !== 'awaitingApproval')
    refuse(
      `${status.id} waits for nobody's approval now`,
      'Look at what its gates still need: lighthouse migrate status.',
    )
  if (type === 'approved' && status.paused) refuse(`${status.id} is paused`, 'Resume it first, then approve.')
  if (type === 'resumed' && !status.paused && status.status !== 'held')
    refuse(
      `${status.id} is neither paused nor held`,
      'To carry on one that nobody carries on: lighthouse migrate start --resume ID.',
    )
  if (type === 'paused' && status.status === 'completed')
    refuse(`${status.id} is completed; there is nothing to pause`, 'Trips stay armed until its time is over.')
  if (type === 'rollbackAsked' && mode === 'canary' && status.decisions.length === 0)
    refuse(`${status.id} has not begun`, 'Wait until it has.')
}

/** Asks for a rollback and tells what becomes of it until it is done. */
export async function askAndFollow(folder: string, request: PersonsRequest, carrying: Carrying): Promise<void> {
  const follower = new JournalFollower(folder)
  follower.next()
  const { taken } = await ask(folder, request, carrying.signal)
  if (!taken) {
    throw new LighthouseError('ENVIRONMENT', 'whoever carries the migration on has not taken it', {
      suggestions: ["It waits in the migration's folder. Stop that process, and ask again."],
    })
  }
  await follow(folder, follower, carrying, ({ decisions, steps }) => {
    const last = decisions.findLast(({ decision }) => decision.kind === 'rollBack')
    return last === undefined || steps.some(({ step }) => step.of === last.line && step.step === 'verified')
  })
}

/** Tells every line as it is written, until `isDone` of what stands there, or until nobody carries it on. */
export async function follow(
  folder: string,
  follower: JournalFollower,
  { signal, tell }: Carrying,
  isDone: (replay: Replay) => boolean,
): Promise<void> {
  while (!signal.aborted) {
    // Asked before it is read, so that its last lines are not missed.
    const carried = isCarriedOn(folder)
    for (const line of follower.next()) tellLine(line, tell)
    if (!carried || isDone(follower.replay)) return
    await delay(followEveryMs, signal)
  }
}
