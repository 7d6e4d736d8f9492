/** `lighthouse explain`: why a verdict of a run fell the way it did, and how many more rounds would decide it. */
import { string as textArgument } from '@oclif/core/args'
import { BaseCommand } from '../base-command.ts'

export default class Explain extends BaseCommand {
  static override summary = 'Tell why a verdict fell the way it did, and how many more rounds would decide it'

  static override description = `Reads a run directory, also of a run that was interrupted, and measures nothing. TARGET is an expression or a title of
the run, a part that only one of them has, a new target expression (judged all the same, never part of the decision),
or "all" for every target and the decision. The exit code is 0 whatever the verdicts: this is no gate.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> P99 runs/20260102-030405-7f3a',
    `<%= config.bin %> <%= command.id %> 'candidate.roundTrip.p99 < 300ms' runs/20260102-030405-7f3a`,
    '<%= config.bin %> <%= command.id %> all runs/20260102-030405-7f3a --json',
  ]

  static override args = {
    target: textArgument({
      description: 'Title or expression of a target, a part of it, a new expression, or all',
      required: true,
      ignoreStdin: true,
    }),
    run: textArgument({ description: 'Run directory', required: true, ignoreStdin: true }),
  }

  async run(): Promise<unknown> {
    const { args } = await this.parse(Explain)
    const { openRunDirectory } = await import('../measurement/run-directory.ts')
    const { explainRun } = await import('../measurement/explain.ts')
    const explanation = explainRun(openRunDirectory(args.run), args.target)
    if (!this.jsonEnabled()) {
      const { renderExplanation } = await import('../reports/explain-text.ts')
      this.log(renderExplanation(explanation, this.terminalStyle).trimEnd())
    }
    return explanation
  }
}
