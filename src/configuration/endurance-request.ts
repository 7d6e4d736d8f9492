/**
 * From flags to an EnduranceRequest: the sizes of the three profiles, given values over them. What all suites share comes from the
 * comparison's own reader of flags. Unless engines are named, the candidate has all of the time to itself.
 */
import { fileURLToPath } from 'node:url'
import { readSettings, type GivenSettings } from '../command-flags.ts'
import { readTargetsFile } from '../measurement/targets-file.ts'
import { shippedFile } from '../platform/modules.ts'
import { seedOf } from '../suites/resume.ts'
import type { EnduranceSizes } from '../suites/endurance.ts'
import type { EnduranceRequest } from '../suites/run-endurance.ts'
import { comparisonRequest, type ComparisonFlags } from './comparison-request.ts'
import type { ProfileName } from './profiles.ts'

const hourMs = 3_600_000

/**
 * Standard: the elicitation engine keeps ended exchanges in a ring that some 450,000 exchanges fill, so half of the time is warm-up
 * even at 1,200 exchanges/s, and 35 readings follow. Full: the agents and
 * hours of the readiness assessment's plan, each agent asking every ten seconds.
 */
const sizes: Readonly<Record<ProfileName, EnduranceSizes>> = {
  smoke: { agents: 20, ratePerSecond: 160, durationMs: 12_000, intervalMs: 1000 },
  standard: { agents: 100, ratePerSecond: 1200, durationMs: 792_000, intervalMs: 12_000 },
  full: { agents: 5000, ratePerSecond: 500, durationMs: 72 * hourMs, intervalMs: 600_000 },
}

const defaultEngines = 'elicitation'

export interface EnduranceFlags extends ComparisonFlags, Omit<GivenSettings, 'host'> {
  readonly agents?: number | undefined
  readonly rate?: number | undefined
  readonly deadline?: number | undefined
  readonly 'time-budget'?: number | undefined
  readonly duration?: number | undefined
  readonly interval?: number | undefined
  readonly resume?: string | undefined
}

export function enduranceRequest(flags: EnduranceFlags, projectFolder: string): EnduranceRequest {
  const settings = readSettings({ ...flags, engines: flags.engines ?? defaultEngines, host: 'process' })
  const profile = sizes[settings.profile]
  const seed = flags.seed ?? (flags.resume === undefined ? undefined : seedOf(flags.resume))
  const given = comparisonRequest({ ...flags, seed }, settings, projectFolder, 1)
  const { rounds: _rounds, roundDurationMs: _duration, minimumRounds: _minimum, ...shared } = given
  const source = 'fixtures/targets/endurance.yaml'
  const agents = flags.agents ?? profile.agents
  const ratePerSecond = flags.rate ?? profile.ratePerSecond
  return {
    ...shared,
    workload: { ...shared.workload, agents, ratePerSecond },
    targets:
      flags.targets === undefined
        ? { source, items: readTargetsFile(fileURLToPath(shippedFile(source))) }
        : shared.targets,
    resume: flags.resume ?? null,
    minimumRounds: (rounds) =>
      settings.profile === 'smoke' ? Math.min(3, rounds) : Math.max(6, Math.ceil(0.8 * rounds)),
    sizes: {
      agents,
      ratePerSecond,
      durationMs: flags.duration ?? profile.durationMs,
      intervalMs: flags.interval ?? profile.intervalMs,
    },
  }
}
