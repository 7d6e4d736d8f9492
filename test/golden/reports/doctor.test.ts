/** The doctor's findings, byte for byte. `vitest run test/golden --update` writes them anew; read the difference. */
import { describe, expect, it } from 'vitest'
import type { MachineReading } from '../../../src/measurement/read-machine.ts'
import { renderDoctor } from '../../../src/reports/doctor-text.ts'
import { diagnosed, healthyMachine } from '../../unit/suites/planted-machine.ts'

const { noise, clock, tools } = healthyMachine
const skipped = 'not measured: --quick leaves it out'

const limited: Partial<MachineReading> = {
  descriptors: { soft: { value: 1024 }, hard: { value: 4096 } },
  tools: tools.map((tool) =>
    tool.name === 'netem' ? { ...tool, state: 'missing', detail: 'tc is neither on PATH nor in /usr/sbin' } : tool,
  ),
}
const busy: Partial<MachineReading> = { noise: { ...noise, stealPercent: 20 }, cpus: { logical: 1, usable: 1, quotaCores: null } }
const quick: Partial<MachineReading> = {
  noise: { stealPercent: null, foreignCpuPercent: null, reason: skipped },
  clock: {
    ...clock,
    agreement: { value: null, reason: skipped },
    sendLatenessP99Ms: { value: null, reason: skipped },
    timers: 0,
  },
  windowMs: 0,
}
/** The comparison alone is stopped. */
const unready: Partial<MachineReading> = { clock: { ...clock, sendLatenessP99Ms: { value: 12.4 } } }
const hostile: Partial<MachineReading> = {
  output: { ...healthyMachine.output, folder: 'runs\u001b[31m\n│ forged │' },
}

const cases = [
  ['healthy', {}],
  ['limited', limited],
  ['busy', busy],
  ['quick', quick],
  ['unready', unready],
  ['hostile', hostile],
] as const

describe.each(cases)('the findings on a machine that is %s', (name, planted) => {
  const document = diagnosed(planted)

  it.each([60, 100])('on a terminal of %i columns', async (width) => {
    const text = renderDoctor(document, { width, color: false })
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(width)
    await expect(text).toMatchFileSnapshot(`./doctor-${name}-${width}.txt`)
  })
})

it('has colour where it is asked for, and the same words', () => {
  const document = diagnosed(busy)
  const colour = renderDoctor(document, { width: 100, color: true })
  expect(colour).toContain('\u001b[31m')
  expect(colour.replaceAll(/\u001b\[\d+m/g, '')).toBe(renderDoctor(document, { width: 100, color: false }))
})
