/**
 * The meaning check of a migration, from bytes that are authenticated already: the journal's chain holds, the plan has its digest, every
 * decision and every count is come to again, the rounds of the account add up, and the certificate's own decision follows by the rules.
 *
 * Which of the three forms a journal calls for is decided here too: what became of the agents last. They went back: `rollback`. The migration
 * is over: `migration`. A phase was left with its gates met: `canary`. None of these: `migration`, which then says that it is not over.
 */
import { largestAccountBytes, parseAccount, totalOf } from '../measurement/migration-account.ts'
import { LighthouseError } from '../platform/errors.ts'
import { incidentsOf } from '../migration/incident.ts'
import { readJournalBytes } from '../migration/journal.ts'
import type { Replay } from '../migration/replay.ts'
import { stepsOf } from '../migration/status.ts'
import { accountEvidence, isMigrationPath, journalEvidence, limits, type MigrationKind } from './format.ts'
import { meaningDiffers } from './meaning.ts'
import {
  approvedVisit,
  type AccountFacts,
  type MigrationFacts,
  type MigrationMeaning,
  type PersonsWord,
  type Visit,
} from './migration-facts.ts'
import { judgeMigration } from './migration-rules.ts'
import { JournalWalk } from './migration-walk.ts'
import { parseStrictJson } from './strict-json.ts'

/** The last moment that a date of four digits can name. */
const latestWallMs = 253_402_300_799_999

export interface WantedForm {
  readonly kind: MigrationKind
  /** Of a canary. */
  readonly phase: string | null
}

/** `files` by path relative to the evidence folder. Throws MEANING_DIFFERS that names the first difference. */
export function checkMigrationMeaning(
  files: ReadonlyMap<string, Uint8Array>,
  wanted: WantedForm | ((walked: Walked) => WantedForm),
): MigrationMeaning {
  const stranger = [...files.keys()].find((path) => !isMigrationPath(path))
  if (stranger !== undefined) throw journalDiffers(`${stranger} is no evidence of a migration`)
  const bytes = files.get(journalEvidence)
  if (bytes === undefined) throw journalDiffers(`${journalEvidence} is missing from the evidence`)
  const walk = attempt(() => walkJournal(bytes))
  const accountBytes = files.get(accountEvidence)
  const account = accountBytes === undefined ? null : attempt(() => accountFacts(accountBytes, walk.replay.begun.id))
  const form = typeof wanted === 'function' ? wanted(walk) : wanted
  const problem = formProblem(form, walk)
  if (problem !== null) throw journalDiffers(problem)
  const migration = factsOf(walk, form, account)
  return { migration, judged: judgeMigration(migration) }
}

/** What of a walk says which form fits. */
export interface Walked {
  readonly sentBack: boolean
  readonly visits: readonly Visit[]
  readonly replay: Pick<Replay, 'migration'>
}

/** By what became of the agents last. */
export function formOf({ sentBack, visits, replay: { migration } }: Walked): MigrationKind {
  if (sentBack) return 'rollback'
  if (migration.isOver) return 'migration'
  return approvedVisit(visits, null) === undefined ? 'migration' : 'canary'
}

/** Why a certificate of that form says nothing about this journal; null when it does. */
export function formProblem({ kind, phase }: WantedForm, { visits }: Walked): string | null {
  if (visits.length === 0) return 'the migration has not begun its first phase'
  if (kind === 'rollback' && !visits.some(({ outcome }) => outcome === 'sent-back'))
    return 'the journal tells of no agents that went back'
  if (kind === 'canary' && approvedVisit(visits, phase) === undefined)
    return `the journal tells of no phase with agents on the new path${phase === null ? '' : ` called ${phase}`} that was left for another with its gates met`
  return null
}

function walkJournal(bytes: Uint8Array): JournalWalk {
  if (bytes.length > limits.journalBytes)
    throw journalDiffers(`${journalEvidence} is larger than ${limits.journalBytes} bytes`)
  checkLines(bytes)
  const walk = new JournalWalk(journalEvidence)
  const end = readJournalBytes(bytes, journalEvidence, (line) => walk.take(line))
  const { replay } = walk
  if (replay.isEmpty) throw journalDiffers(`${journalEvidence} is empty`)
  if (end.tornBytes > 0) throw journalDiffers(`${journalEvidence} ends within a line`)
  const [due] = replay.due
  if (due !== undefined) throw journalDiffers(`${journalEvidence} ends before a decision that follows: ${due.kind}`)
  if (!(walk.latestWallMs <= latestWallMs)) throw journalDiffers(`${journalEvidence} holds a time that is none`)
  walk.finish()
  return walk
}

/** No key twice, no depth that a reader could not bear, no number that two readers take for different ones. */
function checkLines(bytes: Uint8Array): void {
  let from = 0
  for (let line = 1; from < bytes.length; line++) {
    const end = bytes.indexOf(10, from)
    if (end === -1) return
    parseStrictJson(bytes.subarray(from, end), `${journalEvidence} line ${line}`)
    from = end + 1
  }
}

function accountFacts(bytes: Uint8Array, id: string): AccountFacts {
  if (bytes.length > largestAccountBytes)
    throw journalDiffers(`${accountEvidence} is larger than ${largestAccountBytes} bytes`)
  parseStrictJson(bytes, accountEvidence)
  const { migration, load, planted, rounds } = parseAccount(bytes)
  if (migration !== id) throw journalDiffers(`${accountEvidence} is of ${migration}, and not of ${id}`)
  rounds.forEach(({ round, counts }, index) => {
    const { scheduled, completed, refused, timedOut, lost } = counts
    if (scheduled !== completed + refused + timedOut + lost)
      throw journalDiffers(`${accountEvidence}: round ${round} does not add up`)
    if (index > 0 && round <= (rounds[index - 1]?.round ?? 0))
      throw journalDiffers(`${accountEvidence}: round ${round} is out of order or there twice`)
  })
  const { agents, ratePerSecond, payloadBytes, deadlineMs, seed } = load
  const complete = rounds.filter(({ ledger }) => ledger.state === 'COMPLETE')
  return {
    ...{ agents, ratePerSecond, payloadBytes, deadlineMs, seed, planted },
    rounds: rounds.length,
    coveredMs: rounds.length * load.roundDurationMs,
    unknown: rounds.flatMap(({ round, ledger }) =>
      ledger.state === 'UNKNOWN' ? [{ round, reasons: ledger.reasons }] : [],
    ),
    total: totalOf({ rounds }),
    lost: totalOf({ rounds: complete }).lost,
  }
}

function factsOf(walk: JournalWalk, { kind, phase }: WantedForm, account: AccountFacts | null): MigrationFacts {
  const { replay } = walk
  const { begun, plan, migration } = replay
  const steps = replay.decisions.flatMap(({ line }) => stepsOf(replay, line))
  return {
    kind,
    phase,
    id: begun.id,
    plan: plan.name,
    planSource: begun.planSource,
    planSha256: begun.planSha256,
    planPhases: plan.phases.map(({ name, percentage }) => ({ name, percentage })),
    watchAfterMs: plan.watchAfterMs,
    system: begun.system,
    lighthouse: begun.lighthouse,
    commit: begun.commit,
    beganWallMs: begun.atWallMs,
    endedWallMs: walk.latestWallMs,
    status: migration.status,
    over: migration.isOver,
    paused: migration.paused,
    sentBack: walk.sentBack,
    watchedAfterMs: walk.completedMs === null ? 0 : migration.observedToMs - walk.completedMs,
    visits: walk.visits,
    incidents: incidentsOf(replay),
    failedSteps: steps.filter(({ ok }) => !ok),
    people: replay.words.flatMap(({ atWallMs, input }): PersonsWord[] =>
      'by' in input ? [{ atWallMs, what: input.type, actor: input.by.actor, reason: input.by.reason }] : [],
    ),
    investigated: walk.investigated,
    holds: walk.holds,
    failedChecks: walk.failedChecks,
    taken: replay.taken.length,
    unwatchedMs: replay.unwatchedMs,
    lost: replay.lost,
    securityViolations: walk.securityViolations,
    account,
    journal: {
      lines: replay.lines,
      sha256: replay.hash,
      decisions: replay.decisions.length,
      intervals: replay.observations,
      histograms: replay.histograms,
      withoutHistogram: walk.withoutHistogram,
    },
  }
}

function journalDiffers(message: string, cause?: unknown): LighthouseError {
  const remedy = 'Issue anew from the untouched folder of the migration (`lighthouse migrate explain` reads it).'
  return meaningDiffers(message, cause, remedy)
}

/** Whatever a lower layer refuses is evidence that does not mean what was signed. */
function attempt<T>(work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (cause instanceof LighthouseError && cause.code !== 'INTERNAL' && cause.code !== 'MEANING_DIFFERS')
      throw journalDiffers(cause.message, cause)
    throw cause
  }
}
