/** `lighthouse bench compare`: two or more engines under the same load, a decision and its certificate. */
import { comparisonFlags, readSettings } from '../../command-flags.ts'
import { SuiteCommand } from '../../suite-command.ts'
import type { ComparisonRequest } from '../../suites/run-comparison.ts'

export default class BenchCompare extends SuiteCommand {
  static override summary = 'Compare messaging engines under the same open-loop load and decide on the last one named'

  static override description = `Runs the engines in interleaved rounds, accounts for every exchange, judges the declared targets and issues a
signed certificate. The last engine named is the candidate that the decision is about.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --profile smoke',
    '<%= config.bin %> <%= command.id %> --engines polling:interval=100,hybrid,elicitation --agents 200',
    '<%= config.bin %> <%= command.id %> --dry-run',
  ]

  static override flags = { ...comparisonFlags }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(BenchCompare)
    const { comparisonRequest } = await import('../../configuration/comparison-request.ts')
    const request = comparisonRequest(flags, readSettings(flags), process.cwd())
    if (flags['dry-run']) return this.outline(request)
    const { runComparison } = await import('../../suites/run-comparison.ts')
    return this.runSuite(flags, request.rounds, (events, signal) => runComparison(request, events, signal))
  }

  private async outline(request: ComparisonRequest): Promise<unknown> {
    const { outlineComparison } = await import('../../suites/run-comparison.ts')
    const { outlineLines } = await import('../../reports/outline.ts')
    const outline = await outlineComparison(request)
    const { agents, ratePerSecond } = request.workload
    const engines = request.arms.map(({ label, role }) => ({ label, role }))
    const plan = {
      ...outline,
      engines,
      rounds: request.rounds,
      roundDurationMs: request.roundDurationMs,
      agents,
      ratePerSecond,
    }
    if (!this.jsonEnabled()) this.log(outlineLines(plan).join('\n'))
    return { dryRun: true, profile: request.profile, seed: request.seed, ...plan }
  }
}
