/** `lighthouse bench coordination`: how long whole patterns of cooperation take on each engine, and whether agents are served alike. */
import { textFlag } from '../../configuration/flags.ts'
import { comparisonFlags, readSettings } from '../../command-flags.ts'
import { SuiteCommand } from '../../suite-command.ts'

const { agents: _agents, pattern: _pattern, ...sharedFlags } = comparisonFlags

export default class BenchCoordination extends SuiteCommand {
  static override summary = 'Let agents work together in patterns and time each pattern to its end'

  static override description = `Plays fan-out and gather, pipelines, reviews with changes asked for, broadcasts with a quorum, a pool of experts and a hot spot,
each on engines of its own, and reports the time of whole instances and fairness across agents. Sizes of a pattern stand in its
workload file; --rate is in exchanges per second. The last pattern carries the decision.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --profile smoke',
    '<%= config.bin %> <%= command.id %> --patterns pipeline,fan-out --round-duration 5s',
    '<%= config.bin %> <%= command.id %> --workload my-fleet.yaml',
    '<%= config.bin %> <%= command.id %> --profile full --dry-run',
  ]

  static override flags = {
    ...sharedFlags,
    patterns: textFlag(
      'patterns',
      {
        summary: 'Patterns to play, by name, or all; the last carries the decision',
        example: 'pipeline,fan-out',
        group: 'LOAD',
      },
      '<list>',
    ),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(BenchCoordination)
    const { coordinationRequest } = await import('../../configuration/coordination-request.ts')
    const { outlineCoordination, runCoordination } = await import('../../suites/run-coordination.ts')
    const request = coordinationRequest(flags, readSettings(flags), process.cwd())
    const outline = await outlineCoordination(request)
    if (flags['dry-run']) return this.caseOutline(request, outline)
    const rounds = outline.cases.reduce((sum, each) => sum + each.rounds, 0)
    return this.runSuite(flags, rounds, (events, signal) => runCoordination(request, outline, events, signal))
  }
}
