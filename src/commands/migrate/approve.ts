/** `lighthouse migrate approve`: see migration-command.ts. */
import { MigrationWord } from '../../migration-command.ts'

export default class MigrateApprove extends MigrationWord {
  static override summary = 'Say yes to the next phase of a migration that waits for it'

  static override examples = [
    '<%= config.bin %> <%= command.id %> --actor ada --reason "looked at every gate"',
    '<%= config.bin %> <%= command.id %> 20260102-03 --actor ada --reason "release freeze"',
  ]

  protected override readonly word = 'approved' as const
}
