/** Flags of a bridge, byte for byte. `vitest run test/golden --update` writes them anew; read the difference. */
import { describe, expect, it } from 'vitest'
import type { BridgeStatus, FlagRecord, Flags } from '../../../src/measurement/flags-document.ts'
import { renderFlagHistory, renderFlags } from '../../../src/reports/flags-text.ts'

const flags: Flags = {
  enabled: true,
  percentage: 12.5,
  optIn: Array.from({ length: 12 }, (_, agent) => `a${agent}`),
  optOut: [],
  fallback: true,
  dualMode: true,
  deprecation: true,
  legacyOff: false,
}
const status: BridgeStatus = {
  revision: 7,
  atWallMs: 1_795_000_000_000,
  actor: 'ada',
  reason: 'the canary held for 48 h',
  hash: 'c0ffee'.repeat(10).padEnd(64, '0'),
  flags,
  agents: { known: 12_000, assignedPush: 1534, connectedPush: 1500, polling: 10_480 },
  draining: true,
  oldPath: { open: true, held: 10_200, room: 20_000 },
  buckets: { statistic: 17.31, degrees: 19, p: 0.568 },
}
const idle: BridgeStatus = {
  ...status,
  flags: { ...flags, enabled: false, optIn: [], fallback: false, dualMode: false, legacyOff: true },
  agents: { known: 0, assignedPush: 0, connectedPush: 0, polling: 0 },
  draining: false,
  oldPath: { open: false, held: 0, room: 20_000 },
  buckets: null,
}
const hostile: BridgeStatus = {
  ...status,
  actor: 'ada\u001b[31m',
  reason: '│ forged │ [x](http://evil)',
  buckets: { statistic: 99, degrees: 19, p: 1e-12 },
}
const record = (revision: number, change: Partial<Flags>): FlagRecord => {
  const { atWallMs, actor, reason, hash } = status
  return { revision, atWallMs: atWallMs + revision, actor, reason, flags: { ...flags, ...change }, previous: hash, hash }
}

describe.each([60, 100])('at %d columns', (width) => {
  const style = { width, color: false }
  it.each([
    ['moving', status],
    ['idle', idle],
    ['hostile', hostile],
  ] as const)('the flags of a bridge that is %s', async (name, shown) => {
    await expect(renderFlags(shown, style)).toMatchFileSnapshot(`flags-${name}-${width}.txt`)
  })

  it('their log', async () => {
    const records = [record(0, { enabled: false }), record(1, {}), record(2, { percentage: 25, optIn: [] }), record(3, { percentage: 25, optIn: [] })]
    await expect(renderFlagHistory({ salt: 's', records }, style)).toMatchFileSnapshot(`flag-log-${width}.txt`)
  })
})
