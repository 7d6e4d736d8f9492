/** `lighthouse flags log`: every change of a bridge's flags, the chain of its log checked. */
import { bridgeFlags } from '../../admin-flags.ts'
import { BaseCommand } from '../../base-command.ts'

export default class FlagsLog extends BaseCommand {
  static override summary = 'List every change of flags, by whom and why, and check the chain of the log'

  static override description = `Each line of the log holds the SHA-256 of the line before it; they are computed anew here. A chain that does not hold ends the command with exit code 24.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> --url http://127.0.0.1:8080 --admin-key-file admin.key',
    '<%= config.bin %> <%= command.id %> --json',
  ]

  static override flags = { ...bridgeFlags }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(FlagsLog)
    const { withBridge } = await import('../../configuration/admin-target.ts')
    const history = await withBridge(flags, (client) => client.history())
    if (!this.jsonEnabled()) {
      const { renderFlagHistory } = await import('../../reports/flags-text.ts')
      process.stdout.write(renderFlagHistory(history, this.terminalStyle))
    }
    return history
  }
}
