/** `lighthouse migrate resume`: see migration-command.ts. */
import { MigrationWord } from '../../migration-command.ts'

export default class MigrateResume extends MigrationWord {
  static override summary = 'Let a migration that is paused or held go on'

  static override examples = [
    '<%= config.bin %> <%= command.id %> --actor ada --reason "looked at every gate"',
    '<%= config.bin %> <%= command.id %> 20260102-03 --actor ada --reason "release freeze"',
  ]

  protected override readonly word = 'resumed' as const
}
