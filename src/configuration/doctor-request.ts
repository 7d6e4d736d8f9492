/**
 * The requests that the suites would be given at each profile, without a flag: what the doctor judges a machine by.
 */
import { readSettings } from '../command-flags.ts'
import type { SuiteNeeds } from '../measurement/doctor-document.ts'
import { suiteNeeds } from '../suites/requirements.ts'
import { burstRequest } from './burst-request.ts'
import { comparisonRequest } from './comparison-request.ts'
import { contentionRequest } from './contention-request.ts'
import { coordinationRequest } from './coordination-request.ts'
import { enduranceRequest } from './endurance-request.ts'
import { memoryRequest } from './memory-request.ts'
import { recoveryRequest } from './recovery-request.ts'
import { scalingRequest } from './scaling-request.ts'
import type { ProfileName } from './profiles.ts'

/** Every suite at each of the profiles, in their order. Files that ship with the program are read, nothing else. */
export function needsOfProfiles(profiles: readonly ProfileName[], projectFolder: string): SuiteNeeds[] {
  return profiles.flatMap((profile) => {
    // A seed of its own is not needed: no size depends on it.
    const flags = { seed: 'doctor' }
    const settings = readSettings({ profile })
    return suiteNeeds({
      comparison: comparisonRequest(flags, settings, projectFolder),
      scaling: scalingRequest(flags, settings, projectFolder),
      recovery: recoveryRequest(flags, settings, projectFolder),
      burst: burstRequest(flags, settings, projectFolder),
      contention: contentionRequest({ ...flags, 'start-postgres': false }, settings, projectFolder),
      memory: memoryRequest(flags, settings, projectFolder),
      coordination: coordinationRequest(flags, settings, projectFolder),
      endurance: enduranceRequest({ ...flags, profile }, projectFolder),
    })
  })
}
