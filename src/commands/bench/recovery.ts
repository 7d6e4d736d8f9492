/** `lighthouse bench recovery`: breaks the engines on purpose under load, and times how they come back. */
import { durationFlag, textFlag, wholeFlag } from '../../configuration/flags.ts'
import { comparisonFlags, readSettings } from '../../command-flags.ts'
import { SuiteCommand } from '../../suite-command.ts'

const {
  host: _host,
  warmup: _warmup,
  'polling-url': _polling,
  'elicitation-url': _push,
  ...sharedFlags
} = comparisonFlags

export default class BenchRecovery extends SuiteCommand {
  static override summary = 'Break the engines on purpose under load and time how they come back'

  static override description = `Injects one fault after the other into engines of their own, with the load going on throughout, and reports per fault: time to
detect, to first success and to full throughput, backlog, error budget burnt, amplification, and what was lost or duplicated.
A control without faults carries the latency targets. --rounds and --round-duration are those of the control.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --profile smoke',
    '<%= config.bin %> <%= command.id %> --faults crash,pause --fault-duration 5s',
    '<%= config.bin %> <%= command.id %> --faults crash --repeat 100 --agents 50',
    '<%= config.bin %> <%= command.id %> --faults crash --repeat 100 --resume runs/run-20260102-030405-7f3a',
    '<%= config.bin %> <%= command.id %> --faults all --dry-run',
  ]

  static override flags = {
    ...sharedFlags,
    faults: textFlag(
      'faults',
      { summary: 'Faults to inject, by name, or all', example: 'crash,pause', group: 'LOAD' },
      '<list>',
    ),
    repeat: wholeFlag(
      'repeat',
      { summary: 'How often each fault is injected into each engine', example: '10', group: 'SIZE' },
      { min: 1, max: 1000 },
    ),
    resume: textFlag(
      'resume',
      { summary: 'Go on with a run that was cut short', example: 'runs/run-20260102-030405-7f3a', group: 'OUTPUT' },
      '<dir>',
    ),
    'fault-duration': durationFlag(
      'fault-duration',
      { summary: 'From the injection of a fault to its healing', example: '5s', group: 'SIZE' },
      { min: 100, max: 600_000 },
    ),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(BenchRecovery)
    const { recoveryRequest } = await import('../../configuration/recovery-request.ts')
    const { outlineRecovery, runRecovery } = await import('../../suites/run-recovery.ts')
    const request = recoveryRequest(flags, readSettings({ ...flags, host: 'process' }), process.cwd())
    const outline = outlineRecovery(request)
    if (flags['dry-run']) return this.caseOutline(request, outline)
    const rounds = outline.cases.reduce((sum, each) => sum + each.rounds, 0)
    return this.runSuite(flags, rounds, (events, signal) => runRecovery(request, outline, events, signal))
  }
}
