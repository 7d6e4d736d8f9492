/** `lighthouse migrate start`: begins a migration, or takes one up again, and carries it on. */
import { string as textArgument } from '@oclif/core/args'
import { textFlag } from '../../configuration/flags.ts'
import { carryFlags, certificateFlags, MigrationCommand, outputFlag, wordFlags } from '../../migration-command.ts'
import { LighthouseError } from '../../platform/errors.ts'

export default class MigrateStart extends MigrationCommand {
  static override summary = 'Move agents from polling to push by a plan, and watch them'

  static override description = `FILE is a plan (docs/migration.md), or the name of a shipped one: quick or runsheet. What is moved is the bridge at --url, or whatever the
hooks of the plan speak to (docs/migration-hooks.md): such a plan starts programs, so read it first. The command carries the migration on until it is completed or rolled back; every
observation, decision and step is on disk before anything is done, so it may be killed at any time and taken up again with --resume. While no process carries it on, no trip is armed.
Exit code 0 when it is completed, 21 when it was rolled back, 130 or 143 when it was interrupted.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> quick --url http://127.0.0.1:8765 --admin-key-file admin.key --actor ada --reason "first try"',
    '<%= config.bin %> <%= command.id %> --resume latest --admin-key-file admin.key',
  ]

  static override args = {
    file: textArgument({ description: 'Plan, or quick or runsheet', ignoreStdin: true }),
  }

  static override flags = {
    ...carryFlags,
    ...certificateFlags,
    ...wordFlags,
    ...outputFlag,
    resume: textFlag(
      'resume',
      {
        summary: 'Take up the migration with this id (or latest) that no process carries on',
        example: 'latest',
        group: 'SELECTION',
      },
      '<migration>',
    ),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(MigrateStart)
    const { findMigration, openMigration } = await import('../../migration/folders.ts')
    const { beginFromFile, requestOf } = await import('../../configuration/migration-carrier.ts')
    if ((args.file === undefined) === (flags.resume === undefined))
      throw new LighthouseError('USAGE', args.file === undefined ? 'no plan was named' : '--resume takes no plan', {
        suggestions: ['Name a plan to begin with, or --resume latest to go on; the plan of a migration is fixed.'],
      })
    if (args.file !== undefined) requestOf('resumed', flags)
    const key = await this.signingKey(flags)
    const output = flags.output ?? 'migrations'
    const folder =
      args.file === undefined
        ? findMigration(output, flags.resume ?? '')
        : await beginFromFile(args.file, output, flags)
    const open = openMigration(folder)
    this.tell(`migration ${open.replay.begun.id} in ${folder}`)
    const { actor = 'nobody', reason = 'taken up again' } = flags
    const end = await this.carryOn(open, flags, { type: 'resumed', actor, reason, mode: 'full' })
    if (end === 'interrupted')
      this.tell(`interrupted; go on with: lighthouse migrate start --resume ${open.replay.begun.id}`)
    const status = await this.finish(folder)
    return { ...status, certificate: end === 'interrupted' ? null : await this.certify(status, key) }
  }
}
