/** `lighthouse migrate pause`: see migration-command.ts. */
import { MigrationWord } from '../../migration-command.ts'

export default class MigratePause extends MigrationWord {
  static override summary = 'Stop a migration from going further; its trips stay armed'

  static override examples = [
    '<%= config.bin %> <%= command.id %> --actor ada --reason "looked at every gate"',
    '<%= config.bin %> <%= command.id %> 20260102-03 --actor ada --reason "release freeze"',
  ]

  protected override readonly word = 'paused' as const
}
