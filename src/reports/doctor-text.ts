/**
 * The doctor's findings for the terminal: the verdict first, then which suites can be valid and what stands in their way, then
 * every check. Tables come from the same hands as those of reports, so they keep the width they are given.
 */
import type { Check, DoctorDocument, SuiteVerdict } from '../measurement/doctor-document.ts'
import { bytes, count, duration } from './numbers.ts'
import type { Cell, Line, Section, Tone } from './report-model.ts'
import { renderPage, type TerminalStyle } from './terminal.ts'

/** Ends in a line feed. */
export function renderDoctor(document: DoctorDocument, style: TerminalStyle): string {
  const { exitCode } = document
  const headline = `${verdictText(document)} (exit ${exitCode})`
  const tone: Tone = exitCode === 0 ? 'good' : exitCode === 20 ? 'doubt' : 'bad'
  const sections = [suiteSection(document), ...adviceSections(document), checkSection(document)]
  return renderPage({ headline, tone, scope: scopeText(document), summary: unknownLines(document), sections }, style)
}

function verdictText({ exitCode, profile, suites }: DoctorDocument): string {
  const asked = suites.filter((suite) => suite.profile === profile)
  const known = asked.every(({ unknown }) => unknown.length === 0) ? '' : ', AS FAR AS KNOWN,'
  if (exitCode === 0) return `EVERY SUITE CAN BE VALID HERE${known} at profile ${profile}`
  const stopped = asked.filter(({ state }) => state === 'CANNOT_BE_VALID')
  if (stopped.length === asked.length) return `NO SUITE CAN BE VALID HERE at profile ${profile}`
  if (exitCode !== 20) return `bench compare CANNOT BE VALID HERE at profile ${profile}`
  return `SUITES ARE LIMITED HERE at profile ${profile}`
}

function scopeText({ machine }: DoctorDocument): string {
  const window = machine.windowMs === 0 ? 'Nothing was timed' : `Timed for ${machine.windowMs / 1000} s`
  return `${window}; no engine was started and nothing was left behind. The audit of every round has the last word.`
}

/** The same checks bear on every suite. */
function unknownLines({ suites }: DoctorDocument): Line[] {
  const unknown = distinct(suites.flatMap((suite) => suite.unknown)).map((name) => checkTitles[name])
  return unknown.length === 0
    ? []
    : [{ text: `not known, and so no part of any verdict: ${unknown.join(', ')}`, tone: 'doubt' }]
}

function suiteSection({ suites }: DoctorDocument): Section {
  return {
    title: 'Suites',
    table: {
      head: ['suite', 'profile', 'verdict', 'takes', 'writes'],
      rows: suites.map((suite) => [
        { text: suite.suite },
        { text: suite.profile },
        suiteCell(suite),
        { text: runTime(suite.needs.durationMs) },
        writtenCell(suite),
      ]),
    },
    lines: [],
  }
}

function runTime(durationMs: number): string {
  return durationMs < 120_000 ? duration(durationMs) : `${count(Math.round(durationMs / 60_000))} min`
}

function writtenCell({ needs: { outputBytes, storeBytes } }: SuiteVerdict): Cell {
  const stores = storeBytes === 0 ? {} : { detail: `(stores meanwhile ${bytes(storeBytes)})` }
  return { text: bytes(outputBytes), ...stores }
}

function suiteCell(suite: SuiteVerdict): Cell {
  const { state, fittingAgents, reasons } = suite
  if (state === 'CANNOT_BE_VALID') {
    return {
      text: `cannot be valid here: ${distinct(reasons.map(({ check }) => checkTitles[check])).join(', ')}`,
      tone: 'bad',
    }
  }
  if (state === 'LIMITED') {
    return { text: `limited: the largest level that fits is ${count(fittingAgents)} agents`, tone: 'doubt' }
  }
  return { text: suite.unknown.length === 0 ? 'can be valid' : 'can be valid, as far as known', tone: 'good' }
}

/** Each reason once, with the suites that it concerns, and what to do once, where it is first said. */
function adviceSections({ suites }: DoctorDocument): Section[] {
  const lines: Line[] = []
  const said = new Set<string>()
  const reasons = suites.flatMap((suite) => suite.reasons.map(({ text, advice }) => ({ suite, text, advice })))
  for (const [text, found] of Map.groupBy(reasons, (reason) => reason.text)) {
    const concerned = found.map(({ suite }) => suite)
    const tone = concerned.some(({ state }) => state === 'CANNOT_BE_VALID') ? 'bad' : 'doubt'
    lines.push({ text: `${concernedText(concerned, suites)}: ${text}`, tone })
    for (const what of found.flatMap(({ advice }) => advice)) {
      if (!said.has(what)) lines.push({ text: what })
      said.add(what)
    }
  }
  const notes = suites.flatMap((suite) => [...suite.notes, ...suite.skippedCases].map((text) => ({ suite, text })))
  for (const [text, found] of Map.groupBy(notes, (note) => note.text)) {
    const concerned = found.map(({ suite }) => suite)
    lines.push({ text: `${concernedText(concerned, suites)}: ${text}` })
  }
  return lines.length === 0 ? [] : [{ title: 'What stands in the way', lines }]
}

function concernedText(concerned: readonly SuiteVerdict[], all: readonly SuiteVerdict[]): string {
  return concerned.length === all.length && all.length > 1
    ? 'every suite'
    : concerned.map(({ suite, profile }) => `${suite} ${profile}`).join(', ')
}

/** What stands in a suite's way was told above. */
function checkSection({ checks, suites }: DoctorDocument): Section {
  const told = suites.flatMap(({ reasons }) => reasons.map(({ check }) => check))
  return {
    title: 'Checks',
    table: {
      head: ['check', 'state', 'reading'],
      rows: checks.map((check) => [
        { text: checkTitles[check.name] },
        { text: check.state, tone: tones[check.state] },
        { text: check.reading },
      ]),
    },
    lines: checks
      .filter(({ name, state }) => state !== 'OK' && !told.includes(name))
      .map(({ name, state, reason, advice }) => ({
        text: [`${checkTitles[name]}: ${reason ?? 'no reason given'}.`, ...advice].join(' '),
        tone: tones[state],
      })),
  }
}

const tones: Readonly<Record<Check['state'], Tone>> = {
  OK: 'good',
  LIMITED: 'doubt',
  FAILED: 'bad',
  UNKNOWN: 'plain',
}

const checkTitles: Readonly<Record<Check['name'], string>> = {
  node: 'Node',
  descriptors: 'descriptors',
  cores: 'cores',
  memory: 'memory',
  ports: 'ports',
  steal: 'steal',
  foreignCpu: 'foreign CPU',
  clock: 'clock',
  timers: 'timers',
  disk: 'disk',
  fsync: 'fsync',
  git: 'git',
  postgresql: 'PostgreSQL server',
  prlimit: 'prlimit',
  cgroupMemory: 'memory limit (cgroup)',
  networkNamespace: 'network namespace',
  netem: 'tc netem',
}

function distinct<T>(words: readonly T[]): T[] {
  return [...new Set(words)]
}
