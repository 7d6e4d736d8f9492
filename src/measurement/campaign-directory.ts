/**
 * The directory of a campaign, `<output>/campaign-…/`, beside those of its members: `campaign.json` is written anew after every suite
 * and appears whole or not at all, so a campaign that was killed reads as what it had.
 */
import { join } from 'node:path'
import { LighthouseError } from '../platform/errors.ts'
import { readBoundedFile } from './bounded-file.ts'
import { campaignSchema, type CampaignDocument } from './campaign-document.ts'
import { documentText } from './canonical-json.ts'
import { createFolder, writeDurably } from './durable-write.ts'

const campaignFile = 'campaign.json'
export const largestCampaignBytes = 8 * 2 ** 20

export interface CampaignDirectory {
  readonly path: string
  write(document: CampaignDocument): void
  writeReport(markdown: string): void
}

/** An existing one is never touched. */
export function createCampaignDirectory(parent: string, campaignId: string): CampaignDirectory {
  const path = join(parent, campaignId)
  createFolder(path)
  return campaignDirectory(path)
}

/** One that exists, for writing what was derived anew. */
export function campaignDirectory(path: string): CampaignDirectory {
  return {
    path,
    write: (document) => writeDurably(join(path, campaignFile), documentText(checked(document))),
    writeReport: (markdown) => writeDurably(join(path, 'report.md'), markdown),
  }
}

function checked(document: CampaignDocument): CampaignDocument {
  const issue = campaignSchema.safeParse(document).error?.issues[0]
  if (issue === undefined) return document
  throw new LighthouseError(
    'INTERNAL',
    `${campaignFile} would not be valid: ${issue.path.map(String).join('.')}: ${issue.message}`,
  )
}

/** Null when the directory is not that of a campaign. */
export function readCampaignBytes(path: string): Uint8Array | null {
  return readBoundedFile(join(path, campaignFile), largestCampaignBytes, { follow: false })
}

/** Throws RUN_DIRECTORY with what is wrong. */
export function parseCampaign(bytes: Uint8Array): CampaignDocument {
  if (bytes.length > largestCampaignBytes) refuse(`has more than ${largestCampaignBytes} bytes`)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    return refuse('is not JSON; it was cut short or edited', cause)
  }
  const { data, error } = campaignSchema.safeParse(value)
  if (data !== undefined) return data
  const issue = error.issues[0]
  return refuse(
    `is not valid: ${issue?.path.map(String).join('.').slice(0, 200) ?? ''}: ${issue?.message.slice(0, 300) ?? ''}`,
  )
}

function refuse(what: string, cause?: unknown): never {
  throw new LighthouseError('RUN_DIRECTORY', `${campaignFile} ${what}`, {
    ...(cause === undefined ? {} : { cause }),
    suggestions: ['Use the campaign as it was written, or run again.'],
  })
}
