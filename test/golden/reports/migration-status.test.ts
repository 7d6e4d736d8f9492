/** Where migrations stand, what was decided and what incidents were, byte for byte, from migrations on virtual time. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { MovesDocument } from '../../../src/measurement/moves-document.ts'
import { explainDecision } from '../../../src/migration/explain.ts'
import { readMigration } from '../../../src/migration/folders.ts'
import { incidentsOf } from '../../../src/migration/incident.ts'
import { statusOf } from '../../../src/migration/status.ts'
import { renderDecision } from '../../../src/reports/decision-text.ts'
import { renderIncident } from '../../../src/reports/incident-report.ts'
import { renderAccount } from '../../../src/reports/migration-account-text.ts'
import { renderMigration } from '../../../src/reports/migration-status-text.ts'
import { renderMoves } from '../../../src/reports/moves-text.ts'
import { wholeAccount } from '../../unit/certificates/recorded-migration.ts'
import { begun, MovedSystem, planText, play, VirtualTime, type Plants } from '../../unit/migration/moved-system.ts'

async function played(plants: Plants, untilMs?: number, text = planText): Promise<string> {
  const time = new VirtualTime()
  const folder = begun(text)
  await play(folder, new MovedSystem(time, plants), time, untilMs === undefined ? {} : { untilMs })
  return folder
}

const folders: Record<string, string> = {}
beforeAll(async () => {
  folders['soaking'] = await played({}, 13_000)
  folders['completed'] = await played({})
  folders['rolled-back'] = await played({ slowFrom: 50 })
  const hostile = planText.replace('name: moved', 'name: "moved │ [x](http://evil) | <b>"').replace('soak: 10s', 'soak: 10s, approval: true')
  folders['waiting'] = await played({}, 30_000, hostile)
})

const account = wholeAccount('migration-20260102-030405-0a1b')
const group = { agents: 500, deliveries: 29_000, failed: 0, p50Ms: 0.081, p95Ms: 0.4, p99Ms: 1.25 }
const moves: MovesDocument = {
  schemaVersion: 1,
  profile: 'standard',
  migration: { folder: 'migrations/migration-20260102-030405-0a1b' } as MovesDocument['migration'],
  load: account.load,
  shares: [
    { percentage: 0, push: { ...group, deliveries: 0, p50Ms: null, p95Ms: null, p99Ms: null }, poll: { ...group, p50Ms: 501 } },
    { percentage: 50, push: group, poll: { ...group, failed: 2, p50Ms: 499.5 } },
  ],
  moves: [
    { fromPercentage: 0, toPercentage: 50, agents: 498, switchedMs: 1612 },
    { fromPercentage: 50, toPercentage: 0, agents: null, switchedMs: null },
  ],
  kill: { percentage: 50, downMs: 1112 },
  dualCost: { p50: 1.2, p99: null },
  total: { ...(account.rounds[0]?.counts ?? (null as never)) },
  account,
  broken: [],
  exitCode: 23,
}

describe.each([60, 100])('at %d columns', (width) => {
  const style = { width, color: false }

  it.each(['soaking', 'completed', 'rolled-back', 'waiting'])('a migration that is %s', async (state) => {
    const status = statusOf(readMigration(folders[state] ?? ''), { folder: 'migrations/m', carriedOn: state === 'soaking', waitingRequests: 1 })
    await expect(renderMigration(status, style)).toMatchFileSnapshot(`migration-${state}-${width}.txt`)
  })

  it.each(['completed', 'rolled-back', 'waiting'])('the last decision of one that is %s', async (state) => {
    await expect(renderDecision(explainDecision(folders[state] ?? '', null), style)).toMatchFileSnapshot(`decision-${state}-${width}.txt`)
  })

  it('the account of its load', async () => {
    await expect(renderAccount(account, style)).toMatchFileSnapshot(`account-${width}.txt`)
  })

  it('moves', async () => {
    await expect(renderMoves(moves, style)).toMatchFileSnapshot(`moves-${width}.txt`)
  })
})

it('an incident, as Markdown', async () => {
  const [incident] = incidentsOf(readMigration(folders['rolled-back'] ?? ''))
  if (incident === undefined) throw new Error('agents went back')
  await expect(renderIncident(incident)).toMatchFileSnapshot('incident.md')
})

it('says of each broken promise what it is', () => {
  const first = account.rounds[0]
  if (first === undefined) throw new Error('an account has rounds')
  const broken = { ...account, rounds: [{ ...first, counts: { ...first.counts, completed: 3999, lost: 1, duplicated: 2 } }] }
  expect(renderAccount(broken, { width: 100, color: false })).toMatch(/^ACCOUNT OF THE LOAD: 1 lost, 2 duplicated\n/)
  const open = { ...broken, rounds: broken.rounds.map((round) => ({ ...round, counts: first.counts, ledger: { state: 'UNKNOWN' as const, reasons: ['It did not drain.'] } })) }
  expect(renderAccount(open, { width: 100, color: false })).toMatch(/^ACCOUNT OF THE LOAD: NOT CLOSED\n/)
})
