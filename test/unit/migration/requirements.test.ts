/** What a phase requires: certificates and runs that are there, genuine, young, large and of the commit; and everything else not found. */
import { appendFileSync, mkdirSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readTrust, trustFiles } from '../../../src/certificates/trust-store.ts'
import { parsePlan } from '../../../src/migration/plan-file.ts'
import type { Requirement } from '../../../src/migration/plan.ts'
import { lookFor, type RequirementPlaces } from '../../../src/migration/requirements.ts'
import { issuedAtMs, Laboratory, markdownOf } from '../certificates/package-fixture.ts'
import { runStartedMs, testCommit } from '../certificates/recorded-run.ts'

const laboratory = new Laboratory()
afterAll(() => laboratory.remove())
let places: RequirementPlaces
let runFolder = ''

beforeAll(async () => {
  const run = laboratory.run()
  runFolder = dirname(run)
  await laboratory.issue(run)
  places = {
    folders: [runFolder, join(laboratory.root, 'nowhere')],
    trust: laboratory.trust,
    commit: testCommit,
    wallMs: () => issuedAtMs + 60_000,
  }
})

function required(text: string): readonly Requirement[] {
  const plan = `name: p\nphases:\n  - { name: a, percentage: 5, soak: 1h, gates: [candidate.errorRate < 1%], requires: [${text}] }\n`
  return parsePlan(plan, 'p.yaml').phases[0]?.requires ?? []
}

async function found(text: string, other: Partial<RequirementPlaces> = {}): Promise<[boolean, string]> {
  const [finding] = await lookFor(required(text), { ...places, ...other })
  if (finding === undefined) throw new Error('a finding for each requirement')
  return [finding.found, finding.reason]
}

it('finds what is there', async () => {
  expect(await found('{ certificate: {} }')).toEqual([true, expect.stringMatching(/^certificate LH-/)])
  expect(await found('{ certificate: { suite: comparison, minAgents: 2, maxAge: 1h } }')).toEqual([
    true,
    expect.any(String),
  ])
  expect(await found('{ run: { suite: comparison } }')).toEqual([true, expect.stringMatching(/^run-.*: APPROVED$/)])
  expect(await found('{ run: { suite: comparison, decision: APPROVED } }')).toEqual([true, expect.any(String)])
})

it.each([
  ['of another suite', '{ certificate: { suite: scaling } }', {}, /covers comparison, and not scaling/],
  ['too small', '{ certificate: { minAgents: 10000 } }', {}, /fewer than 10000/],
  ['too slow', '{ certificate: { minRate: 100000 } }', {}, /exchanges\/s, fewer than/],
  [
    'too old',
    '{ certificate: { maxAge: 7d } }',
    { wallMs: () => issuedAtMs + 8 * 86_400_000 },
    /issued 192 h ago; at most 168 h/,
  ],
  ['of another commit', '{ certificate: {} }', { commit: 'f'.repeat(40) }, /is for commit 0123/],
  ['of no commit that is known', '{ certificate: {} }', { commit: null }, /nobody said which commit/],
  [
    'by a key that nobody trusts',
    '{ certificate: {} }',
    { trust: readTrust(trustFiles('/nowhere')) },
    /the key SHA256:\S+ is not in/,
  ],
  ['nowhere', '{ certificate: {} }', { folders: ['/nowhere'] }, /there is no certificate/],
  ['a run of another suite', '{ run: { suite: burst } }', {}, /there is no run of burst/],
  [
    'a run that is too old',
    '{ run: { suite: comparison, maxAge: 1d } }',
    { wallMs: () => runStartedMs + 2 * 86_400_000 },
    /is older than 24 h/,
  ],
] as [string, string, Partial<RequirementPlaces>, RegExp][])(
  'does not find what is %s',
  async (_what, text, other, reason) => {
    expect(await found(text, other)).toEqual([false, expect.stringMatching(reason)])
  },
)

it('does not need a commit where the plan says so', async () => {
  expect(await found('{ certificate: { sameCommit: false } }', { commit: null })).toEqual([true, expect.any(String)])
})

it('does not take a certificate whose text was edited, nor a run whose figures were', async () => {
  const run = laboratory.run()
  const { packagePath } = await laboratory.issue(run)
  appendFileSync(markdownOf(packagePath), ' ')
  const folders = [dirname(run)]
  expect(await found('{ certificate: {} }', { folders })).toEqual([false, expect.any(String)])
  const slow = laboratory.run({ candidateMs: 900 })
  expect(await found('{ run: { suite: comparison, decision: APPROVED } }', { folders: [dirname(slow)] })).toEqual([
    false,
    expect.stringMatching(/says (REQUIRES_REMEDIATION|CONDITIONALLY_APPROVED)/),
  ])
})

it('finds a package that lies by itself', async () => {
  const run = laboratory.run()
  const { packagePath, id } = await laboratory.issue(run)
  const alone = join(laboratory.root, 'certificates')
  mkdirSync(alone)
  renameSync(packagePath, join(alone, id))
  expect(await found('{ certificate: {} }', { folders: [alone] })).toEqual([true, `certificate ${id}`])
})
