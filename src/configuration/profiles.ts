/**
 * The three sizes of a run and the values that they stand for. A profile fills in only what was not given by
 * flag, environment or configuration file. `standard` answers in about two minutes on a laptop, `smoke`
 * in seconds with fewer and shorter rounds, `full` is the scale that a production decision needs.
 */

export const profileNames = ['smoke', 'standard', 'full'] as const
export type ProfileName = (typeof profileNames)[number]

export const engineHosts = ['thread', 'process'] as const
export type EngineHost = (typeof engineHosts)[number]

export interface ProfileValues {
  readonly agents: number
  readonly ratePerSecond: number
  readonly rounds: number
  readonly roundDurationMs: number
  readonly warmupMs: number
  readonly deadlineMs: number
  readonly host: EngineHost
  readonly timeBudgetMs: number
}

const standard: ProfileValues = {
  agents: 100,
  ratePerSecond: 200,
  rounds: 10,
  roundDurationMs: 3000,
  warmupMs: 500,
  deadlineMs: 5000,
  host: 'thread',
  timeBudgetMs: 600_000,
}

export const profiles: Readonly<Record<ProfileName, ProfileValues>> = {
  smoke: { ...standard, rounds: 3, roundDurationMs: 1500, warmupMs: 400, timeBudgetMs: 120_000 },
  standard,
  full: {
    ...standard,
    agents: 15_000,
    ratePerSecond: 10_000,
    roundDurationMs: 30_000,
    host: 'process',
    timeBudgetMs: 7_200_000,
  },
}

export interface ResolvedProfile extends ProfileValues {
  readonly profile: ProfileName
  /** Fewer valid rounds than this support no verdict: 80 % of those planned and at least 6; in a smoke run 3. */
  readonly minimumRounds: number
}

/** Given values win; `undefined` means "not given". */
export function resolveProfile(
  profile: ProfileName,
  given: { readonly [Key in keyof ProfileValues]?: ProfileValues[Key] | undefined },
): ResolvedProfile {
  const base = profiles[profile]
  const rounds = given.rounds ?? base.rounds
  return {
    profile,
    agents: given.agents ?? base.agents,
    ratePerSecond: given.ratePerSecond ?? base.ratePerSecond,
    rounds,
    roundDurationMs: given.roundDurationMs ?? base.roundDurationMs,
    warmupMs: given.warmupMs ?? base.warmupMs,
    deadlineMs: given.deadlineMs ?? base.deadlineMs,
    host: given.host ?? base.host,
    timeBudgetMs: given.timeBudgetMs ?? base.timeBudgetMs,
    minimumRounds: profile === 'smoke' ? 3 : Math.max(6, Math.ceil(0.8 * rounds)),
  }
}
