/** The groups of a phase compared from a journal, and as something that a phase requires. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { compareMigration } from '../../../src/migration/compare.ts'
import { comparePhase } from '../../../src/migration/comparison.ts'
import { readMigration } from '../../../src/migration/folders.ts'
import { GroupCells, mostCells } from '../../../src/migration/group-cells.ts'
import { parsePlan, readPlanFile } from '../../../src/migration/plan-file.ts'
import { planSha256, type Phase } from '../../../src/migration/plan.ts'
import type { JournalledObservation } from '../../../src/migration/journal.ts'
import { lookFor } from '../../../src/migration/requirements.ts'
import { quantile } from '../../../src/statistics/distribution.ts'
import { comparedPlan, PlantedJournal, type PlantedPair } from './planted-journal.ts'

let output = ''
let journal: PlantedJournal
beforeEach(() => {
  output = mkdtempSync(join(tmpdir(), 'lighthouse-comparison-'))
  journal = new PlantedJournal(output)
})
afterEach(() => {
  journal.close()
  rmSync(output, { recursive: true, force: true })
})

const slower = (factor: number) => (): PlantedPair => ({ candidate: { slowness: factor } })
const compared = (name: string | null = null) => compareMigration(journal.folder, name)

describe('a comparison', () => {
  it('shows that two groups which differ in nothing are alike', () => {
    journal.observe(3)
    journal.observe(90)
    const { verdict, phase, phases } = compared()
    expect([verdict, phase]).toEqual(['NON_INFERIOR', 'half'])
    const [quarter, half] = phases
    expect(quarter).toMatchObject({ phase: 'quarter', attempt: 1, verdict: 'NOT_DEMONSTRATED', margin: 1.1 })
    expect(quarter?.moreIntervals).toBeGreaterThan(0)
    expect(quarter?.moreMs).toBe((quarter?.moreIntervals ?? 0) * 10_000)
    expect(half).toMatchObject({ phase: 'half', intervalsPerCell: 1, candidate: { failed: 0 } })
    expect(half?.candidate.due).toBe((half?.intervals ?? 0) * 100)
    expect(half?.quantiles.map((each) => each.quantile)).toEqual(['p50', 'p95', 'p99'])
    for (const { ratio, low, high } of half?.quantiles ?? []) {
      expect(low).toBeLessThan(1.02)
      expect(high).toBeGreaterThan(0.98)
      expect(ratio).toBeGreaterThan(0.8)
    }
    expect(half?.bounds).toMatchObject([{ both: 0, onlyCandidate: 0, onlyBaseline: 0, p: 1, share: null }])
    expect(half?.control.noise).toBeGreaterThan(1)
    expect(half?.control.verdict).not.toBe('INFERIOR')
  })

  it('shows that a group which takes half as long again is worse', () => {
    journal.observe(3)
    journal.observe(90, slower(1.5))
    const { verdict, reason, phases } = compared('half')
    expect([verdict, phases.length]).toEqual(['INFERIOR', 1])
    expect(reason).toMatch(/shown not to be below 1\.1/)
    expect(phases[0]?.quantiles[2]?.low).toBeGreaterThan(1.1)
  })

  it('counts blocks in which one group alone missed a bar, and what failed', () => {
    journal.observe(3)
    journal.observe(90, (index) => ({ candidate: { slowness: 20, failed: index % 10 === 0 ? 3 : 0 } }))
    const [half] = compared('half').phases
    const [bound] = half?.bounds ?? []
    expect(bound?.onlyCandidate).toBeGreaterThan(5)
    expect([bound?.both, bound?.onlyBaseline, bound?.share]).toEqual([0, 0, 1])
    expect(bound?.p).toBeCloseTo(2 * 0.5 ** (bound?.onlyCandidate ?? 0), 9)
    expect(half?.candidate.failed).toBe(27)
    expect(half?.failures.difference?.low).toBeGreaterThan(0)
    expect(half?.failures.ratio).toMatchObject({ value: null, high: null })
  })

  it('says where a quantile never arrived', () => {
    journal.observe(3)
    journal.observe(90, () => ({ candidate: { failed: 6 } }))
    const [half] = compared('half').phases
    expect(half?.quantiles[2]).toMatchObject({ candidateMs: null, ratio: null })
    expect(half?.verdict).toBe('INFERIOR')
    expect(half?.notes).toContain('on the new path P95, P99 is among deliveries that never arrived')
  })

  it('demonstrates nothing without two groups, without histograms, or while nobody watched', () => {
    journal.observe(2)
    expect(compared()).toMatchObject({ verdict: 'NOT_DEMONSTRATED', phase: 'quarter' })
    journal.observe(60, () => ({ candidate: { histogram: null }, baseline: { histogram: null } }))
    const [half] = compared('half').phases
    expect(half).toMatchObject({
      verdict: 'NOT_DEMONSTRATED',
      intervals: 0,
      notes: [/60 intervals came without/].map((each) => expect.stringMatching(each) as string),
    })
    journal.observe(60, () => ({ watched: false }))
    expect(compared('half').phases[0]?.intervals).toBe(0)
    journal.observe(60, () => ({ baseline: { due: 0 } }))
    expect(compared('half').phases[0]).toMatchObject({
      verdict: 'NOT_DEMONSTRATED',
      baseline: { due: 0 },
      intervals: 60,
    })
    expect(compared('half').phases[0]?.failures.difference).toBeNull()
  })

  it('comes to the same again, and refuses a phase that is not in the plan', () => {
    journal.observe(70)
    expect(compared()).toEqual(compared())
    expect(() => compared('third')).toThrow(/has no phase third/)
  })

  it('refuses a histogram that does not hold what its line says', () => {
    journal.observe(3)
    const file = join(journal.folder, 'journal.jsonl')
    writeFileSync(file, readFileSync(file, 'utf8').replace('"due":100', '"due":101'))
    expect(() => compared()).toThrow(/journal/)
  })
})

describe('a phase that requires a comparison', () => {
  const find = () => {
    const { comparisons, replay } = journal.open
    const requires = replay.migration.phase?.requires ?? []
    const nowhere = { folders: [], trust: null as never, commit: null, wallMs: () => 0 }
    return lookFor(requires, { ...nowhere, compare: (each) => comparisons.find(each, replay.migration) })
  }
  const status = () => journal.open.replay.migration.status
  const phase = () => journal.open.replay.migration.phase?.name

  it('ends when it is shown, and not before', async () => {
    journal.observe(3)
    expect(phase()).toBe('half')
    journal.observe(89)
    expect(phase()).toBe('half')
    const findings = await find()
    expect(findings).toMatchObject([
      { found: true, title: 'P99 of the new path shown to be less than 1.2 times that of the old one' },
    ])
    expect(findings[0]?.reason).toMatch(
      /^look 1: [\d.]+ times \[[\d.]+, [\d.]+\], the ratio is shown to be below 1\.2$/,
    )
    journal.give({ type: 'looked', findings })
    journal.observe(1)
    expect(status()).toBe('completed')
  })

  it('is held while it is not', async () => {
    journal.observe(3)
    journal.observe(92, slower(1.5))
    const [first] = await find()
    expect(first).toMatchObject({ found: false, reason: expect.stringMatching(/^look 1: .*shown not to be/) as string })
    journal.give({ type: 'looked', findings: [first as NonNullable<typeof first>] })
    // Between two looks it is the same answer, whatever comes.
    journal.observe(10)
    expect(await find()).toEqual([first])
    journal.observe(14)
    expect((await find())[0]?.reason).toMatch(/^look 2: /)
    journal.observe(80)
    expect([status(), phase()]).toEqual(['held', 'half'])
  })

  it('comes to the same when the migration is taken up again', async () => {
    journal.observe(3)
    journal.observe(100)
    const before = await find()
    journal.close()
    const { openMigration } = await import('../../../src/migration/folders.ts')
    const again = openMigration(journal.folder)
    const [requirement] = again.replay.migration.phase?.requires ?? []
    if (requirement?.kind !== 'comparison') expect.fail('the phase requires a comparison')
    expect([again.comparisons.find(requirement, again.replay.migration)]).toEqual(before)
    again.lock.release()
  })

  it('finds nothing where nobody compares', async () => {
    const [requirement] = parsePlan(comparedPlan, 'p').phases[1]?.requires ?? []
    const nowhere = { folders: [], trust: null as never, commit: null, wallMs: () => 0 }
    expect(await lookFor(requirement === undefined ? [] : [requirement], nowhere)).toMatchObject([{ found: false }])
  })
})

describe('memory', () => {
  const of = (index: number, due: number): JournalledObservation => {
    const group = { agents: 1, due, failed: due, unmeasured: 0, above: { '300': 0 }, histogram: null }
    const place = { sequence: index, stream: 's', streamSequence: index, fromMs: index, toMs: index + 1, watched: true }
    const empty = { ...group, histogram: 'HISTFAAAABh4nJNpmSzMwMDAxAABzFCaEUoz2H+AsAA8EgKz' }
    return { ...place, candidate: due === 0 ? group : { ...empty }, baseline: group, lost: 0, securityViolations: 0 }
  }

  it('is bounded: neighbours are merged beyond 2,000 intervals, and nothing is lost', () => {
    const recorded: JournalledObservation[] = []
    journal.observe(8)
    readMigration(journal.folder, { onObservation: ({ observation }) => recorded.push(observation) })
    const groups = new GroupCells()
    const [one] = recorded
    if (one === undefined) expect.fail('there are observations')
    const total = 2 * mostCells + 7
    for (let index = 0; index < total; index++) groups.add({ ...one, toMs: index })
    expect(groups.intervals).toBe(total)
    expect(groups.intervalsPerCell).toBe(4)
    const cells = groups.cells()
    expect(cells.length).toBe(Math.ceil(total / 4))
    expect(cells.reduce((sum, cell) => sum + cell.intervals, 0)).toBe(total)
    expect(cells.reduce((sum, cell) => sum + cell.candidate.distribution.n, 0)).toBe(total * one.candidate.due)
    expect(cells.at(-1)?.toMs).toBe(total - 1)
    expect(groups.cells(9).map((cell) => cell.toMs)).toEqual([3, 7])
    const ratio = quantile(cells[0]?.candidate.distribution ?? expect.fail('a cell'), 0.99)
    const plan = parsePlan(comparedPlan, 'p')
    const phase = plan.phases[1] ?? expect.fail('a phase')
    const read = comparePhase({ plan, phase, attempt: 1, enteredMs: 0, groups }, plan.comparison)
    expect(read.quantiles[2]?.candidateMs).toBe((ratio ?? NaN) / 1000)
    expect(read.notes[0]).toMatch(/4 neighbouring intervals are one cell/)
  })

  it('takes no interval in which nothing was due', () => {
    const groups = new GroupCells()
    groups.add(of(0, 0))
    expect([groups.intervals, groups.unread, groups.cells().length]).toEqual([0, 0, 0])
  })
})

describe('plans', () => {
  const shipped = new URL('../../../fixtures/migration/runsheet.yaml', import.meta.url).pathname

  it('compare by P99 and 1.1 times unless they say otherwise, and a requirement takes what it leaves out from the plan', () => {
    expect(parsePlan(comparedPlan, 'p').comparison).toEqual({ quantile: 'p99', margin: 1.1 })
    const own = parsePlan(`${comparedPlan}comparison: { quantile: p95 }\n`, 'p')
    expect(own.comparison).toEqual({ quantile: 'p95', margin: 1.1 })
    expect(own.phases[1]?.requires).toMatchObject([{ kind: 'comparison', quantile: 'p95', margin: 1.2 }])
    expect(planSha256(own)).not.toBe(planSha256(parsePlan(comparedPlan, 'p')))
  })

  it('the runsheet has its A/B at 50 %', () => {
    const comparing = ({ requires }: Phase): boolean => requires.some(({ kind }) => kind === 'comparison')
    const requiring = readPlanFile(shipped).phases.filter(comparing)
    expect(requiring).toMatchObject([{ name: 'half', percentage: 50, requires: [{ kind: 'comparison', margin: 1.1 }] }])
  })

  it.each([
    ['a margin of nothing', comparedPlan.replace('margin: 1.2', 'margin: 1'), /p\.yaml:12.*must be above 1/s],
    ['a quantile that is none', comparedPlan.replace('margin: 1.2', 'quantile: p90'), /p\.yaml:12/],
    ['a misspelt key', comparedPlan.replace('margin: 1.2', 'margn: 1.2'), /unknown key "margn"/],
    [
      'nobody to compare with',
      comparedPlan.replace('percentage: 50', 'percentage: 100'),
      /nobody to compare with in half/,
    ],
  ])('are refused with %s', (_what, text, message) => {
    expect(() => parsePlan(text, 'p.yaml')).toThrow(message)
  })
})
