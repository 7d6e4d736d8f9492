/** `lighthouse migrate compare`: the two groups of a phase, compared as an experiment. */
import { textFlag } from '../../configuration/flags.ts'
import { migrationArgument, MigrationCommand, outputFlag } from '../../migration-command.ts'
import { exitCodes } from '../../platform/errors.ts'

const exitCodeOf = {
  NON_INFERIOR: exitCodes.APPROVED,
  INFERIOR: exitCodes.REQUIRES_REMEDIATION,
  NOT_DEMONSTRATED: exitCodes.NEEDS_FURTHER_REVIEW,
} as const

export default class MigrateCompare extends MigrationCommand {
  static override summary = 'Compare agents on the new path with those on the old one, phase by phase'

  static override description = `Ratios of quantiles with their intervals, failures, and whether the new path is shown not to be worse by the plan's margin, from the histograms in
the journal. It is one look: a phase that is to end by it requires it in the plan. What decides is the newest phase with two groups, or --phase.
Exit code 0 when the new path is shown not to be worse, 21 when it is shown to be, 23 when neither is.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> latest --phase half --json',
  ]

  static override args = migrationArgument

  static override flags = {
    ...outputFlag,
    phase: textFlag('phase', { summary: 'Phase that decides', example: 'half', group: 'SELECTION' }, '<name>'),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(MigrateCompare)
    const { findMigration } = await import('../../migration/folders.ts')
    const { compareMigration } = await import('../../migration/compare.ts')
    const folder = findMigration(flags.output ?? 'migrations', args.migration ?? 'latest')
    const document = compareMigration(folder, flags.phase ?? null)
    if (!this.jsonEnabled()) {
      const { renderComparison } = await import('../../reports/comparison-text.ts')
      process.stdout.write(renderComparison(document, this.terminalStyle))
    }
    this.exitWith(exitCodeOf[document.verdict])
    return document
  }
}
