/** `lighthouse migrate status`: where a migration stands. */
import { migrationArgument, MigrationCommand, outputFlag } from '../../migration-command.ts'

export default class MigrateStatus extends MigrationCommand {
  static override summary = 'Show where a migration stands: phase, gates, trips, decisions'

  static override description = `Read from its journal alone, whose chain is checked and whose every decision is come to again. Exit code 21 when it was rolled back, 23 when it is held, else 0.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> latest --json',
  ]

  static override args = migrationArgument
  static override flags = outputFlag

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(MigrateStatus)
    const { findMigration } = await import('../../migration/folders.ts')
    return this.finish(findMigration(flags.output ?? 'migrations', args.migration ?? 'latest'))
  }
}
