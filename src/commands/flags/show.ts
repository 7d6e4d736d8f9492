/** `lighthouse flags show`: the flags of a bridge and where its agents are. */
import { bridgeFlags } from '../../admin-flags.ts'
import { BridgeCommand } from '../../bridge-command.ts'

export default class FlagsShow extends BridgeCommand {
  static override summary = 'Show the flags of a bridge, and how many agents are where'

  static override examples = [
    '<%= config.bin %> <%= command.id %> --url http://127.0.0.1:8080 --admin-key-file admin.key',
    '<%= config.bin %> <%= command.id %> --json',
  ]

  static override flags = { ...bridgeFlags }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(FlagsShow)
    const { withBridge } = await import('../../configuration/admin-target.ts')
    return this.showFlags(await withBridge(flags, (client) => client.status()))
  }
}
