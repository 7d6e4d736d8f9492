/**
 * From flags to a CampaignRequest: which suites, each planned with the flags that mean something to it. Settings that every suite
 * refuses, or options that an engine refuses, are an error before anything starts; what one suite refuses makes that suite fail.
 */
import { readSettings } from '../command-flags.ts'
import { loadEngine } from '../engines/registry.ts'
import { suiteCommands } from '../measurement/derive-scope.ts'
import type { Suite } from '../measurement/vocabulary.ts'
import { LighthouseError } from '../platform/errors.ts'
import { freshSeed } from '../platform/random.ts'
import { isRefused, type CampaignRequest, type PlannedSuite, type RefusedSuite } from '../suites/campaign.ts'
import { profileNames } from './profiles.ts'
import { suiteList } from './suite-names.ts'
import { campaignSuites, suiteTable, type CampaignFlags } from './suite-table.ts'

export interface AllFlags extends CampaignFlags {
  readonly only?: string | undefined
  readonly skip?: string | undefined
}

/** Throws USAGE for names that are no suites, for none left, and for what all suites refuse. */
export async function campaignRequest(flags: AllFlags, projectFolder: string): Promise<CampaignRequest> {
  const chosen = chooseSuites(flags)
  // A suite without engines would run all the same, and hide the mistake among the failures of the others.
  for (const { name, options } of readSettings(flags).engines) (await loadEngine(name)).validateOptions(options)
  const seed = flags.seed ?? freshSeed()
  const suites: (PlannedSuite | RefusedSuite)[] = []
  for (const { suite, plan } of suiteTable) {
    if (chosen.includes(suite)) suites.push(await planned(suite, () => plan({ ...flags, seed }, projectFolder)))
  }
  const first = suites[0]
  if (first !== undefined && isRefused(first) && suites.every(isRefused)) throw first.refusal
  return {
    profile: profileNames.find((name) => name === flags.profile) ?? 'standard',
    seed,
    outputFolder: flags.output ?? 'runs',
    suites,
    leftOut: campaignSuites.filter((suite) => !chosen.includes(suite)),
    timeBudgetMs: flags['time-budget'] ?? null,
  }
}

function chooseSuites({ only, skip }: AllFlags): Suite[] {
  const wanted = only === undefined ? campaignSuites : suiteList(only, campaignSuites)
  const unwanted = skip === undefined ? [] : suiteList(skip, campaignSuites)
  const chosen = campaignSuites.filter((suite) => wanted.includes(suite) && !unwanted.includes(suite))
  if (chosen.length > 0) return chosen
  throw new LighthouseError('USAGE', 'no suite is left to run', {
    suggestions: ['Name suites with --only that --skip does not take away.'],
  })
}

/** A defect is not a refusal: it passes through. */
async function planned(suite: Suite, plan: () => Promise<PlannedSuite>): Promise<PlannedSuite | RefusedSuite> {
  try {
    return await plan()
  } catch (refusal) {
    if (!(refusal instanceof LighthouseError) || refusal.code === 'INTERNAL') throw refusal
    return { suite, refusal }
  }
}

export interface CampaignOutline {
  readonly suites: readonly {
    readonly name: string
    readonly suite: Suite
    readonly durationMs: number | null
    readonly diskBytes: number | null
    readonly lines: readonly string[]
    /** Why the suite would fail; null when it would not. */
    readonly refusal: string | null
  }[]
  readonly leftOut: readonly Suite[]
  readonly durationMs: number
  readonly diskBytes: number
  readonly timeBudgetMs: number | null
}

export function outlineCampaign({ suites, leftOut, timeBudgetMs }: CampaignRequest): CampaignOutline {
  const runnable = suites.flatMap((each) => (isRefused(each) ? [] : [each]))
  return {
    suites: suites.map((each) => {
      const name = suiteCommands[each.suite]
      if (isRefused(each)) {
        const refusal = each.refusal.message
        return { name, suite: each.suite, durationMs: null, diskBytes: null, lines: [], refusal }
      }
      const { suite, durationMs, diskBytes, lines } = each
      return { name, suite, durationMs, diskBytes, lines, refusal: null }
    }),
    leftOut,
    durationMs: runnable.reduce((sum, each) => sum + each.durationMs, 0),
    diskBytes: runnable.reduce((sum, each) => sum + each.diskBytes, 0),
    timeBudgetMs,
  }
}
