/** However the files of a run are damaged, reading them gives a run or a LighthouseError, and never anything else. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { documentText } from '../../../src/measurement/canonical-json.ts'
import { memoryFiles } from '../../../src/measurement/run-files.ts'
import { roundFolder } from '../../../src/measurement/run-names.ts'
import { readRun } from '../../../src/measurement/run-reader.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'
import { pollingLabel, recordedLog, recordedManifest, recordedRound } from '../../unit/measurement/recorded-run.ts'

function recordedFiles(): Map<string, Uint8Array> {
  const files: [string, string][] = [
    ['run.json', documentText(recordedManifest)],
    ['targets.json', '{"targets":[]}\n'],
    ['claims.json', '{"claims":[]}\n'],
  ]
  for (const engine of [pollingLabel, 'elicitation']) {
    const folder = `rounds/${roundFolder(0, engine, 0)}`
    files.push([`${folder}/round.json`, documentText(recordedRound(0, engine))])
    files.push([`${folder}/histograms.hlog`, recordedLog([[1500, 2500], [3500]])])
  }
  return new Map(files.map(([path, text]) => [path, Buffer.from(text)]))
}

const whole = recordedFiles()
const paths = [...whole.keys()]

/** Damage of one file: gone, cut, some bytes replaced, or a JSON member given another value. */
const damage = fc.oneof(
  fc.record({ kind: fc.constant('gone' as const) }),
  fc.record({ kind: fc.constant('cut' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({
    kind: fc.constant('bytes' as const),
    at: fc.nat(20_000),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 4 }),
  }),
  fc.record({ kind: fc.constant('member' as const), at: fc.nat(200), value: fc.json({ maxDepth: 2 }) }),
)

type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never

function apply(files: Map<string, Uint8Array>, path: string, fault: Damage): void {
  const data = Buffer.from(files.get(path) ?? [])
  if (fault.kind === 'gone') files.delete(path)
  else if (fault.kind === 'cut') files.set(path, data.subarray(0, Math.floor(data.length * fault.share)))
  else if (fault.kind === 'bytes') {
    if (data.length < fault.bytes.length) return
    data.set(fault.bytes, fault.at % (data.length - fault.bytes.length + 1))
    files.set(path, data)
  } else {
    let seen = 0
    const target = fault.at % Math.max(1, data.toString().split(/": [^\n{[]+/).length - 1)
    const text = data
      .toString()
      .replace(/": [^\n{[]+?(,?\n)/g, (all, end: string) => (seen++ === target ? `": ${fault.value}${end}` : all))
    files.set(path, Buffer.from(text))
  }
}

describe('readRun', () => {
  it('reads the whole run, so that the cases below start from a good one', () => {
    expect(readRun(memoryFiles(recordedFiles())).rounds).toHaveLength(2)
  })

  it('contains every damage', () => {
    let refused = 0
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...paths), damage), { minLength: 1, maxLength: 3 }), (faults) => {
        const files = recordedFiles()
        for (const [path, fault] of faults) apply(files, path, fault)
        try {
          const run = readRun(memoryFiles(files))
          expect(run.manifest.schemaVersion).toBe(1)
        } catch (error) {
          if (!(error instanceof LighthouseError)) throw error
          expect(error.code).toBe('RUN_DIRECTORY')
          // The file at fault is named.
          expect(error.message).toMatch(/\.json|\.hlog/)
          refused++
        }
      }),
      { numRuns: 500 },
    )
    expect(refused).toBeGreaterThan(250)
  })
})
