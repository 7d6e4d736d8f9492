/** Progress on virtual time: how often it writes, and that it writes nothing when quiet. */
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createProgress, type RoundInfo } from '../../../src/reports/progress.ts'

const info: RoundInfo = {
  engine: 'polling',
  rounds: 3,
  round: 0,
  scheduled: 300,
  sent: 100,
  completed: 90,
  p50Ms: 1,
  p99Ms: 2,
}

function set(interactive: boolean, quiet: boolean) {
  const written: string[] = []
  const terminal = Object.assign(new PassThrough(), { columns: 100, rows: 30, isTTY: interactive })
  terminal.on('data', (chunk: Buffer) => written.push(chunk.toString()))
  let nowNs = 0
  const clock = { nowNs: () => nowNs, wallMs: () => 0 }
  const stream: NodeJS.WriteStream = terminal as never
  const progress = createProgress({ stream, interactive, quiet, clock })
  const pass = (ms: number): void => void (nowNs += ms * 1e6)
  return { progress, pass, text: () => written.join('') }
}

describe('progress', () => {
  it('writes plain lines sparingly where nothing can be redrawn', async () => {
    const { progress, pass, text } = set(false, false)
    progress.stage('starting')
    for (let report = 0; report < 40; report++) {
      pass(250)
      progress.round(info)
    }
    progress.roundDone('round 1 of 3: polling')
    await progress.finish()
    const lines = text().trimEnd().split('\n')
    expect(lines[0]).toBe('starting')
    expect(lines.at(-1)).toBe('round 1 of 3: polling')
    // 10 s of reports, one line every 5 s.
    expect(lines.filter((line) => line.includes('90 of 300'))).toHaveLength(2)
    expect(text()).not.toContain('\u001b')
  })

  it('redraws each stage on a terminal and gives the stream back', async () => {
    const { progress, pass, text } = set(true, false)
    progress.stage('starting')
    progress.stage('measuring')
    await new Promise((resolve) => setImmediate(resolve))
    pass(600)
    progress.round(info)
    progress.round({ ...info, completed: 91 })
    await progress.finish()
    expect(text()).toContain('starting')
    expect(text()).toContain('measuring')
    expect(text()).not.toContain('91 of 300')
  })

  it('is silent when quiet', async () => {
    const { progress, text } = set(true, true)
    progress.stage('starting')
    progress.round(info)
    progress.roundDone('done')
    await progress.finish()
    expect(text()).toBe('')
  })
})
