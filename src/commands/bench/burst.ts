/** `lighthouse bench burst`: what a sudden rise of the load does to the engines, and how long until they are as good as before. */
import { durationFlag, textFlag, wholeFlag } from '../../configuration/flags.ts'
import { comparisonFlags, readSettings } from '../../command-flags.ts'
import { SuiteCommand } from '../../suite-command.ts'

export default class BenchBurst extends SuiteCommand {
  static override summary = 'Put bursts on the engines and show how far they degrade and how soon they recover'

  static override description = `Lets 20, then 200, then 20 of 200 agents ask, and raises the rate of all in steps up to ten times; every engine meets
the same bursts in every round. Reports the degradation of p50 and p99 and the recovery time, as medians over rounds with intervals.
A control without a burst carries the latency targets. --rate is that before and after a burst, --round-duration that of the control.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --profile smoke',
    '<%= config.bin %> <%= command.id %> --agents 1000 --calm-agents 100 --steps 2,4,8',
    '<%= config.bin %> <%= command.id %> --steps none --before-duration 5s --burst-duration 5s --after-duration 20s',
    '<%= config.bin %> <%= command.id %> --profile full --dry-run',
  ]

  static override flags = {
    ...comparisonFlags,
    'calm-agents': wholeFlag(
      'calm-agents',
      { summary: 'Agents that ask before and after the burst of agents', example: '20', group: 'SIZE' },
      { min: 1, max: 1_000_000 },
    ),
    steps: textFlag(
      'steps',
      { summary: 'Steps of the rate, as multiples of --rate, or none', example: '2,5,10', group: 'LOAD' },
      '<list>',
    ),
    'before-duration': durationFlag(
      'before-duration',
      { summary: 'Calm load before each burst', example: '60s', group: 'SIZE' },
      { min: 1000, max: 3_600_000 },
    ),
    'burst-duration': durationFlag(
      'burst-duration',
      { summary: 'Length of the burst, and of each step', example: '30s', group: 'SIZE' },
      { min: 1000, max: 3_600_000 },
    ),
    'after-duration': durationFlag(
      'after-duration',
      { summary: 'Calm load after each burst, in which recovery is watched', example: '60s', group: 'SIZE' },
      { min: 2000, max: 3_600_000 },
    ),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(BenchBurst)
    const { burstRequest } = await import('../../configuration/burst-request.ts')
    const { outlineBurst, runBurst } = await import('../../suites/run-burst.ts')
    const request = burstRequest(flags, readSettings(flags), process.cwd())
    const outline = await outlineBurst(request)
    if (flags['dry-run']) return this.caseOutline(request, outline)
    const rounds = outline.cases.reduce((sum, each) => sum + each.rounds, 0)
    return this.runSuite(flags, rounds, (events, signal) => runBurst(request, outline, events, signal))
  }
}
