/** `lighthouse runs prune`: removes old run directories, and only those. */
import { boolean } from '@oclif/core/flags'
import { BaseCommand } from '../../base-command.ts'
import { durationFlag, switchFlag, textFlag, wholeFlag } from '../../configuration/flags.ts'
import { exitCodes, LighthouseError } from '../../platform/errors.ts'

const group = 'SELECTION'

export default class RunsPrune extends BaseCommand {
  static override summary = 'Remove old runs; without --yes only say which'

  static override description = `A run goes when it is not among the newest --keep and began longer ago than --older-than, as far as each is given. Without --yes
nothing is removed. Runs with a certificate stay unless --with-certificates is given, and even then when another certificate in the folder names theirs
as previous (certificates elsewhere are not known). Members of a campaign go with it. What is not a run directory is never touched.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> --keep 20',
    '<%= config.bin %> <%= command.id %> --older-than 30d --suite comparison --yes',
  ]

  static override flags = {
    output: textFlag(
      'output',
      { summary: 'Folder of the run directories (default runs)', example: 'results', group },
      '<folder>',
    ),
    keep: wholeFlag('keep', { summary: 'The newest so many stay', example: '20', group }, { min: 0, max: 1_000_000 }),
    'older-than': durationFlag('older-than', { summary: 'Only runs that began longer ago', example: '30d', group }),
    suite: textFlag('suite', { summary: 'Only runs of this suite', example: 'comparison', group }, '<name>'),
    'with-certificates': switchFlag('with-certificates', {
      summary: 'Also runs that have a certificate',
      example: '',
      group,
    }),
    'dry-run': switchFlag('dry-run', { summary: 'Only say what would go, as without --yes', example: '', group }),
    // Never from a file or the environment: who removes something says so here and now.
    yes: boolean({ summary: 'Remove what is listed', helpGroup: group }),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(RunsPrune)
    if (flags.keep === undefined && flags['older-than'] === undefined) {
      throw new LighthouseError('USAGE', 'nothing says which runs should go', {
        suggestions: ['Give --keep, e.g. --keep 20, or --older-than, e.g. --older-than 30d, or both.'],
      })
    }
    const { pruneRuns } = await import('../../runs/pruning.ts')
    const { suiteNamed } = await import('../../configuration/suite-names.ts')
    const { systemClock } = await import('../../platform/clock.ts')
    const report = pruneRuns(
      {
        outputFolder: flags.output ?? 'runs',
        keep: flags.keep ?? null,
        olderThanMs: flags['older-than'] ?? null,
        suite: flags.suite === undefined ? null : suiteNamed(flags.suite),
        withCertificates: flags['with-certificates'],
        confirmed: flags.yes && !flags['dry-run'],
      },
      systemClock().wallMs(),
    )
    if (!this.jsonEnabled()) {
      const { renderPrune } = await import('../../reports/runs-text.ts')
      this.log(renderPrune(report, this.terminalStyle).trimEnd())
    }
    if (report.failed.length > 0) this.exitWith(exitCodes.ENVIRONMENT)
    return report
  }
}
