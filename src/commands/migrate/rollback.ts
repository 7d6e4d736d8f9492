/** `lighthouse migrate rollback`: sends agents back, by word of a person. */
import { choiceFlag } from '../../configuration/flags.ts'
import { carryFlags, migrationArgument, MigrationCommand, outputFlag, wordFlags } from '../../migration-command.ts'
import { rollbackModes } from '../../migration/state-machine.ts'

export default class MigrateRollback extends MigrationCommand {
  static override summary = 'Send agents back to the old path'

  static override description = `Whoever carries the migration on does it; when nobody does, this command does it itself, for which it needs the address and the key of the bridge.
First it is checked whether the old path has room, then agents are shifted with jitter, then it waits until they have left, and looks whether the old path carries them. Exit code 21.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> --actor ada --reason "push is slow" --admin-key-file admin.key',
    '<%= config.bin %> <%= command.id %> --mode stepped --actor ada --reason "no hurry" --admin-key-file admin.key',
    '<%= config.bin %> <%= command.id %> --mode canary --actor ada --reason "look at it with few" --admin-key-file admin.key',
  ]

  static override args = migrationArgument

  static override flags = {
    ...carryFlags,
    ...wordFlags,
    ...outputFlag,
    mode: choiceFlag(
      'mode',
      {
        summary: 'full: everybody at once; stepped: by the shares of the phases before; canary: all but the canary',
        example: 'stepped',
        group: 'ROLLBACK',
      },
      rollbackModes,
    ),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(MigrateRollback)
    const { findMigration, isCarriedOn, openMigration } = await import('../../migration/folders.ts')
    const { askAndFollow, refuseWhatIsOver, requestOf } = await import('../../configuration/migration-carrier.ts')
    const { writeRequest } = await import('../../migration/requests.ts')
    const { systemClock } = await import('../../platform/clock.ts')
    const { freshSeed, seededRandom } = await import('../../platform/random.ts')
    const request = requestOf('rollbackAsked', flags, flags.mode ?? 'full')
    const folder = findMigration(flags.output ?? 'migrations', args.migration ?? 'latest')
    refuseWhatIsOver(await this.readStatus(folder), request)
    if (isCarriedOn(folder))
      await askAndFollow(folder, request, { signal: this.signal, tell: (line) => this.tell(line) })
    else {
      this.tell('no process carries it on: this one does until agents have gone back')
      const open = openMigration(folder)
      writeRequest(folder, request, systemClock().wallMs(), seededRandom(freshSeed()))
      await this.carryOn(open, flags, request)
    }
    return this.finish(folder)
  }
}
