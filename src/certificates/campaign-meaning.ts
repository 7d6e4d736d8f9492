/**
 * The meaning check of a campaign: every member is derived from its histograms as if it stood alone, and the campaign from its members.
 * `campaign.json` must follow member for member; a run that it does not name, names in another order, or knows with other evidence,
 * is refused.
 */
import { parseCampaign } from '../measurement/campaign-directory.ts'
import { recordOf, type CampaignDocument } from '../measurement/campaign-document.ts'
import { deriveCampaign, type CampaignMember } from '../measurement/derive-campaign.ts'
import { LighthouseError } from '../platform/errors.ts'
import { runManifestSha256 } from './evidence-manifest.ts'
import { campaignEvidence, memberOfPath } from './format.ts'
import { checkMeaning, firstDifference, meaningDiffers } from './meaning.ts'
import type { CampaignMeaning, RunMeaning } from './subject.ts'

/** Decoding a member takes memory and time; a campaign has one run of each suite. */
const mostMembers = 32

/** `files` by path relative to the evidence folder. Throws MEANING_DIFFERS that names the first difference. */
export function checkCampaignMeaning(files: ReadonlyMap<string, Uint8Array>): CampaignMeaning {
  const byRun = new Map<string, Map<string, Uint8Array>>()
  let document: CampaignDocument | null = null
  for (const [path, bytes] of files) {
    const member = memberOfPath(path)
    if (member !== null) {
      const own = byRun.get(member.runId) ?? new Map<string, Uint8Array>()
      byRun.set(member.runId, own.set(member.path, bytes))
    } else if (path === campaignEvidence) document = attempt(() => parseCampaign(bytes))
    else throw meaningDiffers(`${path} is no evidence of a campaign`)
  }
  if (document === null) throw meaningDiffers(`${campaignEvidence} is missing from the evidence`)
  if (document.finishedAt === undefined) throw meaningDiffers('the campaign did not finish')
  if (byRun.size === 0) throw meaningDiffers('the campaign holds no run: nothing was measured')
  if (byRun.size > mostMembers) throw meaningDiffers(`the campaign holds more than ${mostMembers} runs`)
  const meanings = new Map<string, RunMeaning>()
  const members = new Map<string, CampaignMember>()
  for (const { runId } of document.suites) {
    const own = runId === null ? undefined : byRun.get(runId)
    if (runId === null || own === undefined) continue
    const meaning = attempt(() => checkMeaning(own), `run ${runId}: `)
    meanings.set(runId, meaning)
    members.set(runId, { manifest: meaning.run, results: meaning.results, manifestSha256: runManifestSha256(own) })
  }
  const stranger = [...byRun.keys()].find((runId) => !members.has(runId))
  if (stranger !== undefined) throw meaningDiffers(`the campaign does not name the run ${stranger}`)
  const derived = attempt(() => deriveCampaign(recordOf(document), members))
  const difference = firstDifference(document, derived, campaignEvidence)
  if (difference !== null) throw meaningDiffers(`${difference} does not follow from the runs of the campaign`)
  return { campaign: derived, members: [...meanings.values()] }
}

/** Whatever a lower layer refuses is evidence that does not mean what was signed. */
function attempt<T>(work: () => T, place = ''): T {
  try {
    return work()
  } catch (cause) {
    if (cause instanceof LighthouseError && cause.code !== 'INTERNAL') {
      throw meaningDiffers(`${place}${cause.message}`, cause)
    }
    throw cause
  }
}
