/**
 * Certifies a run or a migration that just ended, with the key that was named or the default one. Where no key can be kept there
 * is no certificate but a warning; a key that was named and does not work is an error.
 */
import { dirname, join } from 'node:path'
import { configurationFolder } from '../platform/process.ts'
import { ensureDefaultKey } from './default-key.ts'
import { issueCertificate, type Issued } from './issue.ts'
import { loadSigningKey, type SigningKey } from './keys.ts'

export interface ChosenKey {
  /** Null where no key can be kept; `notes` then says why. */
  readonly key: SigningKey | null
  readonly notes: readonly string[]
}

/** File or env://NAME; undefined for the default key. Before the run, so that a wrong name costs no measurement. */
export function chooseKey(specification: string | undefined): ChosenKey {
  if (specification !== undefined) return { key: loadSigningKey(specification), notes: [] }
  const found = ensureDefaultKey(configurationFolder())
  if (!found.available) return { key: null, notes: [`no certificate will be issued: ${found.reason}`] }
  const { key, file } = found
  const notes = key.isNew ? [`new signing key ${key.fingerprint} in ${dirname(file)}; it was added to local trust`] : []
  return { key, notes }
}

export const defaultComponent = 'Message delivery: wait_for_messages (polling) and elicitation (push)'
export const defaultAgent = 'performance-engineer'

/** `now` is wall-clock milliseconds since the epoch. */
export function certifyRun(runDirectory: string, key: SigningKey, now: number): Promise<Issued> {
  return issueCertificate({
    runDirectory,
    outputDirectory: join(runDirectory, 'certificate'),
    key,
    kind: 'readiness',
    component: defaultComponent,
    agent: defaultAgent,
    now,
  })
}

/** Beside the journal, of the form that the journal calls for. */
export function certifyMigration(folder: string, key: SigningKey, now: number): Promise<Issued> {
  return issueCertificate({
    runDirectory: folder,
    outputDirectory: join(folder, 'certificate'),
    key,
    component: defaultComponent,
    agent: defaultAgent,
    now,
  })
}
