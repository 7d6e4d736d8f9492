/** Derives a campaign again from the runs beside it, whatever `campaign.json` says of them. */
import { dirname, join, resolve } from 'node:path'
import { runManifestSha256 } from '../certificates/evidence-manifest.ts'
import { collectEvidence } from '../certificates/run-evidence.ts'
import { parseCampaign } from '../measurement/campaign-directory.ts'
import { recordOf, type CampaignDocument } from '../measurement/campaign-document.ts'
import { deriveCampaign, type CampaignMember } from '../measurement/derive-campaign.ts'
import { deriveResults } from '../measurement/derive.ts'
import type { ResultsDocument } from '../measurement/results-document.ts'
import { openRunDirectory } from '../measurement/run-directory.ts'

/** `bytes`: of its `campaign.json`. Throws RUN_DIRECTORY when a member is missing or is not the one that was recorded. */
export function deriveCampaignAgain(
  path: string,
  bytes: Uint8Array,
): { readonly document: CampaignDocument; readonly members: readonly ResultsDocument[] } {
  const record = recordOf(parseCampaign(bytes))
  const members = new Map<string, CampaignMember>()
  for (const { runId, manifestSha256 } of record.entries) {
    if (runId === null || manifestSha256 === null) continue
    const directory = join(dirname(resolve(path)), runId)
    const run = openRunDirectory(directory)
    const digest = runManifestSha256(collectEvidence(directory))
    members.set(runId, { manifest: run.manifest, results: deriveResults(run), manifestSha256: digest })
  }
  return { document: deriveCampaign(record, members), members: [...members.values()].map(({ results }) => results) }
}
