/** `lighthouse bench endurance`: hours or days of load in intervals, to see whether anything grows or gets slower. */
import { durationFlag, textFlag } from '../../configuration/flags.ts'
import { comparisonFlags } from '../../command-flags.ts'
import { SuiteCommand } from '../../suite-command.ts'
import type { EnduranceOutline, EnduranceRequest } from '../../suites/run-endurance.ts'

const {
  host: _host,
  rounds: _rounds,
  'round-duration': _duration,
  'polling-url': _polling,
  'elicitation-url': _push,
  engines: _engines,
  ...sharedFlags
} = comparisonFlags

export default class BenchEndurance extends SuiteCommand {
  static override summary = 'Load engines for hours or days and see whether anything grows or gets slower'

  static override description = `Plays interval after interval on engines that stay up, and reads after each what every process holds at rest. Reports leaks with the
smallest that would have been seen, drift and steps of latency, bytes kept per exchange, and how much of the time was measured.
Every interval is on disk when it ends: --resume goes on after a crash, with the gap counted as missing. Unless --engines
names others, the elicitation engine has all of the time; several engines share it in turn.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --profile full --duration 72h',
    '<%= config.bin %> <%= command.id %> --engines polling,elicitation --duration 2h --interval 60s',
    '<%= config.bin %> <%= command.id %> --profile full --resume runs/run-20260102-030405-7f3a',
    '<%= config.bin %> <%= command.id %> --profile full --dry-run',
  ]

  static override flags = {
    ...sharedFlags,
    engines: textFlag(
      'engines',
      {
        summary: 'Engines with options, candidate last; they share the time (default elicitation)',
        example: 'polling,elicitation',
        group: 'ENGINE',
      },
      '<list>',
    ),
    duration: durationFlag(
      'duration',
      { summary: 'Time under load, of all engines together', example: '72h', group: 'SIZE' },
      { min: 1000, max: 31 * 86_400_000 },
    ),
    interval: durationFlag(
      'interval',
      { summary: 'Time under load between two readings at rest', example: '10m', group: 'SIZE' },
      { min: 100, max: 86_400_000 },
    ),
    resume: textFlag(
      'resume',
      { summary: 'Go on with a run that was cut short', example: 'runs/run-20260102-030405-7f3a', group: 'OUTPUT' },
      '<dir>',
    ),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(BenchEndurance)
    const { enduranceRequest } = await import('../../configuration/endurance-request.ts')
    const { outlineEndurance, runEndurance } = await import('../../suites/run-endurance.ts')
    const request = enduranceRequest(flags, process.cwd())
    const outline = await outlineEndurance(request)
    if (flags['dry-run']) return this.outline(request, outline)
    return this.runSuite(flags, outline.cases[0].rounds, (events, signal) =>
      runEndurance(request, outline, events, signal),
    )
  }

  private async outline(request: EnduranceRequest, outline: EnduranceOutline): Promise<unknown> {
    const { caseOutlineLines } = await import('../../reports/outline.ts')
    const { bytes } = await import('../../reports/numbers.ts')
    const engines = request.arms.map(({ label, role }) => ({ label, role }))
    if (!this.jsonEnabled()) {
      const lines = caseOutlineLines({ ...outline, engines })
      const stores =
        outline.storeBytes === 0
          ? []
          : [`Stores:    grow to about ${bytes(outline.storeBytes)}, and are removed in the end`]
      this.log([...lines.slice(0, -1), ...stores, ...lines.slice(-1)].join('\n'))
    }
    return { dryRun: true, profile: request.profile, seed: request.seed, ...outline, engines }
  }
}
