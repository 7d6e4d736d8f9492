/** Picks the renderer by what a certificate is about; a kind that does not fit what was found is refused. */
import { campaignKind, certificateKinds, type CertificateKind } from './format.ts'
import { meaningDiffers } from './meaning.ts'
import type { PreviousCertificate } from './previous.ts'
import { renderBody, type FrameInputs } from './render.ts'
import { renderCampaignBody } from './render-campaign.ts'
import { renderMigrationBody } from './render-migration.ts'
import { isCampaign, isMigration, type Meaning } from './subject.ts'

export interface RenderInputs extends FrameInputs {
  readonly kind: CertificateKind
  readonly previous: PreviousCertificate | null
}

export function renderMeaning(inputs: RenderInputs, meaning: Meaning): string {
  const { kind, previous } = inputs
  if (isMigration(meaning)) {
    if (kind !== meaning.migration.kind)
      throw meaningDiffers(`the evidence of a migration is not that of a certificate of ${kind}`)
    if (previous !== null) throw meaningDiffers('the certificate of a migration follows no earlier one')
    return renderMigrationBody(inputs, meaning)
  }
  if (isCampaign(meaning)) {
    if (kind !== campaignKind)
      throw meaningDiffers(`the evidence of a campaign is not that of a certificate of ${kind}`)
    if (previous !== null) throw meaningDiffers('the certificate of a campaign follows no earlier one')
    return renderCampaignBody(inputs, meaning)
  }
  const ofRun = certificateKinds.find((known) => known === kind)
  if (ofRun === undefined) throw meaningDiffers(`the evidence is of a run, not of a ${kind}`)
  return renderBody({ ...inputs, ...meaning, kind: ofRun })
}
