/**
 * The command that would decide a target: the run again with its engines and sizes, and with what it lacked. Addresses and
 * files are not in a run directory, so these stand as placeholders in capitals or by the name of the file.
 */
import { boundOf, durationOf, quantileOf, type TargetExpression } from '../statistics/target-expression.ts'
import type { EngineArm, RunManifest } from './round-evidence.ts'
import type { Forecast, Lack } from './explanation-document.ts'
import type { Suite } from './vocabulary.ts'

/** What the flags take at most. */
const mostRounds = 1000
const mostAgentsOrRate = 1_000_000
const longestRoundMs = 7 * 86_400_000
/** Of an endurance run, of all engines together, at any rate. */
const mostIntervals = 500
/** Suites without a choice of host: what is broken, or read at rest, runs in a process of its own. */
const ownProcesses: readonly Suite[] = ['failure-recovery', 'endurance']
const shippedTargets = 'fixtures/targets/'

const suiteCommands: Readonly<Record<Suite, string>> = {
  comparison: 'compare',
  scaling: 'scale',
  'failure-recovery': 'recovery',
  burst: 'burst',
  contention: 'contention',
  coordination: 'coordination',
  endurance: 'endurance',
  'memory-pressure': 'memory',
}

/** Null when the verdict stands or nothing is known to help. */
export function commandFor(
  expression: TargetExpression,
  forecast: Forecast,
  lacks: readonly Lack[],
  { plan, ...manifest }: RunManifest,
): string | null {
  const has = (kind: Lack['kind']): boolean => lacks.some((lack) => lack.kind === kind)
  if (forecast.state === 'DECIDED' || lacks.some(isBeyondFlags)) return null
  if (forecast.state === 'BEYOND_LIMIT' && !has('duration')) return null
  if (forecast.state === 'NO_HELP' && lacks.length === 0) return null

  const bound = boundOf(expression)
  const above = expression.comparator === '>' ? 1 : 0
  const agents = has('agents') ? evenFor(plan.pattern, Math.ceil(bound) + above) : plan.agents
  const ratePerSecond = has('rate') ? bound + above : plan.ratePerSecond
  const rounds = Math.min(mostRounds, Math.max(plan.rounds, forecast.rounds ?? 0))
  const needsMs = has('duration') ? (durationOf(expression) ?? 0) / rounds : 0
  const roundMs = Math.max(
    plan.roundDurationMs,
    needsMs,
    has('roundLength') ? 2000 : 0,
    has('samplesPerRound') ? roundMsForQuantile(expression, ratePerSecond) : 0,
  )
  if (agents > mostAgentsOrRate || ratePerSecond > mostAgentsOrRate || roundMs > longestRoundMs) return null
  const engines = has('baseline') ? ['polling', ...manifest.engines.map(labelOf)] : manifest.engines.map(labelOf)
  const scaling = manifest.suite === 'scaling'
  // Its loads are a list of their own, which more rounds leave as it is.
  const stores = manifest.suite === 'contention'
  const words = [
    ...['lighthouse', 'bench', suiteCommands[manifest.suite], '--profile', manifest.profile],
    ...[stores ? '--stores' : '--engines', engines.join(',')],
    ...(scaling
      ? ['--agents-list', `${agents}`, '--rate-per-agent', `${Number((ratePerSecond / agents).toPrecision(6))}`]
      : stores
        ? []
        : manifest.suite === 'coordination'
          ? patternFlags(plan)
          : ['--agents', `${agents}`, '--rate', `${Number(ratePerSecond.toPrecision(6))}`]),
    ...(manifest.suite === 'endurance'
      ? intervalFlags(rounds * roundMs * manifest.engines.length, plan.roundDurationMs)
      : ['--rounds', `${rounds}`, '--round-duration', durationFlag(roundMs)]),
    ...otherFlags({ plan, ...manifest }),
    ...(ownProcesses.includes(manifest.suite)
      ? []
      : stores
        ? storeFlags(manifest.engines)
        : hostFlags(manifest.engines)),
  ]
  return words.map(shellWord).join(' ')
}

/** More time is more intervals, until there are as many as a run may have. */
function intervalFlags(loadMs: number, intervalMs: number): string[] {
  const longEnoughMs = Math.max(intervalMs, Math.ceil(loadMs / mostIntervals / 1000) * 1000)
  return [
    '--duration',
    durationFlag(loadMs),
    '--interval',
    durationFlag(loadMs / intervalMs > mostIntervals ? longEnoughMs : intervalMs),
  ]
}

function isBeyondFlags({ kind, moreRoundsHelp }: Lack): boolean {
  return kind === 'engine' || kind === 'stage' || kind === 'other' || (kind === 'samples' && !moreRoundsHelp)
}

/** A round has a quantile of its own from 10/(1−q) samples on; a fifth more, since arrivals are random. */
function roundMsForQuantile({ measure }: TargetExpression, ratePerSecond: number): number {
  return measure.kind === 'speedup' ? (12 / (1 - quantileOf[measure.quantile]) / ratePerSecond) * 1000 : 0
}

function hostFlags(engines: RunManifest['engines']): string[] {
  const remote = new Set(engines.filter(({ host }) => host === 'url').map(({ name }) => name))
  return [
    ...(engines.some(({ host }) => host === 'process') ? ['--host', 'process'] : []),
    ...[...remote].flatMap((name) => [`--${name}-url`, 'URL']),
  ]
}

/** Patterns have their sizes in files; one of the user's own stands as a placeholder. */
function patternFlags({ cases = [] }: RunManifest['plan']): string[] {
  const shipped = cases.every(({ name, coordination }) => name === coordination?.pattern.kind)
  return shipped ? ['--patterns', cases.map(({ name }) => name).join(',')] : ['--workload', 'FILE']
}

/** A server of the user's own, or a throw-away one as the run had. */
function storeFlags(engines: RunManifest['engines']): string[] {
  const server = engines.find(({ name }) => name === 'postgres')
  if (server === undefined) return []
  return server.host === 'url' ? ['--store', 'URL'] : ['--start-postgres']
}

function otherFlags({ suite, plan, engines, targets }: RunManifest): string[] {
  return [
    ...(engines.some(({ transport }) => transport === 'sse') ? ['--transport', 'sse'] : []),
    ...(plan.durability === 'os' ? [] : ['--durability', plan.durability]),
    ...(plan.pattern === 'pairs' || suite === 'coordination' || engines.every(({ transport }) => transport === 'store')
      ? []
      : ['--pattern', plan.pattern]),
    ...(plan.pacing === 'timer' ? [] : ['--pacing', plan.pacing]),
    ...(targets.source.startsWith(shippedTargets) ? [] : ['--targets', targets.source]),
  ]
}

/** A label is the engine as it was given; `#2` only tells a repetition apart. */
function labelOf({ label }: EngineArm): string {
  return label.replace(/#\d+$/, '')
}

function evenFor(pattern: string, agents: number): number {
  return pattern === 'pairs' ? agents + (agents % 2) : agents
}

/** Whole seconds where they do, else milliseconds; never shorter than `ms`. */
function durationFlag(ms: number): string {
  const whole = Math.ceil(ms)
  if (whole % 1000 === 0) return `${whole / 1000}s`
  return whole > 10_000 ? `${Math.ceil(whole / 1000)}s` : `${whole}ms`
}

function shellWord(word: string): string {
  return /^[A-Za-z0-9_:=,.%/@+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
