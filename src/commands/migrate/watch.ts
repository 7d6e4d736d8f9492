/** `lighthouse migrate watch`: tells what a migration does, as it does it. */
import { migrationArgument, MigrationCommand, outputFlag } from '../../migration-command.ts'

export default class MigrateWatch extends MigrationCommand {
  static override summary = 'Tell what a migration decides and does, until it ends or nobody carries it on'

  static override description = `Follows its journal, whose chain is checked on the way; it changes nothing and may be stopped at any time.
Exit code 21 when it was rolled back, 23 when it is held, else 0.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> latest --json',
  ]

  static override args = migrationArgument
  static override flags = outputFlag

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(MigrateWatch)
    const { findMigration, JournalFollower } = await import('../../migration/folders.ts')
    const { follow } = await import('../../configuration/migration-carrier.ts')
    const folder = findMigration(flags.output ?? 'migrations', args.migration ?? 'latest')
    const carrying = { signal: this.signal, tell: (line: string) => this.tell(line) }
    await follow(folder, new JournalFollower(folder), carrying, ({ migration }) => migration.isOver)
    return this.finish(folder)
  }
}
