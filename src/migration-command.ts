/**
 * What commands about a migration have in common: which one is meant, who asks, and how one is carried on.
 */
import { string as textArgument } from '@oclif/core/args'
import { bridgeFlags, type BridgeFlagValues } from './admin-flags.ts'
import { BaseCommand } from './base-command.ts'
import type { SigningKey } from './certificates/keys.ts'
import { defaultOnFlag, textFlag } from './configuration/flags.ts'
import type { MigrationStatus } from './measurement/migration-document.ts'
import type { OpenMigration } from './migration/folders.ts'
import type { RunEnd } from './migration/runner.ts'
import type { PersonsRequest } from './migration/requests.ts'
import { exitCodes } from './platform/errors.ts'

export const migrationArgument = {
  migration: textArgument({
    description: 'Id, beginning of an id, path, or latest (default latest)',
    ignoreStdin: true,
  }),
}

export const outputFlag = {
  output: textFlag(
    'output',
    { summary: 'Folder of the migrations (default migrations)', example: 'rollouts', group: 'SELECTION' },
    '<folder>',
  ),
}

const who = 'WHO AND WHY'
export const wordFlags = {
  actor: textFlag('actor', { summary: 'Who asks for it; required', example: 'ada', group: who }, '<name>'),
  reason: textFlag('reason', { summary: 'Why; required', example: '"48 h without a miss"', group: who }, '<text>'),
}

/** What carrying a migration on needs besides its journal. */
export const carryFlags = {
  ...bridgeFlags,
  commit: textFlag(
    'commit',
    {
      summary: 'Commit of what is migrated, for certificates that have to be of it',
      example: '"$(git rev-parse HEAD)"',
      group: 'EVIDENCE',
    },
    '<commit>',
  ),
  evidence: textFlag(
    'evidence',
    {
      summary:
        'Folders with runs and certificates that phases require, separated by commas (default runs,certificates)',
      example: 'runs,certificates',
      group: 'EVIDENCE',
    },
    '<folders>',
  ),
  'allowed-signers': textFlag(
    'allowed-signers',
    {
      summary: 'Keys whose certificates count (default: the local trust list)',
      example: 'trust/allowed_signers',
      group: 'EVIDENCE',
    },
    '<file>',
  ),
}

export const certificateFlags = {
  certificate: defaultOnFlag('certificate', {
    summary: 'Issue a signed certificate when it is over',
    example: '',
    group: 'VERDICT',
  }),
  key: textFlag(
    'key',
    { summary: 'Signing key of the certificate, a file or env://NAME', example: 'signing.pem', group: 'VERDICT' },
    '<file|env://NAME>',
  ),
}

export interface CarryFlagValues extends BridgeFlagValues {
  readonly commit?: string | undefined
  readonly evidence?: string | undefined
  readonly 'allowed-signers'?: string | undefined
}

export abstract class MigrationCommand extends BaseCommand {
  /** Where it stands now, from disk. */
  protected async readStatus(folder: string): Promise<MigrationStatus> {
    const { isCarriedOn, readMigration } = await import('./migration/folders.ts')
    const { readRequests } = await import('./migration/requests.ts')
    const { statusOf } = await import('./migration/status.ts')
    const about = { folder, carriedOn: isCarriedOn(folder), waitingRequests: readRequests(folder).length }
    return statusOf(readMigration(folder), about)
  }

  protected async showStatus(status: MigrationStatus): Promise<void> {
    if (this.jsonEnabled()) return
    const { renderMigration } = await import('./reports/migration-status-text.ts')
    process.stdout.write(renderMigration(status, this.terminalStyle))
  }

  /** Carries it on until it ends, or until this process is told to stop. */
  protected async carryOn(open: OpenMigration, flags: CarryFlagValues, by: PersonsRequest): Promise<RunEnd> {
    const { carryOn } = await import('./configuration/migration-carrier.ts')
    return carryOn(open, flags, by, { signal: this.signal, tell: (line) => this.tell(line) })
  }

  /** Leads with where it stands, and sets the exit code that belongs to it. */
  protected async finish(folder: string): Promise<MigrationStatus> {
    const status = await this.readStatus(folder)
    await this.showStatus(status)
    this.exitWith(exitCodeOf(status))
    return status
  }

  /** Before anything is begun, so that a wrong name costs nothing. Null, with a warning, where no key can be kept, or none is wanted. */
  protected async signingKey(flags: {
    readonly certificate: boolean
    readonly key?: string | undefined
  }): Promise<SigningKey | null> {
    if (!flags.certificate) return null
    const { chooseKey } = await import('./certificates/certify-run.ts')
    const { key, notes } = chooseKey(flags.key)
    for (const note of notes) this.tell(note)
    return key
  }

  /** Of a migration that is over; of one that goes on there is nothing to certify yet. Path of the Markdown, or null. */
  protected async certify({ folder, status }: MigrationStatus, key: SigningKey | null): Promise<string | null> {
    if (key === null || (status !== 'completed' && status !== 'rolledBack')) return null
    const { certifyMigration } = await import('./certificates/certify-run.ts')
    const { systemClock } = await import('./platform/clock.ts')
    const { markdownPath, fingerprint } = await certifyMigration(folder, key, systemClock().wallMs())
    if (!this.jsonEnabled()) process.stdout.write(`Certificate: ${markdownPath}\nSigned by ${fingerprint}\n`)
    return markdownPath
  }

  /** Asks whoever carries it on, and waits until it was taken. */
  protected async ask(folder: string, request: PersonsRequest): Promise<{ readonly taken: boolean }> {
    const { ask } = await import('./configuration/migration-carrier.ts')
    return ask(folder, request, this.signal)
  }
}

/** Rolled back is a regression that was found, held is evidence that did not suffice (docs/exit-codes.md). */
export function exitCodeOf({ status }: Pick<MigrationStatus, 'status'>): number {
  if (status === 'rolledBack') return exitCodes.REQUIRES_REMEDIATION
  return status === 'held' ? exitCodes.NEEDS_FURTHER_REVIEW : exitCodes.APPROVED
}

/** Commands that say a word to whoever carries a migration on. */
export abstract class MigrationWord extends MigrationCommand {
  static override description = `Whoever carries the migration on takes it within a second. When nobody does, it waits in the migration's folder and counts as soon as somebody does.`

  static override args = migrationArgument
  static override flags = { ...wordFlags, ...outputFlag }

  protected abstract readonly word: 'approved' | 'paused' | 'resumed'

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(this.ctor as typeof MigrationWord)
    const { findMigration } = await import('./migration/folders.ts')
    const { refuseWhatIsOver, requestOf } = await import('./configuration/migration-carrier.ts')
    const request = requestOf(this.word, flags)
    const folder = findMigration(flags.output ?? 'migrations', args.migration ?? 'latest')
    refuseWhatIsOver(await this.readStatus(folder), request)
    const { taken } = await this.ask(folder, request)
    this.tell(
      taken ? `${this.word}: taken` : `${this.word}: nobody carries the migration on; it waits until somebody does`,
    )
    return this.finish(folder)
  }
}
