/** `lighthouse runs list`: the run directories of a folder, newest first. */
import { BaseCommand } from '../../base-command.ts'
import { textFlag, wholeFlag } from '../../configuration/flags.ts'

const group = 'SELECTION'

export default class RunsList extends BaseCommand {
  static override summary = 'List the runs of a folder, newest first'

  static override description = `Reads what each run says of itself, with its decision as recorded; nothing is derived again. What is broken is listed with
the reason. Also lists campaigns (bench all), as suite all.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --suite comparison --limit 10',
    '<%= config.bin %> <%= command.id %> --output results --json',
  ]

  static override flags = {
    output: textFlag(
      'output',
      { summary: 'Folder of the run directories (default runs)', example: 'results', group },
      '<folder>',
    ),
    suite: textFlag('suite', { summary: 'Only runs of this suite', example: 'comparison', group }, '<name>'),
    limit: wholeFlag('limit', { summary: 'At most so many', example: '20', group }, { min: 1, max: 100_000 }),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(RunsList)
    const { listRuns } = await import('../../runs/inventory.ts')
    const { suiteNamed } = await import('../../configuration/suite-names.ts')
    const suite = flags.suite === undefined ? undefined : suiteNamed(flags.suite)
    const listing = listRuns(flags.output ?? 'runs', { suite, limit: flags.limit })
    if (!this.jsonEnabled()) {
      const { renderListing } = await import('../../reports/runs-text.ts')
      this.log(renderListing(listing, this.terminalStyle).trimEnd())
    }
    return listing
  }
}
