/**
 * The words around a decision: what the run covers, and what it cannot say, each with the command that would. A small
 * run must never read like a large one, so the scope is made from the plan and the rounds that count.
 */
import { unseenDispersion, minimumSamples } from '../statistics/quantile-interval.ts'
import { parseTarget, quantileOf } from '../statistics/target-expression.ts'
import { significant } from './derive-figures.ts'
import type { ArmRounds } from './derive-rounds.ts'
import { durationWords } from './derive-targets.ts'
import type { ResultsDocument, TargetResult } from './results-document.ts'
import type { RunManifest } from './round-evidence.ts'
import type { Suite } from './vocabulary.ts'

export function scopeOf(manifest: RunManifest, candidate: ArmRounds, validRounds: number): string {
  const { plan } = manifest
  const rounds = validRounds === plan.rounds ? `${plan.rounds}` : `${validRounds} of ${plan.rounds} planned`
  const { arm } = candidate
  return [
    `${plan.agents} ${arm.transport === 'store' ? 'writers' : 'agents'}`,
    `${significant(plan.ratePerSecond)} ${arm.transport === 'store' ? 'writes/s' : 'exchanges/s'}`,
    `${rounds} × ${durationWords(plan.roundDurationMs)}`,
    arm.transport,
    arm.host === 'url' ? `remote ${arm.transport === 'store' ? 'store' : 'engine'}, semantics declared` : 'loopback',
    `durability ${arm.semantics.durability}`,
    ...(plan.loadModel === 'closed' ? ['closed loop, not coordinated-omission safe'] : []),
  ].join(', ')
}

const fullScale = 'lighthouse bench compare --profile full --agents 15000 --rate 10000 --host process'

/** What follows `lighthouse bench`. */
export const suiteCommands: Readonly<Record<Suite, string>> = {
  contention: 'contention',
  coordination: 'coordination',
  comparison: 'compare',
  scaling: 'scale',
  'failure-recovery': 'recovery',
  burst: 'burst',
  'memory-pressure': 'memory',
  endurance: 'endurance',
}

/** The command that would run this suite again. */
export function commandOf({ suite }: RunManifest): string {
  return `lighthouse bench ${suiteCommands[suite]}`
}

/** One line per thing that stays open, in a fixed order and without repetition of a command for the same thing. */
export function notAssessed(
  manifest: RunManifest,
  candidate: ArmRounds,
  targets: readonly TargetResult[],
  invalidReason: string,
): ResultsDocument['notAssessed'] {
  const { plan } = manifest
  const lines: { what: string; command: string }[] = []
  if (invalidReason !== '') {
    // The same run again would show what this one could not; one line for all targets says so.
    const what = `any target or claim, since ${invalidReason}; run again where the machine is otherwise idle`
    lines.push({ what, command: `${commandOf(manifest)} --profile ${manifest.profile}` })
  }
  for (const target of targets) {
    if (invalidReason !== '' || target.verdict !== 'NOT_DEMONSTRATED') continue
    lines.push({
      what: `${target.title} (${target.expression}): ${target.reason}`,
      command: commandFor(target, manifest),
    })
  }
  const covered = (kind: string): boolean =>
    invalidReason === '' &&
    targets.some((each) => each.verdict === 'NOT_DEMONSTRATED' && parseTarget(each.expression).measure.kind === kind)
  // A store has no agents, and what rate it bears is this suite's own question.
  const engines = manifest.suite !== 'contention'
  if (engines && plan.agents < 10_000 && !covered('agents')) {
    lines.push({ what: `10,000 agents and more (this run had ${plan.agents})`, command: fullScale })
  }
  if (engines && plan.ratePerSecond < 10_000 && !covered('throughputPerSecond')) {
    const rate = significant(plan.ratePerSecond)
    lines.push({ what: `10,000 exchanges per second (this run offered ${rate})`, command: fullScale })
  }
  const { durability } = candidate.arm.semantics
  if (durability !== 'fsync' && candidate.arm.host !== 'url') {
    lines.push({
      what: `commits that survive a power failure (durability ${durability} was measured)`,
      command: `${commandOf(manifest)} --durability fsync`,
    })
  }
  return lines
}

/** The smallest run that would have what the target lacks. */
function commandFor(target: TargetResult, manifest: RunManifest): string {
  const { measure, over } = parseTarget(target.expression)
  const command = commandOf(manifest)
  if (manifest.suite === 'endurance' && over !== null)
    return `${command} --profile full --duration ${over.amount}${over.unit}`
  if (measure.kind === 'throughputPerSecond') return fullScale
  if (measure.kind === 'agents') return manifest.suite === 'scaling' ? `${command} --profile standard` : fullScale
  if (manifest.profile === 'smoke') return `${command} --profile standard`
  if (manifest.suite !== 'comparison') return `${command} --profile full`
  if (measure.kind === 'latency' || measure.kind === 'overhead') {
    const perRound = (minimumSamples(quantileOf[measure.quantile], 0.05) * unseenDispersion) / manifest.plan.rounds
    const rate = Math.max(manifest.plan.ratePerSecond, Math.ceil(perRound / (manifest.plan.roundDurationMs / 1000)))
    return `lighthouse bench compare --profile ${manifest.profile} --rate ${Math.ceil(rate / 100) * 100}`
  }
  return `${command} --profile ${manifest.profile}`
}
