/** `lighthouse bench memory`: what engines need for agents and exchanges, and what they do when there is less of it. */
import { durationFlag, textFlag } from '../../configuration/flags.ts'
import { comparisonFlags, readSettings } from '../../command-flags.ts'
import { SuiteCommand } from '../../suite-command.ts'

const {
  host: _host,
  warmup: _warmup,
  'polling-url': _polling,
  'elicitation-url': _push,
  ...sharedFlags
} = comparisonFlags

export default class BenchMemory extends SuiteCommand {
  static override summary =
    'Measure what agents and exchanges cost in memory, and what engines do when there is too little'

  static override description = `Measures bytes per idle agent and per exchange in flight by regression, what stays behind when agents leave, and growth under
a steady load; then puts the engines under heap caps around their measured need, leaves them too few descriptors, and asks agents that never
answer. A control without any of it carries the latency targets; --agents, --rate, --rounds and --round-duration are those of the control.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --profile smoke',
    '<%= config.bin %> <%= command.id %> --agents-list 500,1000,2000 --payload-list 200,20000',
    '<%= config.bin %> <%= command.id %> --caps 1.2,1,0.8,0.6',
    '<%= config.bin %> <%= command.id %> --sustained 30m --dry-run',
  ]

  static override flags = {
    ...sharedFlags,
    'agents-list': textFlag(
      'agents-list',
      { summary: 'Numbers of idle agents, ascending and even', example: '100,500,1000', group: 'SIZE' },
      '<list>',
    ),
    'payload-list': textFlag(
      'payload-list',
      { summary: 'Sizes of questions in flight, in bytes', example: '200,2000,20000', group: 'LOAD' },
      '<list>',
    ),
    caps: textFlag(
      'caps',
      { summary: 'Heap caps as multiples of the measured need, or none', example: '1.5,1.2,1,0.8', group: 'LOAD' },
      '<list>',
    ),
    sustained: durationFlag(
      'sustained',
      { summary: 'How long the steady load lasts that is judged for leaks', example: '30m', group: 'SIZE' },
      { min: 1000, max: 31 * 86_400_000 },
    ),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(BenchMemory)
    const { memoryRequest } = await import('../../configuration/memory-request.ts')
    const { outlineMemory, runMemory } = await import('../../suites/run-memory.ts')
    const request = memoryRequest(flags, readSettings({ ...flags, host: 'process' }), process.cwd())
    const outline = await outlineMemory(request)
    if (flags['dry-run']) return this.caseOutline(request, outline)
    const rounds = outline.cases.reduce((sum, each) => sum + each.rounds, 0)
    return this.runSuite(flags, rounds, (events, signal) => runMemory(request, outline, events, signal))
  }
}
