/** `lighthouse serve bridge`: see serve-command.ts, and docs/migration.md for what it does. */
import { adminKeyFileFlag } from '../../admin-flags.ts'
import { ServeCommand, serveFlags } from '../../serve-command.ts'

export default class ServeBridge extends ServeCommand {
  static override summary = 'Run both protocols on one store, with flags that say who takes which'

  static override description = `Agents that poll and agents that are pushed to talk to each other through it. Flags say which share of agents is assigned push; they are read and
changed with "flags show" and "flags set", and every change is kept in a log beside the store.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> --port 8080 --store events.db --admin-key-file admin.key',
    '<%= config.bin %> <%= command.id %> --options interval=500ms:drain=200',
  ]

  static override flags = { ...serveFlags, ...adminKeyFileFlag }

  protected override readonly engine = 'bridge' as const
  protected override readonly hasFlags = true
}
