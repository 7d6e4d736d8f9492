/** Interruption on virtual time and invented signals. */
import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { watchInterruption } from '../../../src/interruption.ts'
import type { Scheduler } from '../../../src/platform/clock.ts'

class FakeProcess extends EventEmitter {
  ppid = 4711
}

function set() {
  const source = new FakeProcess()
  const ticks: (() => void)[] = []
  const deadlines: (() => void)[] = []
  const scheduler: Scheduler = {
    after: (_ms, run) => (deadlines.push(run), () => undefined),
    every: (_ms, run) => (ticks.push(run), () => void ticks.splice(ticks.indexOf(run), 1)),
  }
  const ended: number[] = []
  const lines: string[] = []
  const watch = watchInterruption(
    source,
    scheduler,
    (code) => ended.push(code),
    (line) => lines.push(line),
  )
  return { source, ticks, deadlines, ended, lines, watch }
}

describe('interruption', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 143],
  ] as const)('%s asks first and ends at the second', (name, code) => {
    const { source, ended, lines, watch } = set()
    expect(watch.signal.aborted).toBe(false)
    expect(watch.exitCode()).toBeNull()
    source.emit(name)
    expect(watch.signal.aborted).toBe(true)
    expect(watch.exitCode()).toBe(code)
    expect(ended).toEqual([])
    expect(lines).toHaveLength(1)
    source.emit(name)
    expect(ended).toEqual([code])
  })

  it('takes another parent for a SIGTERM, once', () => {
    const { source, ticks, ended, watch } = set()
    ticks[0]?.()
    expect(watch.signal.aborted).toBe(false)
    source.ppid = 1
    ticks[0]?.()
    ticks[0]?.()
    expect(watch.cause()).toBe('PARENT_GONE')
    expect(watch.exitCode()).toBe(143)
    expect(ended).toEqual([])
  })

  it('ends a command that does not stop in its grace period', () => {
    const { source, deadlines, ended } = set()
    source.emit('SIGINT')
    deadlines[0]?.()
    expect(ended).toEqual([130])
  })

  it('lets go of everything when stopped', () => {
    const { source, ticks, watch } = set()
    watch.stop()
    expect(ticks).toEqual([])
    expect(source.eventNames()).toEqual([])
  })
})
