/** Attacks on a migration: on its share, on its way back, on what people ask of it. Each is one that a migration without the defence would let through. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { AdminClient } from '../../../src/engines/bridge/admin-client.ts'
import type { EngineServer } from '../../../src/engines/engine.ts'
import { BridgeSystem } from '../../../src/migration/bridge-system.ts'
import { openMigration, readMigration } from '../../../src/migration/folders.ts'
import { journalFile } from '../../../src/migration/journal.ts'
import { readRequests, writeRequest } from '../../../src/migration/requests.ts'
import { seededRandom } from '../../../src/platform/random.ts'
import { adminKey, setFlags, startBridge } from '../bridge/bridge-harness.ts'
import { begun, MovedSystem, play, VirtualTime } from './moved-system.ts'

const fresh = (plants: ConstructorParameters<typeof MovedSystem>[1] = {}) => {
  const time = new VirtualTime()
  return { time, system: new MovedSystem(time, plants), folder: begun() }
}
const shares = (system: MovedSystem): number[] => system.directives.map(({ percentage }) => percentage)

describe('a share that somebody else changes', () => {
  let server: EngineServer | null = null
  afterEach(async () => server?.close())

  it('is seen on a bridge, and is no good health', async () => {
    server = await startBridge()
    const client = new AdminClient({ url: server.url, adminKey })
    const system = new BridgeSystem(client, server.url)
    const to = (percentage: number) =>
      system.direct({ percentage, switches: {}, actor: 'lighthouse', reason: 'a phase' })
    await to(5)
    expect(await system.health(5)).toMatchObject({ healthy: true })
    await setFlags(server.url, { percentage: 100 })
    expect(await system.health(5)).toEqual({
      healthy: false,
      reason: 'its flags say 100 % where 5 % was decided; last changed by test',
    })
    expect(await system.health(null)).toMatchObject({ healthy: true })
    await setFlags(server.url, { percentage: 5, enabled: false })
    expect(await system.health(5)).toMatchObject({ healthy: false })
    expect(await system.health(0)).toMatchObject({ healthy: true })
    await to(0)
    expect(await system.health(0)).toMatchObject({ healthy: true })
    await client.close()
  })

  it('sends everybody back when it stays', async () => {
    const { time, system, folder } = fresh()
    system.meddledAtMs = 10_000
    expect((await play(folder, system, time)).end).toBe('rolledBack')
    expect(readMigration(folder).decisions.at(-1)?.decision).toMatchObject({
      reasons: ['3 health checks failed in a row'],
    })
  })
})

describe('a rollback', () => {
  it('goes on when somebody raises the share again while agents leave', async () => {
    const { time, system, folder } = fresh({ slowFrom: 50 })
    const whereabouts = system.whereabouts.bind(system)
    let meddled = 0
    system.whereabouts = async () => {
      const last = system.directives.at(-1)
      // Once everybody was told to go back, and before they have.
      if (last?.percentage === 0 && system.directives.length > 3 && meddled++ === 1)
        await system.direct({ ...last, percentage: 100 })
      return whereabouts()
    }
    expect((await play(folder, system, time)).end).toBe('rolledBack')
    expect(shares(system)).toEqual([0, 5, 50, 0, 100, 0])
  })

  it('cannot be undone by anything that is asked afterwards', async () => {
    const { time, system, folder } = fresh({ slowFrom: 50 })
    await play(folder, system, time)
    for (const type of ['approved', 'resumed', 'rollbackAsked'] as const)
      writeRequest(
        folder,
        { type, actor: 'eve', reason: 'go on', mode: 'canary' },
        1_795_000_900_000,
        seededRandom(type),
      )
    expect((await play(folder, system, time)).end).toBe('rolledBack')
    expect(shares(system)).toEqual([0, 5, 50, 0])
    expect(readMigration(folder).migration.status).toBe('rolledBack')
  })

  it('that was forged into the journal is refused, as is a journal from which one was taken', async () => {
    const { time, system, folder } = fresh({ slowFrom: 50 })
    await play(folder, system, time)
    const file = join(folder, journalFile)
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    const back = lines.findIndex((line) => line.includes('"kind":"rollBack"'))
    writeFileSync(file, `${lines.filter((_line, index) => index !== back).join('\n')}\n`)
    expect(() => openMigration(folder)).toThrow(/was altered|does not hold together/)
    const other = fresh()
    await play(other.folder, other.system, other.time, { untilMs: 9000 })
    const healthy = join(other.folder, journalFile)
    writeFileSync(healthy, `${readFileSync(healthy, 'utf8')}${lines[back] ?? ''}\n`)
    expect(() => openMigration(other.folder)).toThrow(/was altered/)
  })
})

describe('a request', () => {
  it.each([
    [
      'a link to somewhere else',
      (file: string, folder: string) => {
        writeFileSync(join(folder, 'elsewhere'), '{"type":"approved","actor":"eve","reason":"x","mode":"full"}')
        symlinkSync(join(folder, 'elsewhere'), file)
      },
    ],
    ['too long', (file: string) => writeFileSync(file, ' '.repeat(10_000))],
    [
      'with more than belongs in it',
      (file: string) =>
        writeFileSync(file, '{"type":"approved","actor":"eve","reason":"x","mode":"full","admin":true}'),
    ],
    [
      'of another kind',
      (file: string) => writeFileSync(file, '{"type":"started","actor":"eve","reason":"x","mode":"full"}'),
    ],
    [
      'without a name',
      (file: string) => writeFileSync(file, '{"type":"approved","actor":"","reason":"x","mode":"full"}'),
    ],
    [
      'with a name that draws on the terminal',
      (file: string) => writeFileSync(file, '{"type":"approved","actor":"a\\u001b[2J","reason":"x","mode":"full"}'),
    ],
    ['that is no JSON', (file: string) => writeFileSync(file, 'approved')],
    ['that is a folder', (file: string) => mkdirSync(file)],
  ] as [string, (file: string, folder: string) => void][])('%s is none', (_what, plant) => {
    const folder = begun()
    mkdirSync(join(folder, 'requests'))
    plant(join(folder, 'requests', '1795000000000-abcdefgh.json'), folder)
    expect(readRequests(folder)).toEqual([{ id: '1795000000000-abcdefgh', request: null }])
  })

  it('under a name that no request has is not looked at', () => {
    const folder = begun()
    mkdirSync(join(folder, 'requests'))
    for (const name of [
      'x.json',
      '1795000000000-ABCDEFGH.json',
      '1795000000000-abcdefgh.txt',
      '.1795000000000-abcdefgh.json.partial',
    ])
      writeFileSync(join(folder, 'requests', name), '{"type":"approved","actor":"eve","reason":"x","mode":"full"}')
    expect(readRequests(folder)).toEqual([])
  })
})
