/** The recorded migrations under examples/: their certificates verify on every rung, and their decisions are come to again. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import type { DecisionExplanation, MigrationStatus } from '../../src/measurement/migration-document.ts'
import { Sandbox } from './lighthouse-cli.ts'

const examples = fileURLToPath(new URL('../../examples', import.meta.url))
const sandbox = new Sandbox()
afterAll(() => sandbox.cleanUp())

const json = async <T>(...words: string[]): Promise<{ code: number | null; value: T }> => {
  const { code, stdout } = await sandbox.run(...words, '--json')
  return { code, value: JSON.parse(stdout) as T }
}

describe.each([
  ['quick-completed', 0, 'completed', 'complete', 'migration', ['--require', 'APPROVED', '--min-agents', '1000']],
  ['quick-rolled-back', 21, 'rolledBack', 'rollBack', 'rollback', []],
] as const)('%s', (name, exitCode, status, lastDecision, kind, required) => {
  const folder = join(examples, name)

  it('is where it says it is', async () => {
    const { code, value } = await json<MigrationStatus>('migrate', 'status', folder)
    expect([code, value.status, value.lost]).toEqual([exitCode, status, 0])
  })

  it('comes to its last decision again', async () => {
    const { code, value } = await json<DecisionExplanation>('migrate', 'explain', folder)
    expect([code, value.kind]).toEqual([0, lastDecision])
    expect(value.histograms).toBe(2 * value.intervals)
  })

  it('has a certificate that verifies on every rung', async () => {
    const [id = ''] = readdirSync(join(folder, 'certificate'))
    const words = ['--allowed-signers', join(examples, 'allowed_signers'), '--kind', kind, ...required]
    const verified = await sandbox.run('certify', 'verify', join(folder, 'certificate', id), ...words)
    expect(verified.code, verified.stdout + verified.stderr).toBe(0)
    const stranger = await sandbox.run('certify', 'verify', join(folder, 'certificate', id))
    expect(stranger.code).toBe(31)
  })
})
