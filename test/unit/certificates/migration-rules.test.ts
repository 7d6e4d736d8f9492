/** The rules by which a migration is decided, from journals that were played and from facts that are planted into them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { MigrationKind } from '../../../src/certificates/format.ts'
import {
  approvedVisit,
  migrationScope,
  type MigrationFacts,
  type MigrationMeaning,
} from '../../../src/certificates/migration-facts.ts'
import { checkMigrationMeaning, formOf } from '../../../src/certificates/migration-meaning.ts'
import { migrationRisks } from '../../../src/certificates/migration-risks.ts'
import { judgeMigration } from '../../../src/certificates/migration-rules.ts'
import { collectMigrationEvidence } from '../../../src/certificates/run-evidence.ts'
import { accountFile, type MigrationAccount } from '../../../src/measurement/migration-account.ts'
import { completed, rolledBack, upTo, wholeAccount, type RecordedMigration } from './recorded-migration.ts'

const root = mkdtempSync(join(tmpdir(), 'migration-rules-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let folders = 0
const folder = (): string => join(root, String(++folders))

function meaningOf(recorded: RecordedMigration, kind?: MigrationKind, phase: string | null = null): MigrationMeaning {
  return checkMigrationMeaning(collectMigrationEvidence(recorded.folder), (walked) => {
    const form = kind ?? formOf(walked)
    return { kind: form, phase: form === 'canary' ? (phase ?? 'canary-5') : null }
  })
}

let facts: MigrationFacts
let canary: MigrationFacts
beforeAll(() => {
  const whole = completed(folder()).account()
  facts = meaningOf(whole).migration
  canary = meaningOf(whole, 'canary').migration
})

type Account = NonNullable<MigrationFacts['account']>
const withAccount = (change: (account: Account) => Partial<Account>): MigrationFacts => {
  const { account } = facts
  if (account === null) throw new Error('there is one')
  return { ...facts, account: { ...account, ...change(account) } }
}
const total = (change: Partial<Account['total']>) => withAccount(({ total: own }) => ({ total: { ...own, ...change } }))

describe('the decision', () => {
  it('is APPROVED when it is over, all gates are met and the account is complete', () => {
    expect(judgeMigration(facts)).toMatchObject({ decision: 'APPROVED', conditions: [] })
    expect(judgeMigration(canary).decision).toBe('APPROVED')
  })

  it.each(['duplicated', 'misdelivered', 'phantom', 'corrupt', 'unexpected', 'doubleTerminal', 'reordered'] as const)(
    'is EMERGENCY_STOP for one exchange that is %s',
    (name) => {
      const judged = judgeMigration(total({ [name]: 1 }))
      expect(judged.decision).toBe('EMERGENCY_STOP')
      expect(judged.conditions[0]).toMatchObject({ id: 'C1', key: `delivery:${name}`, state: '1' })
      expect(migrationRisks(total({ [name]: 1 }))[0]?.level).toBe('HIGH')
    },
  )

  it('is EMERGENCY_STOP for a loss in a complete ledger or by the system’s own count, whatever else is so', () => {
    expect(judgeMigration(withAccount(() => ({ lost: 1 }))).decision).toBe('EMERGENCY_STOP')
    for (const base of [facts, canary, { ...facts, over: false, sentBack: true }])
      expect(judgeMigration({ ...base, lost: 1 }).decision).toBe('EMERGENCY_STOP')
  })

  it('is NEEDS_FURTHER_REVIEW for a ledger that is UNKNOWN, in which a loss is none yet, and for an account of nothing', () => {
    const open = total({ lost: 3 })
    const unknown = [{ round: 1, reasons: ['the drain timed out'] }]
    const judged = judgeMigration({ ...open, account: { ...(open.account as Account), unknown } })
    expect(judged).toMatchObject({
      decision: 'NEEDS_FURTHER_REVIEW',
      conditions: [{ key: 'ledger', state: 'UNKNOWN' }],
    })
    expect(judged.reasons.join()).toContain('round 1 is UNKNOWN: the drain timed out')
    expect(judgeMigration(withAccount(() => ({ rounds: 0 }))).decision).toBe('NEEDS_FURTHER_REVIEW')
  })

  it('is CONDITIONALLY_APPROVED when nobody measured loss, and APPROVED when the system counted none', () => {
    for (const base of [facts, canary]) {
      const judged = judgeMigration({ ...base, account: null })
      expect(judged).toMatchObject({
        decision: 'CONDITIONALLY_APPROVED',
        conditions: [{ key: 'loss', state: 'NOT_MEASURED' }],
      })
      expect(judged.scope).toContain('loss not measured')
      expect(judged.notAssessed.map(({ what }) => what).join()).toContain('Whether anything was lost')
      expect(judgeMigration({ ...base, account: null, lost: 0 }).decision).toBe('APPROVED')
    }
  })

  it('says every time that 48 h are not demonstrated by a canary that was shorter, and nothing of it after 48 h', () => {
    for (const base of [facts, canary]) {
      expect(judgeMigration(base).scope).toContain('canary-5 for 2 min (48 h NOT_DEMONSTRATED)')
      expect(judgeMigration(base).notAssessed[0]?.what).toMatch(/48 h are NOT_DEMONSTRATED/)
      const visits = base.visits.map((visit) => ({ ...visit, observedMs: 48 * 3_600_000 }))
      expect(JSON.stringify(judgeMigration({ ...base, visits }))).not.toContain('NOT_DEMONSTRATED')
    }
  })

  it('is about gates of the phase that is approved, or of all phases', () => {
    const gate = (phase: string, verdict: 'NOT_MET' | 'NOT_DEMONSTRATED', base: MigrationFacts): MigrationFacts => ({
      ...base,
      visits: base.visits.map((visit) =>
        visit.phase === phase ? { ...visit, gates: visit.gates.map((each) => ({ ...each, verdict })) } : visit,
      ),
    })
    expect(judgeMigration(gate('half', 'NOT_MET', facts)).decision).toBe('REQUIRES_REMEDIATION')
    expect(judgeMigration(gate('half', 'NOT_DEMONSTRATED', facts)).decision).toBe('NEEDS_FURTHER_REVIEW')
    expect(judgeMigration(gate('half', 'NOT_MET', canary)).decision).toBe('APPROVED')
  })
})

describe('what a journal calls for', () => {
  it('a migration that goes on: an approval of the phase that was left, and no readiness', () => {
    const going = upTo('all', folder()).intervals(3)
    expect(meaningOf(going, undefined, 'half').migration).toMatchObject({
      kind: 'canary',
      phase: 'half',
      status: 'soaking',
    })
    const asked = upTo('half', folder()).account().untilLeft()
    const whole = meaningOf(asked, 'migration')
    expect(whole.judged).toMatchObject({
      decision: 'NEEDS_FURTHER_REVIEW',
      conditions: [{ key: 'migration', state: 'awaitingApproval' }],
    })
    expect(meaningOf(asked).judged.decision).toBe('APPROVED')
  })

  it('one that has left no phase yet: readiness, which says that it is not over', () => {
    const young = meaningOf(upTo('canary-5', folder()).intervals(2))
    expect(young.migration.kind).toBe('migration')
    expect(young.judged.decision).toBe('NEEDS_FURTHER_REVIEW')
    expect(young.judged.reasons).toEqual(['canary-5 is not over'])
  })

  it('one whose trips stay armed after the last phase is not over', () => {
    const watched = upTo('all', folder()).untilLeft().intervals(2).account()
    expect(meaningOf(watched, 'migration')).toMatchObject({
      migration: { status: 'completed', over: false },
      judged: { decision: 'NEEDS_FURTHER_REVIEW', reasons: [expect.stringMatching(/stay armed for 1 min/)] },
    })
  })

  it('one that went back: an incident, and neither readiness nor an approval', () => {
    const back = rolledBack(folder())
    expect(meaningOf(back)).toMatchObject({
      migration: { kind: 'rollback', sentBack: true, status: 'rolledBack' },
      judged: { decision: 'REQUIRES_REMEDIATION' },
    })
    expect(meaningOf(back).migration.incidents).toMatchObject([{ phase: 'half', percentage: 50, verified: true }])
    expect(meaningOf(back, 'migration').judged.decision).toBe('REQUIRES_REMEDIATION')
    expect(meaningOf(back, 'canary').judged.decision).toBe('REQUIRES_REMEDIATION')
  })

  it('a canary that was kept, held, and begun anew', () => {
    const kept = upTo('half', folder()).intervals(4).askBack('canary')
    expect(meaningOf(kept)).toMatchObject({ migration: { kind: 'rollback', status: 'held' } })
    kept.say('resumed').intervals(2)
    expect(meaningOf(kept).judged.decision).toBe('REQUIRES_REMEDIATION')
    kept.untilLeft().account()
    expect(meaningOf(kept)).toMatchObject({
      migration: { kind: 'canary', sentBack: false },
      judged: { decision: 'APPROVED' },
    })
    expect(migrationRisks(meaningOf(kept).migration).some(({ title }) => /Sent Back/.test(title))).toBe(true)
    expect(
      meaningOf(kept).migration.visits.map(({ phase, outcome, attempt }) => `${phase} ${attempt} ${outcome}`),
    ).toEqual([
      'baseline 1 left',
      'canary-5 1 left',
      'half 1 sent-back',
      'canary-5 2 begun-anew',
      'canary-5 3 left',
      'half 2 present',
    ])
  })

  it('a loss that the system counts', () => {
    const lossy = upTo('half', folder()).intervals(2, { lost: 0 }).intervals(1, { lost: 2 })
    expect(meaningOf(lossy).judged).toMatchObject({
      decision: 'EMERGENCY_STOP',
      conditions: [{ key: 'counted:lost', state: '2' }, { key: 'rollback' }, { key: 'rollback:verified' }],
    })
  })

  it('time that nobody watched, and counts without histograms', () => {
    const { migration, judged } = meaningOf(
      upTo('half', folder()).intervals(2, { watched: false }).away(90_000).intervals(2, { withoutHistogram: true }),
    )
    expect(migration).toMatchObject({ taken: 2, journal: { withoutHistogram: 4 } })
    expect(migration.unwatchedMs).toBeGreaterThan(80_000)
    const said = judged.notAssessed.map(({ what }) => what).join('\n')
    expect(said).toMatch(/in which no process watched/)
    expect(said).toMatch(/without a histogram: their counts are the system's word/)
    expect(migrationRisks(migration).map(({ title }) => title)).toContain('Time Unwatched')
  })
})

describe('a phase that is approved', () => {
  it('is the last one that was left for another with agents on the new path and all its gates met', () => {
    const named = (visits: MigrationFacts['visits'], phase: string | null = null): string | undefined =>
      approvedVisit(visits, phase)?.phase
    expect(named(facts.visits)).toBe('half')
    expect(named(facts.visits, 'canary-5')).toBe('canary-5')
    for (const phase of ['baseline', 'all', 'nowhere']) expect(named(facts.visits, phase)).toBeUndefined()
    const missed = facts.visits.map((visit) =>
      visit.phase === 'half'
        ? { ...visit, gates: visit.gates.map((gate) => ({ ...gate, verdict: 'NOT_MET' as const })) }
        : visit,
    )
    expect(named(missed)).toBe('canary-5')
  })

  it('saw only what the state machine believes: no interval twice, none that cannot be', () => {
    const recorded = upTo('half', folder()).intervals(2)
    const before = meaningOf(recorded).migration.visits.at(-1)
    const last = recorded.replay.lastObservation
    if (last === null) throw new Error('there is one')
    const candidate = { ...last.candidate, agents: 5000 }
    recorded.give({ type: 'observed', observation: { ...last, candidate } })
    const after = meaningOf(recorded).migration
    expect(after.visits.at(-1)).toEqual(before)
    expect(after.journal.intervals).toBe(recorded.replay.observations)
  })
})

describe('the scope', () => {
  it('is that of the new path: agents on it, half its deliveries as exchanges, and the time observed', () => {
    expect(migrationScope(facts)).toMatchObject({ agents: 200, deliveriesPerSecond: 40, exchangesPerSecond: 20 })
    expect(migrationScope(canary)).toMatchObject({ agents: 10, deliveries: 5200, observedMs: 120_000 })
    expect(migrationScope({ ...facts, account: null }).exchangesPerSecond).toBe(20)
    const slower = withAccount(() => ({ ratePerSecond: 7 }))
    expect(migrationScope(slower).exchangesPerSecond).toBe(7)
  })
})

describe('an account', () => {
  const refusedFor = (change: (account: MigrationAccount) => object): (() => unknown) => {
    const recorded = completed(folder()).account((account) => change(account) as MigrationAccount)
    return () => meaningOf(recorded)
  }
  const first = (account: MigrationAccount) => account.rounds[0] as MigrationAccount['rounds'][number]

  it('whose rounds do not add up, come twice or are no account is refused', () => {
    const refused = (words: RegExp) =>
      expect.objectContaining({ code: 'MEANING_DIFFERS', message: expect.stringMatching(words) as string }) as Error
    expect(
      refusedFor((account) => ({
        ...account,
        rounds: [{ ...first(account), counts: { ...first(account).counts, completed: 4001 } }],
      })),
    ).toThrow(refused(/round 0 does not add up/))
    expect(refusedFor((account) => ({ ...account, rounds: [first(account), first(account)] }))).toThrow(
      refused(/out of order or there twice/),
    )
    const large = {
      ...first(wholeAccount('migration-20261122-020000-00aa')),
      ledger: { state: 'UNKNOWN', reasons: Array(99).fill('x'.repeat(2000)) },
    }
    expect(
      refusedFor((account) => ({
        ...account,
        rounds: Array.from({ length: 60 }, (_, round) => ({ ...large, round })),
      })),
    ).toThrow(refused(/account\.json is larger than/))
    expect(refusedFor((account) => ({ ...account, migration: 'migration-20261122-020000-ffff' }))).toThrow(
      refused(/is of migration-20261122-020000-ffff, and not of/),
    )
    expect(refusedFor((account) => ({ ...account, more: 1 }))).toThrow(refused(/not as a rehearsal writes it/))
  })

  it('counts as lost only what a complete ledger misses', () => {
    const missing = (state: 'COMPLETE' | 'UNKNOWN') => (account: MigrationAccount) => {
      const counts = { ...first(account).counts, completed: 3997, lost: 3 }
      return { ...account, rounds: [{ ...first(account), counts, ledger: { state, reasons: [] } }] }
    }
    const judged = (state: 'COMPLETE' | 'UNKNOWN') =>
      meaningOf(completed(folder()).account(missing(state))).judged.decision
    expect([judged('COMPLETE'), judged('UNKNOWN')]).toEqual(['EMERGENCY_STOP', 'NEEDS_FURTHER_REVIEW'])
  })

  it('is read as it lies beside the journal', () => {
    const recorded = completed(folder()).account()
    expect(readFileSync(join(recorded.folder, accountFile), 'utf8')).toContain('"COMPLETE"')
    expect(meaningOf(recorded).migration.account).toMatchObject({ rounds: 2, lost: 0, total: { scheduled: 8000 } })
  })
})
