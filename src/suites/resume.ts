/**
 * Decides whether a run that was cut short may go on: the same plan, engines, targets and seed, by the same code. What it measured
 * before stays as it is, and the time in between is missing evidence, said in the report.
 */
import { canonicalSha256 } from '../measurement/canonical-json.ts'
import type { Environment } from '../measurement/results-document.ts'
import type { RunManifest } from '../measurement/round-evidence.ts'
import { openRunDirectory, type OpenedRun } from '../measurement/run-directory.ts'
import { LighthouseError } from '../platform/errors.ts'

/** Throws RUN_DIRECTORY for what is no run, USAGE for one that is complete or was begun by other code. */
export function takeUp(path: string, environment: Environment): OpenedRun {
  const run = openRunDirectory(path)
  const { manifest } = run
  if (manifest.finishedAt !== undefined && manifest.interrupted !== true) {
    refuse(`the run ${manifest.runId} is complete`, `Read it: lighthouse report ${path}`)
  }
  const before = manifest.environment
  const facts = [
    ['commit', before.commit.value, environment.commit.value],
    ['Lighthouse', before.lighthouseVersion, environment.lighthouseVersion],
    ['Node', before.nodeVersion, environment.nodeVersion],
    ['CPU', before.cpuModel, environment.cpuModel],
  ] as const
  for (const [name, was, is] of facts) {
    if (was === is) continue
    refuse(
      `the run ${manifest.runId} was begun with ${name} ${was ?? 'not known'}, and this is ${is ?? 'not known'}`,
      'Go on with the code and the machine it was begun with, or start a new run.',
    )
  }
  return run
}

/** The seed of a run that is to be resumed, so that it need not be given again. Throws RUN_DIRECTORY for what is no run. */
export function seedOf(path: string): string {
  return openRunDirectory(path).manifest.seed
}

const fixed = ['suite', 'profile', 'seed', 'plan', 'engines', 'targets', 'claims'] as const

/** The earlier declaration, to be gone on with. Throws USAGE when the present one differs in anything that was fixed. */
export function resumed(earlier: RunManifest, declared: RunManifest, atTime: string): RunManifest {
  const differs = fixed.find((key) => canonicalSha256(earlier[key]) !== canonicalSha256(declared[key]))
  if (differs !== undefined) {
    refuse(
      `the run ${earlier.runId} was begun with another ${differs}`,
      'Give the same flags as when it was begun; its run.json has them all.',
    )
  }
  const { finishedAt: _finished, interrupted: _interrupted, ...open } = earlier
  return { ...open, resumedAt: [...(earlier.resumedAt ?? []), atTime] }
}

function refuse(what: string, todo: string): never {
  throw new LighthouseError('USAGE', `cannot resume: ${what}`, { suggestions: [todo] })
}
