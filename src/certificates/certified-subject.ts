/**
 * What a folder calls for when it is certified, and which meaning check a signed kind calls for when it is verified. How a journal is read is
 * loaded only for a migration.
 */
import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { LighthouseError } from '../platform/errors.ts'
import { checkCampaignMeaning } from './campaign-meaning.ts'
import {
  campaignEvidence,
  campaignKind,
  certificateKinds,
  isMigrationKind,
  journalEvidence,
  type CertificateKind,
  type MigrationKind,
  type RunCertificateKind,
} from './format.ts'
import { checkMeaning } from './meaning.ts'
import { collectCampaignEvidence, collectEvidence, collectMigrationEvidence } from './run-evidence.ts'
import type { Meaning } from './subject.ts'

export interface WantedSubject {
  /** Of a run, of a campaign beside its runs, or of a migration. */
  readonly runDirectory: string
  /** What the folder calls for, when none is given. */
  readonly kind?: RunCertificateKind | MigrationKind
  /** Of a canary approval: the last phase that was left with its gates met, when none is given. */
  readonly phase?: string
  readonly previous?: string
}

export interface CertifiedSubject {
  readonly kind: CertificateKind
  readonly phase: string | null
  /** By path relative to the evidence folder. */
  readonly evidence: ReadonlyMap<string, Uint8Array>
  readonly meaning: Meaning
}

/** Throws MEANING_DIFFERS, RUN_DIRECTORY, or USAGE for a kind that is not of what the folder holds. */
export async function certifiedSubject(wanted: WantedSubject): Promise<CertifiedSubject> {
  const { runDirectory, kind = 'readiness', phase, previous } = wanted
  if (holds(runDirectory, journalEvidence)) return ofMigration(wanted)
  if (phase !== undefined || isMigrationKind(kind))
    throw new LighthouseError('USAGE', `${runDirectory} holds no migration`, {
      suggestions: ['Leave --phase out and name a kind of a run, or name the folder of a migration.'],
    })
  if (!holds(runDirectory, campaignEvidence)) {
    const evidence = collectEvidence(runDirectory)
    return { kind, phase: null, evidence, meaning: checkMeaning(evidence) }
  }
  if (kind !== 'readiness' || previous !== undefined) {
    throw new LighthouseError('USAGE', 'the certificate of a campaign is of one kind and follows no earlier one', {
      suggestions: ['Leave --kind and --previous out, or certify one of its runs.'],
    })
  }
  const evidence = collectCampaignEvidence(runDirectory)
  return { kind: campaignKind, phase: null, evidence, meaning: checkCampaignMeaning(evidence) }
}

function holds(folder: string, file: string): boolean {
  return lstatSync(join(folder, file), { throwIfNoEntry: false }) !== undefined
}

async function ofMigration({ runDirectory, kind, phase, previous }: WantedSubject): Promise<CertifiedSubject> {
  if (previous !== undefined)
    throw new LighthouseError('USAGE', 'the certificate of a migration follows no earlier one', {
      suggestions: ['Leave --previous out.'],
    })
  if (kind !== undefined && !isMigrationKind(kind))
    throw new LighthouseError('USAGE', `a migration has no certificate of ${kind}`, {
      suggestions: ['Leave --kind out, or name migration, canary or rollback.'],
    })
  const { checkMigrationMeaning, formOf, formProblem } = await import('./migration-meaning.ts')
  const { approvedVisit } = await import('./migration-facts.ts')
  const evidence = collectMigrationEvidence(runDirectory)
  const meaning = checkMigrationMeaning(evidence, (walked) => {
    const form = kind ?? (phase === undefined ? formOf(walked) : 'canary')
    if (form !== 'canary' && phase !== undefined)
      throw new LighthouseError('USAGE', `a certificate of ${form} is of no single phase`, {
        suggestions: ['Leave --phase out, or ask for --kind canary.'],
      })
    const approved = form === 'canary' ? (phase ?? approvedVisit(walked.visits, null)?.phase ?? null) : null
    const problem = formProblem({ kind: form, phase: approved }, walked)
    if (problem !== null)
      throw new LighthouseError('USAGE', problem, {
        suggestions: ['Leave --kind and --phase out: the journal then says which certificate fits.'],
      })
    return { kind: form, phase: approved }
  })
  const { migration } = meaning
  return { kind: migration.kind, phase: migration.phase, evidence, meaning }
}

/** For a certificate that says what it is. Throws MEANING_DIFFERS. */
export async function checkMeaningOf(
  { kind, phase }: { readonly kind: CertificateKind; readonly phase: string | null },
  files: ReadonlyMap<string, Uint8Array>,
): Promise<Meaning> {
  if (kind === campaignKind) return checkCampaignMeaning(files)
  if (!isMigrationKind(kind)) return checkMeaning(files)
  const { checkMigrationMeaning } = await import('./migration-meaning.ts')
  return checkMigrationMeaning(files, { kind, phase })
}

/** Whether a certificate may follow an earlier one, which then stands among its evidence. */
export function mayFollow(kind: CertificateKind): kind is RunCertificateKind {
  return certificateKinds.some((known) => known === kind)
}
