/** A run written and read back, and one planted fault per kind of damage, each of which must be named. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createRunDirectory, openRunDirectory, type RunDirectory } from '../../../src/measurement/run-directory.ts'
import { folderFiles, maximumFileBytes, memoryFiles } from '../../../src/measurement/run-files.ts'
import { fileNameOf, roundFolder } from '../../../src/measurement/run-names.ts'
import { readRun } from '../../../src/measurement/run-reader.ts'
import { LighthouseError } from '../../../src/platform/errors.ts'
import { pollingLabel, recordedLog, recordedManifest, recordedRound } from './recorded-run.ts'

let parent = ''
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'lighthouse-run-'))
})
afterEach(() => rmSync(parent, { recursive: true, force: true }))

function started(): RunDirectory {
  const directory = createRunDirectory(parent, recordedManifest.runId)
  directory.start(recordedManifest, '{"targets":["a < 1ms"]}\n', '{"claims":[]}\n')
  return directory
}

function withRounds(): RunDirectory {
  const directory = started()
  directory.writeRound(recordedRound(1, 'elicitation'), recordedLog([[700], []]))
  directory.writeRound(recordedRound(0, pollingLabel, 1), recordedLog([[1500, 2500], [3500]]))
  directory.writeRound(recordedRound(0, pollingLabel), recordedLog([[1], [2]]))
  directory.writeRound(recordedRound(0, 'elicitation'), recordedLog([[800], [900]]))
  return directory
}

function failure(run: () => unknown): LighthouseError {
  try {
    run()
  } catch (error) {
    if (error instanceof LighthouseError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

describe('writing', () => {
  it('is read back as it was written, in the order of the plan', () => {
    const directory = withRounds()
    const run = openRunDirectory(directory.path)
    expect(run.manifest).toEqual(recordedManifest)
    expect(run.rounds.map(({ folder }) => folder)).toEqual([
      '00-elicitation',
      `00-${fileNameOf(pollingLabel)}`,
      `00-${fileNameOf(pollingLabel)}-a1`,
      '01-elicitation',
    ])
    expect(run.rounds[2]?.evidence).toEqual(recordedRound(0, pollingLabel, 1))
    const blocks = run.rounds[2]?.histograms.get('roundTrip')
    expect(blocks?.map(({ values }) => [...values])).toEqual([[1500, 2501], [3501]])
    expect([run.targets, run.claims]).toEqual([{ targets: ['a < 1ms'] }, { claims: [] }])
    expect('results' in run).toBe(false)
  })

  it('reads alike from memory', () => {
    const directory = withRounds()
    const files = folderFiles(directory.path)
    const memory = memoryFiles(new Map(files.list().map((path) => [path, files.read(path)])))
    expect(readRun(memory)).toEqual(readRun(files))
  })

  it('is readable as soon as it has started, without a round', () => {
    const run = openRunDirectory(started().path)
    expect([run.manifest.runId, run.rounds]).toEqual([recordedManifest.runId, []])
  })

  it('does not take brackets within text for nesting', () => {
    const directory = createRunDirectory(parent, recordedManifest.runId)
    const claims = { text: `${'['.repeat(50)}"\\${'{'.repeat(50)}` }
    directory.start(recordedManifest, '{}', JSON.stringify(claims))
    expect(openRunDirectory(directory.path).claims).toEqual(claims)
  })

  it('never overwrites a run or a round', () => {
    const directory = withRounds()
    const before = readFileSync(join(directory.path, 'rounds/00-elicitation/histograms.hlog'))
    const again = failure(() => createRunDirectory(parent, recordedManifest.runId))
    expect([again.code, again.suggestions[0]]).toEqual([
      'RUN_DIRECTORY',
      expect.stringMatching(/Nothing is ever overwritten/),
    ])
    expect(failure(() => directory.writeRound(recordedRound(0, 'elicitation'), '')).code).toBe('RUN_DIRECTORY')
    expect(readFileSync(join(directory.path, 'rounds/00-elicitation/histograms.hlog'))).toEqual(before)
    expect(openRunDirectory(directory.path).rounds).toHaveLength(4)
  })

  it('leaves no unfinished file behind and ignores those of a killed run', () => {
    const directory = withRounds()
    expect(readdirSync(join(directory.path, 'rounds')).filter((name) => name.startsWith('.'))).toEqual([])
    cpSync(join(directory.path, 'rounds/00-elicitation'), join(directory.path, 'rounds/.01-polling.partial'), {
      recursive: true,
    })
    writeFileSync(join(directory.path, '.results.json.partial'), '{"schemaVersion":1,')
    expect(openRunDirectory(directory.path).rounds).toHaveLength(4)
  })

  it('refuses figures that JSON would turn into null', () => {
    const directory = started()
    const round = recordedRound(0, 'elicitation')
    const error = failure(() => directory.writeRound({ ...round, audit: { ...round.audit, achievedRatio: NaN } }, ''))
    expect(error.message).toMatch(/rounds\/00-elicitation\/round\.json would not be valid: audit\.achievedRatio/)
    expect(existsSync(join(directory.path, 'rounds'))).toBe(false)
  })

  it('writes what is derived as often as asked', () => {
    const directory = withRounds()
    for (const text of ['first', 'second']) {
      directory.writeReport(text)
      directory.writeHgrm(pollingLabel, 'roundTrip', text)
      directory.writeLedger({ text })
    }
    const name = `histograms/${fileNameOf(pollingLabel)}.roundTrip.hgrm`
    expect(readFileSync(join(directory.path, 'report.md'), 'utf8')).toBe('second')
    expect(readFileSync(join(directory.path, name), 'utf8')).toBe('second')
    directory.updateManifest({ ...recordedManifest, finishedAt: '2026-11-22T02:08:00.000Z', interrupted: true })
    expect(openRunDirectory(directory.path).manifest.interrupted).toBe(true)
  })

  it.runIf(process.platform === 'linux')('says what to do when the disk is full, and keeps what was there', () => {
    const directory = withRounds()
    directory.writeReport('kept')
    // The temporary name leads to the device whose every write fails with ENOSPC.
    symlinkSync('/dev/full', join(directory.path, '.report.md.partial'))
    const error = failure(() => directory.writeReport('lost'))
    expect([error.code, error.suggestions[0]]).toEqual(['RUN_DIRECTORY', expect.stringMatching(/Free some space/)])
    expect(error.message).toMatch(/report\.md: ENOSPC/)
    expect(readFileSync(join(directory.path, 'report.md'), 'utf8')).toBe('kept')
  })

  it('says what to do when the folder cannot be made', () => {
    writeFileSync(join(parent, 'file'), '')
    const error = failure(() => createRunDirectory(join(parent, 'file'), recordedManifest.runId))
    expect([error.code, error.exitCode]).toEqual(['RUN_DIRECTORY', 24])
    expect(error.suggestions[0]).toMatch(/--output/)
  })
})

describe('a killed writer', () => {
  it.each([1, 4, 9])('leaves a readable run with every round it had named (killed after %i)', async (rounds) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'round-writer.ts'), parent], {
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 15_000,
    })
    const ended = once(child, 'exit')
    let named: string[] = []
    let output = ''
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString()
      named = output.split('\n').slice(0, -1)
      if (named.length >= rounds) child.kill('SIGKILL')
    })
    const [, signal] = (await ended) as [number | null, string | null]
    expect(signal).toBe('SIGKILL')
    expect(named.length).toBeGreaterThanOrEqual(rounds)
    const run = openRunDirectory(join(parent, recordedManifest.runId))
    expect(run.rounds.map(({ folder }) => folder)).toEqual(expect.arrayContaining(named))
    const report = readFileSync(join(run.directory.path, 'report.md'), 'utf8').split('\n')
    expect([report.length, new Set(report).size]).toEqual([10_001, 2])
  })
})

describe('reading what was damaged', () => {
  const round = 'rounds/00-elicitation/round.json'
  const log = 'rounds/00-elicitation/histograms.hlog'

  function damaged(change: (files: Map<string, Uint8Array>) => void): LighthouseError {
    const files = folderFiles(withRounds().path)
    const map = new Map(files.list().map((path) => [path, files.read(path)]))
    change(map)
    return failure(() => readRun(memoryFiles(map)))
  }

  function edit(path: string, change: (text: string) => string): (files: Map<string, Uint8Array>) => void {
    return (files) => {
      const before = Buffer.from(files.get(path) ?? []).toString()
      const after = change(before)
      if (after === before) throw new Error('the fault was not planted')
      files.set(path, Buffer.from(after))
    }
  }

  it.each([
    ['run.json missing', (files: Map<string, Uint8Array>) => files.delete('run.json'), /^run\.json is missing/],
    [
      'round.json missing',
      (files: Map<string, Uint8Array>) => files.delete(round),
      /^rounds\/00-elicitation\/round\.json is missing/,
    ],
    [
      'log missing',
      (files: Map<string, Uint8Array>) => files.delete(log),
      /^rounds\/00-elicitation\/histograms\.hlog is missing/,
    ],
    ['targets missing', (files: Map<string, Uint8Array>) => files.delete('targets.json'), /^targets\.json is missing/],
    ['JSON cut short', edit('run.json', (text) => text.slice(0, -20)), /^run\.json is not JSON/],
    [
      'not UTF-8',
      (files: Map<string, Uint8Array>) => files.set('claims.json', Buffer.from([0xff])),
      /^claims\.json is not UTF-8/,
    ],
    [
      'a newer schema',
      edit('run.json', (text) => text.replace('"schemaVersion": 1', '"schemaVersion": 2')),
      /schemaVersion 2; this version of Lighthouse reads 1/,
    ],
    [
      'no schema version',
      (files: Map<string, Uint8Array>) => files.set('run.json', Buffer.from('[]')),
      /has no schemaVersion/,
    ],
    [
      'an unknown member',
      edit(round, (text) => text.replace('"round": 0', '"round": 0, "note": "x"')),
      /Unrecognized key: "note"/,
    ],
    ['a negative count', edit(round, (text) => text.replace('"lost": 0', '"lost": -1')), /counts\.lost/],
    [
      'a null figure',
      edit(round, (text) => text.replace('"cpuPercent": 12.5', '"cpuPercent": null')),
      /audit\.cpuPercent/,
    ],
    [
      'an engine the run does not have',
      edit(round, (text) => text.replace('"elicitation"', '"other"')),
      /engine "other", which run\.json does not name/,
    ],
    [
      'a round in another place',
      edit(round, (text) => text.replace('"round": 0', '"round": 7')),
      /belongs into the folder rounds\/07-elicitation/,
    ],
    [
      'a damaged log',
      edit(log, (text) => text.slice(0, -40)),
      /^rounds\/00-elicitation\/histograms\.hlog, line 9: the last line is cut/,
    ],
    [
      'nesting without end',
      (files: Map<string, Uint8Array>) =>
        files.set('targets.json', Buffer.from('['.repeat(400_000) + ']'.repeat(400_000))),
      /^targets\.json is nested more than 32 deep/,
    ],
    [
      'an oversize document',
      (files: Map<string, Uint8Array>) => files.set('claims.json', Buffer.alloc(3 * 2 ** 20)),
      /claims\.json has 3145728 bytes/,
    ],
    [
      'an oversize file',
      (files: Map<string, Uint8Array>) => files.set(log, new Uint8Array(maximumFileBytes + 1)),
      /larger than 67108864 bytes/,
    ],
    [
      'results of another version',
      (files: Map<string, Uint8Array>) => files.set('results.json', Buffer.from('{"schemaVersion":9}')),
      /results\.json has schemaVersion 9/,
    ],
  ])('%s', (_name, change, message) => {
    const error = damaged(change)
    expect(error.code).toBe('RUN_DIRECTORY')
    expect(error.message).toMatch(message)
    expect(error.suggestions.length + (/larger than/.test(error.message) ? 1 : 0)).toBeGreaterThan(0)
  })

  it('names a folder that is not there', () => {
    expect(failure(() => openRunDirectory(join(parent, 'nowhere'))).message).toMatch(
      /Cannot read the run directory .*nowhere/,
    )
  })

  it('follows no symbolic link', () => {
    const directory = withRounds()
    rmSync(join(directory.path, 'claims.json'))
    writeFileSync(join(parent, 'claims.json'), '{}')
    symlinkSync(join(parent, 'claims.json'), join(directory.path, 'claims.json'))
    expect(failure(() => openRunDirectory(directory.path)).message).toMatch(/^claims\.json is missing/)
    expect(failure(() => folderFiles(directory.path).read('../claims.json')).message).toMatch(/missing/)
  })
})

describe('names', () => {
  it('keeps plain labels and tells apart what it has to change', () => {
    expect(fileNameOf('elicitation')).toBe('elicitation')
    const labels = [
      'polling:interval=100ms',
      'polling_interval_100ms',
      'polling interval=100ms',
      'x-a1',
      '../../etc',
      '',
      '.',
      'é',
      'x'.repeat(90),
      'x'.repeat(91),
    ]
    const names = labels.map(fileNameOf)
    expect(new Set(names).size).toBe(labels.length)
    for (const name of names) expect(name).toMatch(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,56}$/)
  })

  it('keeps a label that ends like a repeat apart from a repeat', () => {
    expect(roundFolder(3, 'x', 1)).toBe('03-x-a1')
    expect(roundFolder(3, 'x-a1', 0)).not.toBe('03-x-a1')
    expect(roundFolder(112, 'x', 0)).toBe('112-x')
  })
})
