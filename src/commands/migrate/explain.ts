/** `lighthouse migrate explain`: comes to a past decision again, from the histograms it rested on. */
import { wholeFlag } from '../../configuration/flags.ts'
import { migrationArgument, MigrationCommand, outputFlag } from '../../migration-command.ts'

export default class MigrateExplain extends MigrationCommand {
  static override summary =
    'Recompute a past decision of a migration from its stored histograms, and say what it rested on'

  static override description = `Every observation before it is counted again from its histograms, every decision before it is come to again, and the chain of the journal is checked;
a journal that does not hold together ends with exit code 24. Without --line it is the last decision.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> latest --line 42 --json',
  ]

  static override args = migrationArgument

  static override flags = {
    ...outputFlag,
    line: wholeFlag(
      'line',
      { summary: 'Line of the journal with the decision', example: '42', group: 'SELECTION' },
      { min: 1, max: 1e9 },
    ),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(MigrateExplain)
    const { findMigration } = await import('../../migration/folders.ts')
    const { explainDecision } = await import('../../migration/explain.ts')
    const folder = findMigration(flags.output ?? 'migrations', args.migration ?? 'latest')
    const explanation = explainDecision(folder, flags.line ?? null)
    if (!this.jsonEnabled()) {
      const { renderDecision } = await import('../../reports/decision-text.ts')
      process.stdout.write(renderDecision(explanation, this.terminalStyle))
    }
    return explanation
  }
}
