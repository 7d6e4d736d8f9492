/** `lighthouse flags shadow`: what copies of exchanges on the old path came to on the new one. */
import { bridgeFlags } from '../../admin-flags.ts'
import { BaseCommand } from '../../base-command.ts'
import { exitCodes } from '../../platform/errors.ts'

export default class FlagsShadow extends BaseCommand {
  static override summary = 'Show what copies of exchanges on the old path came to on the new one'

  static override description = `A bridge with --options shadow=on sends a copy of each exchange between agents that poll over push as well, between stand-ins that no agent sees, and
compares the two. Exit code 0 when no copy came to something else, 21 when one did, 23 when nothing was compared.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> --url http://127.0.0.1:8080 --admin-key-file admin.key',
    '<%= config.bin %> <%= command.id %> --json',
  ]

  static override flags = { ...bridgeFlags }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(FlagsShadow)
    const { withBridge } = await import('../../configuration/admin-target.ts')
    const { renderShadow, shadowFaults } = await import('../../reports/shadow-text.ts')
    const report = await withBridge(flags, (client) => client.shadow())
    if (!this.jsonEnabled()) process.stdout.write(renderShadow(report, this.terminalStyle))
    if (report.compared === 0) this.exitWith(exitCodes.NEEDS_FURTHER_REVIEW)
    else this.exitWith(shadowFaults(report) > 0 ? exitCodes.REQUIRES_REMEDIATION : exitCodes.APPROVED)
    return report
  }
}
