/** Listing, finding and pruning runs in a folder where anybody may have put anything. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CampaignDocument } from '../../../src/measurement/campaign-document.ts'
import type { RunEntry } from '../../../src/measurement/run-listing.ts'
import { renderListing, renderOverview, renderPrune } from '../../../src/reports/runs-text.ts'
import { findRun, overviewOf } from '../../../src/runs/find-run.ts'
import { listRuns } from '../../../src/runs/inventory.ts'
import { chooseRuns, pruneRuns, startedMs, type PruneRequest } from '../../../src/runs/pruning.ts'
import { writeRecordedCampaign } from '../certificates/recorded-campaign.ts'
import { writeRecordedRun } from '../certificates/recorded-run.ts'

let root = ''
let output = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'runs-'))
  output = join(root, 'runs')
  mkdirSync(output)
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const style = { width: 120, color: false }
const certificate = 'LH-20261122-ABCDEFGHIJKLMNOP'
const day = 86_400_000
const nowMs = Date.UTC(2026, 11, 31)

/** A finished run under another id; `head` is laid over its run.json. */
function plant(id: string, head: object = {}): string {
  const from = writeRecordedRun(join(root, `source-${id}`), { rounds: 3 })
  const path = join(output, id)
  cpSync(from, path, { recursive: true })
  const file = join(path, 'run.json')
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), runId: id, ...head }))
  return path
}

const of = (id: string): RunEntry => {
  const entry = listRuns(output).runs.find((each) => each.id === id)
  if (entry === undefined) throw new Error(`${id} is not listed`)
  return entry
}

describe('runs list', () => {
  it('gives an empty listing for a folder that is not there, and refuses one that is none', () => {
    expect(listRuns(join(root, 'none')).runs).toEqual([])
    writeFileSync(join(root, 'file'), '')
    expect(() => listRuns(join(root, 'file'))).toThrow(/is no folder/)
  })

  it('lists newest first, with what each run says of itself', () => {
    plant('run-20261122-020736-1a2b')
    plant('run-20261123-000000-0000')
    const { runs } = listRuns(output)
    expect(runs.map(({ id }) => id)).toEqual(['run-20261123-000000-0000', 'run-20261122-020736-1a2b'])
    expect(runs[1]).toMatchObject({
      suite: 'comparison',
      profile: 'smoke',
      durationMs: 84_000,
      engines: ['polling', 'elicitation'],
      state: 'decided',
      decision: 'APPROVED',
      certificates: [],
    })
    expect(runs[1]?.sizeBytes).toBeGreaterThan(10_000)
    expect(listRuns(output, { limit: 1 })).toMatchObject({ notShown: 1, runs: [{ id: 'run-20261123-000000-0000' }] })
    expect(listRuns(output, { suite: 'scaling' }).runs).toEqual([])
  })

  it('tells interrupted, cut short and unreadable apart', () => {
    plant('run-20261101-000000-0001', { interrupted: true })
    rmSync(join(plant('run-20261102-000000-0002', { finishedAt: undefined }), 'results.json'))
    writeFileSync(join(plant('run-20261103-000000-0003'), 'run.json'), '{"schemaVersion": 1, "run')
    writeFileSync(join(plant('run-20261104-000000-0004'), 'results.json'), '[]')
    plant('run-20261105-000000-0005', { runId: 'run-20261105-000000-ffff' })
    expect(of('run-20261101-000000-0001')).toMatchObject({ state: 'interrupted', decision: 'APPROVED' })
    expect(of('run-20261102-000000-0002')).toMatchObject({ state: 'cut-short', reason: 'no results' })
    expect(of('run-20261103-000000-0003')).toMatchObject({ state: 'unreadable', suite: null })
    expect(of('run-20261103-000000-0003').reason).toMatch(/run\.json is not JSON/)
    expect(of('run-20261104-000000-0004').reason).toMatch(/results\.json is not as a run writes it/)
    expect(of('run-20261105-000000-0005').reason).toMatch(/of another run/)
  })

  it('survives hostile names and files, and follows no link', () => {
    const outside = join(root, 'outside')
    cpSync(plant('run-20261101-000000-0001'), outside, { recursive: true })
    symlinkSync(outside, join(output, 'run-20261102-000000-0002'))
    writeFileSync(join(output, 'run-20261103-000000-0003'), 'a file')
    mkdirSync(join(output, 'run-20261104-000000-0004'))
    execFileSync('mkfifo', [join(output, 'run-20261104-000000-0004', 'run.json')])
    const linked = join(output, 'run-20261105-000000-0005')
    mkdirSync(linked)
    symlinkSync(join(outside, 'run.json'), join(linked, 'run.json'))
    const looped = plant('run-20261106-000000-0006')
    symlinkSync('..', join(looped, 'up'))
    symlinkSync('/', join(looped, 'certificate'))
    const labels = plant('run-20261107-000000-0007', { engines: [{ label: '\u001b[31mred\n| a |\u202e' }] })
    expect(labels).toContain('0007')
    writeFileSync(join(plant('run-20261108-000000-0008'), 'run.json'), '['.repeat(200_000))
    for (const name of ['..\u0007', '-rf', 'x\ny', '.trash', 'run-20261101', 'Run-20261101-000000-0001'])
      mkdirSync(join(output, name))
    const listing = listRuns(output)
    expect(listing.others).toBe(6)
    expect(listing.runs).toHaveLength(8)
    expect(of('run-20261102-000000-0002').reason).toMatch(/link/)
    expect(of('run-20261103-000000-0003').reason).toMatch(/no directory/)
    expect(of('run-20261104-000000-0004').reason).toMatch(/regular file/)
    expect(of('run-20261105-000000-0005').reason).toMatch(/regular file/)
    expect(of('run-20261106-000000-0006')).toMatchObject({ state: 'decided', certificates: [] })
    const text = renderListing(listing, style)
    expect(text).not.toContain('\u001b')
    expect(text).not.toContain('\u202e')
    for (const entry of listing.runs) expect(renderOverview(overviewOf(entry), style)).not.toContain('\u001b')
  })

  it.skipIf(process.getuid?.() === 0)('says that a directory cannot be read', () => {
    const path = plant('run-20261101-000000-0001')
    chmodSync(path, 0)
    expect(of('run-20261101-000000-0001').reason).toMatch(/cannot be/)
    chmodSync(path, 0o700)
  })
})

describe('runs show', () => {
  it('finds a run by id, beginning, path and latest', () => {
    const path = plant('run-20261101-000000-0001')
    plant('run-20261101-000000-0002')
    expect(findRun(output, 'latest').id).toBe('run-20261101-000000-0002')
    expect(findRun(output, 'run-20261101-000000-0001').id).toBe('run-20261101-000000-0001')
    expect(findRun(output, '20261101-000000-0001').id).toBe('run-20261101-000000-0001')
    expect(findRun(output, path)).toMatchObject({ id: 'run-20261101-000000-0001', path })
    expect(() => findRun(output, '2026')).toThrow(/2 runs begin with '2026'/)
    expect(() => findRun(output, 'x')).toThrow(/no run/)
    expect(() => findRun(output, '')).toThrow(/no run/)
    expect(() => findRun(output, output)).toThrow(/not named like a run/)
    expect(() => findRun(join(root, 'none'), 'latest')).toThrow(/no run/)
  })

  it('tells decision, plan and files', () => {
    plant('run-20261101-000000-0001')
    const overview = overviewOf(findRun(output, 'latest'))
    expect(overview.exitCode).toBe(0)
    expect(overview.plan[0]).toBe('100 agents, 300 exchanges/s, 3 × 2 s per engine')
    expect(overview.files.find(({ name }) => name === 'rounds')?.files).toBe(12)
    expect(renderOverview(overview, style).split('\n')[0]).toBe('APPROVED (exit 0)')
  })
})

const all: Omit<PruneRequest, 'outputFolder'> = {
  keep: 0,
  olderThanMs: null,
  suite: null,
  withCertificates: false,
  confirmed: true,
}
const prune = (request: Partial<PruneRequest> = {}): ReturnType<typeof pruneRuns> =>
  pruneRuns({ outputFolder: output, ...all, ...request }, nowMs)

describe('runs prune', () => {
  it('removes nothing unless it is confirmed, and then exactly what it said', () => {
    plant('run-20261101-000000-0001')
    plant('run-20261102-000000-0002')
    const said = prune({ keep: 1, confirmed: false })
    expect(said.items.map(({ id }) => id)).toEqual(['run-20261101-000000-0001'])
    expect(renderPrune(said, style)).toContain('WOULD REMOVE 1 run')
    expect(readdirSync(output)).toHaveLength(2)
    expect(prune({ keep: 1 }).items).toEqual(said.items)
    expect(readdirSync(output)).toEqual(['run-20261102-000000-0002'])
  })

  it('goes by age and by suite', () => {
    plant('run-20261101-000000-0001')
    plant('run-20261230-000000-0002')
    plant('run-20261103-000000-0003', { suite: 'scaling' })
    expect(prune({ keep: null, olderThanMs: 30 * day, suite: 'comparison', confirmed: false }).items).toMatchObject([
      { id: 'run-20261101-000000-0001' },
    ])
    expect(prune({ keep: null, olderThanMs: 30 * day, confirmed: false }).items).toHaveLength(2)
  })

  it('never touches what is not a run directory of ours', () => {
    const outside = join(root, 'outside')
    cpSync(plant('run-20261101-000000-0001'), outside, { recursive: true })
    rmSync(join(output, 'run-20261101-000000-0001'), { recursive: true })
    symlinkSync(outside, join(output, 'run-20261102-000000-0002'))
    writeFileSync(join(output, 'run-20261103-000000-0003'), 'a file')
    mkdirSync(join(output, 'run-20261104-000000-0004'))
    writeFileSync(join(plant('run-20261105-000000-0005'), 'run.json'), '{}')
    plant('run-20261106-000000-0006', { runId: 'run-20261106-000000-ffff' })
    mkdirSync(join(output, 'notes'))
    mkdirSync(join(output, '.trash-notes'))
    symlinkSync(outside, join(output, '.trash-run-20261101-000000-0001-01234567'))
    const before = readdirSync(output)
    expect(prune().items).toEqual([])
    expect(readdirSync(output)).toEqual(before)
    expect(existsSync(join(outside, 'run.json'))).toBe(true)
  })

  it('removes a link inside a run, not what it points to', () => {
    const outside = join(root, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'precious'), '')
    symlinkSync(outside, join(plant('run-20261101-000000-0001'), 'rounds', 'link'))
    expect(prune().items).toHaveLength(1)
    expect(readdirSync(output)).toEqual([])
    expect(existsSync(join(outside, 'precious'))).toBe(true)
  })

  it('keeps certificates unless told, and then those that another names as previous', () => {
    mkdirSync(join(plant('run-20261101-000000-0001'), 'certificate', certificate), { recursive: true })
    const later = join(plant('run-20261102-000000-0002'), 'certificate', 'LH-20261122-BBBBBBBBBBBBBBBB', 'evidence')
    mkdirSync(later, { recursive: true })
    expect(prune({ confirmed: false })).toMatchObject({ items: [], kept: [{}, {}] })
    writeFileSync(join(later, 'previous.md'), `# X\n\n**Certificate ID**: ${certificate}\n`)
    const report = prune({ withCertificates: true })
    expect(report.items.map(({ id }) => id)).toEqual(['run-20261102-000000-0002'])
    expect(report.kept).toMatchObject([{ id: 'run-20261101-000000-0001' }])
    expect(report.kept[0]?.reason).toMatch(/names its LH-20261122-ABCDEFGHIJKLMNOP as previous/)
    expect(prune({ withCertificates: true }).items).toHaveLength(1)
  })

  it('leaves an unfinished run alone that was written to within a day', () => {
    const path = plant('run-20261101-000000-0001', { finishedAt: undefined })
    rmSync(join(path, 'results.json'))
    utimesSync(path, nowMs / 1000, (nowMs - day / 2) / 1000)
    expect(prune({ confirmed: false }).kept[0]?.reason).toMatch(/may be going on/)
    for (const each of [path, join(path, 'rounds')]) utimesSync(each, nowMs / 1000, (nowMs - 2 * day) / 1000)
    expect(prune().items).toHaveLength(1)
  })

  it('leaves a campaign alone whose present run is being written to', () => {
    const campaign = writeRecordedCampaign(output, { suites: [{ suite: 'comparison' }] })
    const file = join(campaign, 'campaign.json')
    const { finishedAt: _finished, ...open } = JSON.parse(readFileSync(file, 'utf8')) as CampaignDocument
    writeFileSync(file, JSON.stringify(open))
    const present = plant('run-20261122-031500-0001', { finishedAt: undefined })
    rmSync(join(present, 'results.json'))
    const age = (path: string, days: number): void => {
      for (const each of [path, join(path, 'rounds')].filter((name) => existsSync(name)))
        utimesSync(each, nowMs / 1000, (nowMs - days * day) / 1000)
    }
    age(campaign, 3)
    age(present, 0.5)
    expect(prune({ confirmed: false })).toMatchObject({ items: [], kept: [{}, {}] })
    age(present, 3)
    expect(prune().items).toHaveLength(3)
    expect(readdirSync(output)).toEqual([])
  })

  it('clears the remains of an interrupted prune, which no listing reads as a run', () => {
    cpSync(plant('run-20261101-000000-0001'), join(output, '.trash-run-20261102-000000-0002-0123abcd'), {
      recursive: true,
    })
    expect(listRuns(output).runs).toHaveLength(1)
    expect(prune({ keep: 1, confirmed: false }).leftovers).toHaveLength(1)
    prune({ keep: 1 })
    expect(readdirSync(output)).toEqual(['run-20261101-000000-0001'])
  })
})

describe('the choice', () => {
  const entry = (id: string, more: Partial<RunEntry> = {}): RunEntry => ({
    id,
    path: id,
    kind: id.startsWith('campaign') ? 'campaign' : 'run',
    suite: 'comparison',
    profile: 'smoke',
    startedAt: null,
    durationMs: 1000,
    engines: [],
    state: 'decided',
    decision: 'APPROVED',
    reason: '',
    certificates: [],
    members: [],
    sizeBytes: 1,
    sizeIsLeast: false,
    ...more,
  })
  const facts = { nowMs, predecessors: new Set<string>(), writtenMs: () => 0 }
  const ids = (entries: readonly RunEntry[]): string[] => entries.map(({ id }) => id)

  it('lets members go with their campaign and stay with it', () => {
    const members = ['run-20261102-000000-0002', 'run-20261102-000000-0003']
    const entries = [
      entry('run-20261105-000000-0005'),
      entry('campaign-20261102-000000-0001', { suite: 'all', members }),
      ...members.map((id) => entry(id)),
    ]
    const request = { keep: 2, olderThanMs: null, suite: null, withCertificates: false }
    expect(chooseRuns(entries, request, facts).remove).toEqual([])
    expect(ids(chooseRuns(entries, { ...request, keep: 1 }, facts).remove)).toEqual(ids(entries.slice(1)))
    const certified = entries.map((each) =>
      each.kind === 'campaign' ? { ...each, certificates: [certificate] } : each,
    )
    expect(ids(chooseRuns(certified, { ...request, keep: 0 }, facts).remove)).toEqual(['run-20261105-000000-0005'])
    expect(chooseRuns(entries, { ...request, keep: 0, suite: 'comparison' }, facts).remove).toHaveLength(1)
  })

  it('never removes more than it may, whatever is asked', () => {
    const run = fc.record({
      second: fc.integer({ min: 0, max: 59 }),
      readable: fc.boolean(),
      certified: fc.boolean(),
      unfinished: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(run, { maxLength: 20 }), fc.nat(20), fc.boolean(), (runs, keep, withCertificates) => {
        const entries = runs.map(({ second, readable, certified, unfinished }, index) =>
          entry(`run-20261101-0000${String(second).padStart(2, '0')}-${String(index).padStart(4, '0')}`, {
            ...(readable ? {} : { suite: null, reason: 'broken' }),
            ...(unfinished ? { durationMs: null } : {}),
            certificates: certified ? [certificate] : [],
          }),
        )
        const request = { keep, olderThanMs: null, suite: null, withCertificates }
        const { remove } = chooseRuns(entries, request, { ...facts, writtenMs: () => nowMs - 1 })
        expect(remove.length).toBeLessThanOrEqual(Math.max(0, entries.length - keep))
        for (const gone of remove) {
          expect(gone.suite).not.toBeNull()
          expect(gone.durationMs).not.toBeNull()
          if (!withCertificates) expect(gone.certificates).toEqual([])
        }
      }),
    )
  })

  it('takes the time of a run from its name', () => {
    expect(startedMs('run-20261122-020736-1a2b')).toBe(Date.UTC(2026, 10, 22, 2, 7, 36))
    expect(startedMs('run-20261322-020736-1a2b')).toBeNull()
  })
})
