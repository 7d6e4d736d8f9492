/** `lighthouse doctor`: what this machine can measure, at which profile, and what to do where it cannot. */
import { BaseCommand } from '../base-command.ts'
import { comparisonFlags, profileFlag } from '../command-flags.ts'
import { switchFlag } from '../configuration/flags.ts'
import { profileNames } from '../configuration/profiles.ts'

export default class Doctor extends BaseCommand {
  static override summary = 'Check whether this machine can measure, and which suites can be valid on it'

  static override description = `Looks at descriptors, cores, memory, ports, steal, other programs, clock, timers, disk and tools for a few seconds, and says of every
suite and profile whether it can be valid here. Starts no engine and leaves nothing behind. The exit code is about --profile: 0 when every suite can
be valid, 20 when one is limited, 24 when bench compare cannot be valid.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --profile full --output /data/runs',
    '<%= config.bin %> <%= command.id %> --quick --json',
  ]

  static override flags = {
    ...profileFlag,
    output: comparisonFlags.output,
    quick: switchFlag('quick', {
      summary: 'Leave out what takes time: clock rates, timers, steal, other programs, fsync',
      example: '',
      group: 'SIZE',
    }),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Doctor)
    const { needsOfProfiles } = await import('../configuration/doctor-request.ts')
    const { readMachine } = await import('../measurement/read-machine.ts')
    const { systemClock, systemScheduler } = await import('../platform/clock.ts')
    const { diagnose } = await import('../suites/doctor.ts')
    const needs = needsOfProfiles(flags.profile === undefined ? profileNames : [flags.profile], process.cwd())
    this.tell(flags.quick ? 'looking at this machine' : 'looking at this machine for a few seconds')
    const machine = await readMachine({
      outputFolder: flags.output ?? 'runs',
      timed: !flags.quick,
      clock: systemClock(),
      scheduler: systemScheduler,
      signal: this.signal,
    })
    const document = diagnose(machine, needs, flags.profile ?? 'standard')
    if (!this.jsonEnabled()) {
      const { renderDoctor } = await import('../reports/doctor-text.ts')
      process.stdout.write(renderDoctor(document, this.terminalStyle))
    }
    this.exitWith(document.exitCode)
    return document
  }
}
