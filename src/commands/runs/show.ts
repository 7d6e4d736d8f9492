/** `lighthouse runs show`: one run in short. */
import { string as textArgument } from '@oclif/core/args'
import { BaseCommand } from '../../base-command.ts'
import { textFlag } from '../../configuration/flags.ts'

export default class RunsShow extends BaseCommand {
  static override summary = 'Show one run in short: decision, plan, files, certificates'

  static override description = `As recorded: nothing is derived again, and the exit code is 0 whatever was decided. RUN is an id or the beginning of one,
with or without "run-", a path, or "latest".`

  static override examples = [
    '<%= config.bin %> <%= command.id %> latest',
    '<%= config.bin %> <%= command.id %> 20260102-03',
    '<%= config.bin %> <%= command.id %> runs/run-20260102-030405-7f3a --json',
  ]

  static override args = {
    run: textArgument({ description: 'Id, beginning of an id, path, or latest', required: true, ignoreStdin: true }),
  }

  static override flags = {
    output: textFlag(
      'output',
      { summary: 'Folder of the run directories (default runs)', example: 'results', group: 'SELECTION' },
      '<folder>',
    ),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RunsShow)
    const { findRun, overviewOf } = await import('../../runs/find-run.ts')
    const overview = overviewOf(findRun(flags.output ?? 'runs', args.run))
    if (!this.jsonEnabled()) {
      const { renderOverview } = await import('../../reports/runs-text.ts')
      this.log(renderOverview(overview, this.terminalStyle).trimEnd())
    }
    return overview
  }
}
