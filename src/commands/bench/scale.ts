/** `lighthouse bench scale`: how latency, memory, connections and database work grow with the number of agents. */
import { durationFlag, numberFlag, textFlag, wholeFlag } from '../../configuration/flags.ts'
import { comparisonFlags, readSettings } from '../../command-flags.ts'
import { SuiteCommand } from '../../suite-command.ts'

const { agents: _agents, rate: _rate, ...sharedFlags } = comparisonFlags

export default class BenchScale extends SuiteCommand {
  static override summary = 'Put growing numbers of agents on the engines and show how cost and latency grow'

  static override description = `Plays one pair sequentially and then level after level, each on engines started anew, accounts for every exchange, and fits
how memory, connections and database queries grow. The decision is about the largest level the last engine named was put to.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --profile smoke',
    '<%= config.bin %> <%= command.id %> --agents-list 10,100,1000 --rate-per-agent 0.5',
    '<%= config.bin %> <%= command.id %> --profile full --dry-run',
  ]

  static override flags = {
    ...sharedFlags,
    'agents-list': textFlag(
      'agents-list',
      { summary: 'Levels: numbers of agents, ascending and even', example: '10,100,1000', group: 'SIZE' },
      '<list>',
    ),
    'rate-per-agent': numberFlag(
      'rate-per-agent',
      { summary: 'Exchanges that each agent asks per second', example: '0.5', group: 'SIZE' },
      { min: 0.001, max: 1000 },
    ),
    probes: wholeFlag(
      'probes',
      {
        summary: 'Probes of the search for the highest rate of each engine and level; 0 leaves it out',
        example: '7',
        group: 'SIZE',
      },
      { min: 0, max: 20 },
    ),
    stagger: durationFlag(
      'stagger',
      { summary: 'Agents of a level start evenly over this time', example: '10s', group: 'SIZE' },
      { min: 0, max: 600_000 },
    ),
    'cool-down': durationFlag(
      'cool-down',
      { summary: 'Rest between levels', example: '30s', group: 'SIZE' },
      { min: 0, max: 3_600_000 },
    ),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(BenchScale)
    const { scalingRequest } = await import('../../configuration/scaling-request.ts')
    const request = scalingRequest(flags, readSettings(flags), process.cwd())
    const { runScaling, outlineScaling } = await import('../../suites/run-scaling.ts')
    const outline = await outlineScaling(request)
    if (flags['dry-run']) return this.caseOutline(request, outline)
    const rounds = outline.cases.reduce((sum, each) => sum + each.rounds, 0)
    return this.runSuite(flags, rounds, (events, signal) => runScaling(request, outline, events, signal))
  }
}
