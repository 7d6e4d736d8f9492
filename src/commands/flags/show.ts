/** `lighthouse flags show`: the flags of a bridge and where its agents are. */
import { bridgeFlags } from '../../admin-flags.ts'
import { BaseCommand } from '../../base-command.ts'

export default class FlagsShow extends BaseCommand {
  static override summary = 'Show the flags of a bridge, and how many agents are where'

  static override examples = [
    '<%= config.bin %> <%= command.id %> --url http://127.0.0.1:8080 --admin-key-file admin.key',
    '<%= config.bin %> <%= command.id %> --json',
  ]

  static override flags = { ...bridgeFlags }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(FlagsShow)
    const { openAdminClient } = await import('../../configuration/admin-target.ts')
    const client = await openAdminClient(flags)
    try {
      const status = await client.status()
      if (!this.jsonEnabled()) {
        const { renderFlags } = await import('../../reports/flags-text.ts')
        process.stdout.write(renderFlags(status, this.terminalStyle))
      }
      return status
    } finally {
      await client.close()
    }
  }
}
