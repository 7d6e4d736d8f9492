/** The runner on virtual time: what it writes before it acts, how it goes back, and that it may be killed anywhere. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { explainDecision } from '../../../src/migration/explain.ts'
import { isCarriedOn, openMigration, readMigration } from '../../../src/migration/folders.ts'
import { incidentsOf } from '../../../src/migration/incident.ts'
import { journalFile } from '../../../src/migration/journal.ts'
import { writeRequest } from '../../../src/migration/requests.ts'
import { leastShare } from '../../../src/migration/rollback.ts'
import { statusOf } from '../../../src/migration/status.ts'
import { linkOf, nothingBefore } from '../../../src/measurement/chained-log.ts'
import { seededRandom } from '../../../src/platform/random.ts'
import { begun, MovedSystem, planText, play, VirtualTime, type Plants } from './moved-system.ts'

const kinds = (folder: string): string[] =>
  readMigration(folder).decisions.map(({ decision }) =>
    decision.kind === 'enter' ? `enter ${decision.phase}` : decision.kind,
  )
const steps = (folder: string): string[] =>
  readMigration(folder).steps.map(({ step }) => `${step.step} ${step.percentage}`)
const shares = (system: MovedSystem): number[] => system.directives.map(({ percentage }) => percentage)
const allPhases = ['enter baseline', 'enter canary', 'enter half', 'enter all', 'complete']

function fresh(plants: Plants = {}, text = planText) {
  const time = new VirtualTime()
  return { time, system: new MovedSystem(time, plants), folder: begun(text) }
}

function ask(
  folder: string,
  type: 'approved' | 'paused' | 'resumed' | 'rollbackAsked',
  mode: 'full' | 'stepped' | 'canary' = 'full',
): void {
  writeRequest(
    folder,
    { type, actor: 'ada', reason: 'because', mode },
    1_795_000_000_000,
    seededRandom(`${type}/${mode}`),
  )
}

describe('a migration', () => {
  it('goes through its phases, and stays armed for a while after the last', async () => {
    const { time, system, folder } = fresh()
    expect(await play(folder, system, time)).toEqual({ end: 'completed', notes: [] })
    expect(kinds(folder)).toEqual(allPhases)
    expect(shares(system)).toEqual([0, 5, 50, 100])
    const status = statusOf(readMigration(folder), { folder, carriedOn: false, waitingRequests: 0 })
    expect(status).toMatchObject({ status: 'completed', percentage: 100, taken: 1, unwatchedMs: 0, lost: 0 })
  })

  it('writes every decision down before it acts on it', async () => {
    const { time, system, folder } = fresh()
    const before: number[] = []
    const direct = system.direct.bind(system)
    system.direct = (directive) => {
      before.push(readMigration(folder).decisions.at(-1)?.line ?? 0)
      return direct(directive)
    }
    await play(folder, system, time)
    const { decisions, steps: done } = readMigration(folder)
    expect(before).toEqual(decisions.filter(({ decision }) => decision.kind === 'enter').map(({ line }) => line))
    expect(done.map(({ step }) => step.of)).toEqual(before)
  })

  it('is carried on by one process at a time', async () => {
    const { time, system, folder } = fresh()
    const open = openMigration(folder)
    expect(isCarriedOn(folder)).toBe(true)
    expect(() => openMigration(folder)).toThrow(/another process carries on/)
    open.lock.release()
    expect(isCarriedOn(folder)).toBe(false)
    expect((await play(folder, system, time)).end).toBe('completed')
  })
})

describe('a process that is killed', () => {
  it('is taken up again wherever it was, and comes to the same end', async () => {
    const whole = fresh()
    await play(whole.folder, whole.system, whole.time)
    const lines = readMigration(whole.folder).lines
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: lines }), { minLength: 1, maxLength: 6 }), async (kills) => {
        const { time, system, folder } = fresh()
        for (const killAfter of kills) {
          const { end } = await play(folder, system, time, { killAfter, untilMs: 300_000 })
          if (end === 'completed') break
          // What the kill cut off is dropped.
          appendFileSync(join(folder, journalFile), '{"kind":"inp')
        }
        await play(folder, system, time, { untilMs: 600_000 })
        expect(kinds(folder)).toEqual(allPhases)
        expect(shares(system)).toEqual([0, 5, 50, 100])
      }),
      { numRuns: 25 },
    )
  })

  it('that was torn between an input and what followed from it decides the same again', async () => {
    const { time, system, folder } = fresh()
    await play(folder, system, time, { untilMs: 7000 })
    const file = join(folder, journalFile)
    const decided = readMigration(folder).decisions[1]
    expect(decided?.decision).toMatchObject({ phase: 'canary' })
    const cut = readFileSync(file, 'utf8')
      .split('\n')
      .slice(0, (decided?.line ?? 0) - 1)
    writeFileSync(file, `${cut.join('\n')}\n`)
    expect((await play(folder, system, time)).end).toBe('completed')
    expect(kinds(folder)).toEqual(allPhases)
    expect(readMigration(folder).decisions[1]).toMatchObject({ line: decided?.line, decision: { phase: 'canary' } })
  })

  it('counts the time in which nobody watched as missing, and not as good', async () => {
    const { time, system, folder } = fresh()
    await play(folder, system, time, { untilMs: 12_000 })
    expect(kinds(folder)).toEqual(['enter baseline', 'enter canary'])
    time.ms += 60_000
    await play(folder, system, time, { untilMs: time.ms + 2000 })
    const replay = readMigration(folder)
    // The canary's ten seconds are long over; what the system measured meanwhile is known, and promotes nobody.
    expect(kinds(folder)).toEqual(['enter baseline', 'enter canary', 'hold'])
    expect(replay.unwatchedMs).toBeGreaterThanOrEqual(59_000)
    expect(replay.migration.progress.observedMs).toBeLessThan(9500)
    expect(replay.observations).toBeGreaterThan(60)
  })

  it('still sends everybody back for what went wrong while nobody watched', async () => {
    const { time, system, folder } = fresh({ slowFrom: 5 })
    await play(folder, system, time, { untilMs: 7500 })
    expect(kinds(folder)).toEqual(['enter baseline', 'enter canary'])
    time.ms += 30_000
    expect((await play(folder, system, time)).end).toBe('rolledBack')
    expect(shares(system)).toEqual([0, 5, 0])
  })
})

describe('going back', () => {
  it('checks the room, shifts, waits until agents have left, and looks whether the old path carries', async () => {
    const { time, system, folder } = fresh({ slowFrom: 50 })
    expect((await play(folder, system, time)).end).toBe('rolledBack')
    expect(steps(folder).slice(-4)).toEqual(['capacity 0', 'shifted 0', 'drained 0', 'verified 0'])
    expect(system.directives.at(-1)).toMatchObject({
      percentage: 0,
      switches: { legacyOff: false, dualMode: true, deprecation: false },
      reason: expect.stringMatching(/^rollback: candidate\.delivery\.p99/),
    })
    const [incident] = incidentsOf(readMigration(folder))
    expect(incident).toMatchObject({ phase: 'half', percentage: 50, verified: true, askedBy: null, lost: 0 })
    expect(incident?.movedMs).toBeLessThan(60_000)
    expect(incident?.before.length).toBeGreaterThan(5)
  })

  it.each([
    [1, 'capacity'],
    [2, 'shifted'],
    [3, 'drained'],
    [4, 'verified'],
  ])('goes on where it was when it is killed before its step %d, %s', async (step) => {
    const { time, system, folder } = fresh({ slowFrom: 50 })
    const counted = fresh({ slowFrom: 50 })
    await play(counted.folder, counted.system, counted.time)
    const back = readMigration(counted.folder)
    const decision = back.decisions.at(-1)?.line ?? 0
    const until = back.steps.filter(({ step: { of } }) => of === decision)[step - 1]?.line ?? 0
    // Lines are written one or several at a time: killed before the one that holds the step.
    for (let killAfter = 1; ; killAfter++) {
      const each = fresh({ slowFrom: 50 })
      await play(each.folder, each.system, each.time, { killAfter })
      if (readMigration(each.folder).lines < until - 1) continue
      await play(folder, system, time, { killAfter })
      break
    }
    expect(readMigration(folder).decisions.at(-1)?.decision.kind).toBe('rollBack')
    expect((await play(folder, system, time)).end).toBe('rolledBack')
    expect(steps(folder).slice(-4)).toEqual(['capacity 0', 'shifted 0', 'drained 0', 'verified 0'])
    expect(shares(system)).toEqual([0, 5, 50, 0])
  })

  it('moves as many as the old path has room for, and the rest when it has', async () => {
    const { time, system, folder } = fresh({ slowFrom: 50, room: 700 })
    await play(folder, system, time, { untilMs: 40_000 })
    expect(shares(system)).toEqual([0, 5, 50, 30])
    expect(steps(folder).slice(-2)).toEqual(['capacity 0', 'shifted 30'])
    system.plants.room = 1000
    expect((await play(folder, system, time)).end).toBe('rolledBack')
    expect(shares(system)).toEqual([0, 5, 50, 30, 0])
    expect(leastShare({ known: 1000, baselineRoom: 0 })).toBe(100)
    expect(leastShare({ known: 3, baselineRoom: 2 })).toBe(33.34)
  })

  it('sends nobody to an old path that has no room, and says so', async () => {
    const { time, system, folder } = fresh({ slowFrom: 50, room: 0 })
    expect((await play(folder, system, time, { untilMs: 60_000 })).end).toBe('interrupted')
    expect(shares(system)).toEqual([0, 5, 50])
    expect(readMigration(folder).steps.at(-1)?.step).toMatchObject({ step: 'capacity', ok: false })
  })

  it('tells of agents that do not leave, after five minutes', async () => {
    const { time, system, folder } = fresh({ slowFrom: 50, stubborn: 3 })
    expect((await play(folder, system, time)).end).toBe('rolledBack')
    const [incident] = incidentsOf(readMigration(folder))
    expect(incident).toMatchObject({ movedMs: null })
    expect(incident?.steps.find(({ step }) => step === 'drained')).toMatchObject({
      ok: false,
      detail: '3 agents have not left the new path in 5 min',
    })
  })

  it('does not call an old path that fails verified', async () => {
    const { time, system, folder } = fresh({ slowFrom: 50, brokenBaseline: 1000 })
    expect((await play(folder, system, time)).end).toBe('rolledBack')
    expect(incidentsOf(readMigration(folder))[0]).toMatchObject({ verified: false })
  })

  it('is tried until the system can be reached again', async () => {
    const { time, system, folder } = fresh({ away: [[20_000, 45_000]] })
    const { end, notes } = await play(folder, system, time)
    expect([end, kinds(folder).at(-1)]).toEqual(['rolledBack', 'rollBack'])
    expect(notes).toContain('it is away')
    expect(steps(folder)).toContain('failed 0')
    expect(shares(system)).toEqual([0, 5, 50, 0])
  })

  it('comes at once when an exchange was lost', async () => {
    const { time, system, folder } = fresh({ lostAtMs: 30_000 })
    expect((await play(folder, system, time)).end).toBe('rolledBack')
    expect(incidentsOf(readMigration(folder))[0]).toMatchObject({ reasons: ['1 acknowledged and lost'], lost: 1 })
  })

  it('comes by word, also in steps, and to the canary, which is held', async () => {
    const stepped = fresh()
    await play(stepped.folder, stepped.system, stepped.time, { untilMs: 40_000 })
    ask(stepped.folder, 'rollbackAsked', 'stepped')
    expect((await play(stepped.folder, stepped.system, stepped.time)).end).toBe('rolledBack')
    expect(shares(stepped.system).slice(-3)).toEqual([50, 5, 0])
    const canary = fresh()
    await play(canary.folder, canary.system, canary.time, { untilMs: 25_000 })
    ask(canary.folder, 'rollbackAsked', 'canary')
    await play(canary.folder, canary.system, canary.time, { untilMs: 40_000 })
    expect(readMigration(canary.folder).migration.status).toBe('held')
    expect(shares(canary.system)).toEqual([0, 5, 50, 5])
    ask(canary.folder, 'resumed')
    expect((await play(canary.folder, canary.system, canary.time)).end).toBe('completed')
    expect(shares(canary.system)).toEqual([0, 5, 50, 5, 50, 100])
  })
})

describe('what people ask', () => {
  it('is taken once, also by a process that is killed right after', async () => {
    const { time, system, folder } = fresh()
    await play(folder, system, time, { untilMs: 3000 })
    ask(folder, 'paused')
    const file = join(folder, 'requests')
    await play(folder, system, time, { untilMs: 30_000 })
    expect(readMigration(folder).migration.paused).toBe(true)
    expect(kinds(folder)).toEqual(['enter baseline'])
    // It stands there again, as if the process had been killed before it could take it away.
    ask(folder, 'paused')
    ask(folder, 'resumed')
    await play(folder, system, time, { untilMs: 32_000 })
    expect(readMigration(folder).words.map(({ input }) => input.type)).toEqual(['started', 'paused', 'resumed'])
    writeFileSync(join(file, '1795000000000-zzzzzzzz.json'), '{"type":"approved"}')
    const { notes } = await play(folder, system, time, { untilMs: 33_000 })
    expect(notes).toEqual([expect.stringMatching(/is none, and was dropped/)])
  })

  it('answers a question, which asks for what a phase requires too', async () => {
    const text = planText.replace(
      'percentage: 5, soak: 10s,',
      'percentage: 5, soak: 10s, approval: true, requires: [{ run: { suite: comparison } }],',
    )
    const { time, system, folder } = fresh({}, text)
    const look = (found: boolean) => () =>
      Promise.resolve([{ title: 'a run of comparison that is valid', found, reason: 'looked' }])
    await play(folder, system, time, { untilMs: 30_000, look: look(false) })
    expect(kinds(folder)).toEqual(['enter baseline', 'enter canary', 'hold'])
    ask(folder, 'resumed')
    await play(folder, system, time, { untilMs: 45_000, look: look(true) })
    expect(kinds(folder).at(-1)).toBe('awaitApproval')
    ask(folder, 'approved')
    expect((await play(folder, system, time, { look: look(true) })).end).toBe('completed')
  })
})

describe('a past decision', () => {
  it('is come to again from the histograms', async () => {
    const { time, system, folder } = fresh()
    await play(folder, system, time)
    const explained = explainDecision(folder, readMigration(folder).decisions[2]?.line ?? 0)
    expect(explained).toMatchObject({ kind: 'enter', phase: 'canary', gates: [{ verdict: 'MET', hits: 0 }] })
    expect(explained.histograms).toBeGreaterThan(20)
    expect(() => explainDecision(folder, 1)).toThrow(/line 1 is no decision/)
  })

  it.each([
    ['its counts were altered', (line: string) => line.replace(/"above":\{"300":0/, '"above":{"300":1')],
    ['another decision was written', (line: string) => line.replace('"percentage":50', '"percentage":51')],
    ['an observation was made better', (line: string) => line.replace(/"due":\d{3,}/, '"due":9')],
  ])('is refused when %s, also with a chain that was made anew', async (_what, alter) => {
    const { time, system, folder } = fresh()
    await play(folder, system, time)
    const file = join(folder, journalFile)
    let previous = nothingBefore
    let altered = 0
    const lines = readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => {
        const other = altered === 0 ? alter(line) : line
        if (other !== line) altered++
        const { previous: _previous, hash: _hash, ...body } = JSON.parse(other) as Record<string, unknown>
        const { text, hash } = linkOf(body, previous)
        previous = hash
        return `${text.slice(0, -1)},"hash":"${hash}"}`
      })
    expect(altered).toBe(1)
    writeFileSync(file, `${lines.join('\n')}\n`)
    expect(() => explainDecision(folder, null)).toThrow(/does not hold together|histogram|was altered/)
  })
})
