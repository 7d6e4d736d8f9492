/** `lighthouse migrate rehearse`: a plan tried on a bridge and a load of its own. */
import { string as textArgument } from '@oclif/core/args'
import { durationFlag, numberFlag } from '../../configuration/flags.ts'
import { movingLoadFlags } from '../../configuration/moving-load-request.ts'
import { certificateFlags, MigrationCommand, outputFlag } from '../../migration-command.ts'
import { LighthouseError } from '../../platform/errors.ts'

const load = 'LOAD'
const plant = 'PLANTED REGRESSION'

export default class MigrateRehearse extends MigrationCommand {
  static override summary = 'Try a plan on a bridge and a load of its own, with or without a planted regression'

  static override description = `FILE is a plan (docs/migration.md), or the name of a shipped one: quick or runsheet. A bridge and a load are started as processes of their own on loopback, the plan is carried
out on them as on a live system, and every exchange of the load is accounted for. By default 200 agents and 500 exchanges a second. With --plant-from the bridge's event loop is stalled for half of the time
while at least that share of agents is on push, which is what the plan's trips have to see.
Exit code 0 when it is completed, 21 when it was rolled back, 22 when an exchange was lost, duplicated or misdelivered.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> quick',
    '<%= config.bin %> <%= command.id %> quick --agents 1000 --rate 1000 --plant-from 25',
  ]

  static override args = {
    file: textArgument({ description: 'Plan, or quick or runsheet', required: true, ignoreStdin: true }),
  }

  static override flags = {
    ...outputFlag,
    ...certificateFlags,
    ...movingLoadFlags,
    deadline: durationFlag(
      'deadline',
      { summary: 'After this an exchange counts as timed out (default 10s)', example: '5s', group: load },
      { min: 100, max: 600_000 },
    ),
    'plant-from': numberFlag(
      'plant-from',
      { summary: 'Plant a regression from this share of agents on', example: '25', group: plant },
      { min: 0.01, max: 100 },
    ),
    'plant-stall': durationFlag(
      'plant-stall',
      { summary: 'How long each planted stall is (default 1500ms)', example: '800ms', group: plant },
      { min: 10, max: 10_000 },
    ),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(MigrateRehearse)
    const { rehearsePlan } = await import('../../configuration/rehearsal-request.ts')
    const { exitCodeOfRehearsal } = await import('../../measurement/migration-account.ts')
    if (flags['plant-stall'] !== undefined && flags['plant-from'] === undefined)
      throw new LighthouseError('USAGE', '--plant-stall plants nothing by itself', {
        suggestions: ['Say from which share of agents on: --plant-from 25.'],
      })
    const key = await this.signingKey(flags)
    const { folder, account } = await rehearsePlan(args.file, flags, {
      signal: this.signal,
      tell: (line) => this.tell(line),
    })
    const status = await this.finish(folder)
    this.exitWith(exitCodeOfRehearsal(account, status.status))
    if (!this.jsonEnabled()) {
      const { renderAccount } = await import('../../reports/migration-account-text.ts')
      process.stdout.write(renderAccount(account, this.terminalStyle))
    }
    return { ...status, account, certificate: await this.certify(status, key) }
  }
}
