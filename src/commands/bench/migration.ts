/** `lighthouse bench migration`: moves agents back and forth under load, with a node killed in the middle. */
import { choiceFlag, durationFlag, switchFlag } from '../../configuration/flags.ts'
import { movingLoadFlags } from '../../configuration/moving-load-request.ts'
import { BaseCommand } from '../../base-command.ts'
import { outputFlag } from '../../migration-command.ts'

const size = 'SIZE'
const load = 'LOAD'

export default class BenchMigration extends BaseCommand {
  static override summary = 'Move agents 0, 5, 25, 50, 100, 0 % under load, with the node killed in the middle'

  static override description = `Accounts for every exchange whichever path its agents were on, times each move, and compares push beside polling with push alone. Journal and account are kept
in a folder of migrations. Exit code 0 when nothing was lost, duplicated or reordered and every move was seen to end, 22 when something was, 23 when not all of it was seen.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --profile smoke',
    '<%= config.bin %> <%= command.id %> --agents 2000 --rate 2000 --dwell 1m',
  ]

  static override flags = {
    ...outputFlag,
    profile: choiceFlag('profile', { summary: 'Size of the bench (default standard)', example: 'smoke', group: size }, [
      'smoke',
      'standard',
      'full',
    ] as const),
    dwell: durationFlag(
      'dwell',
      {
        summary: 'How long each share is kept, longer than agents wait for push after the node died',
        example: '1m',
        group: size,
      },
      { min: 20_000, max: 86_400_000 },
    ),
    ...movingLoadFlags,
    durability: choiceFlag(
      'durability',
      {
        summary: 'When an exchange counts as kept (default os); memory loses it with the node',
        example: 'fsync',
        group: load,
      },
      ['memory', 'os', 'fsync'] as const,
    ),
    'dry-run': switchFlag('dry-run', { summary: 'Print the plan and start nothing', example: '', group: 'OUTPUT' }),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(BenchMigration)
    const { benchMoves, movesSizes } = await import('../../configuration/moves-request.ts')
    if (flags['dry-run']) {
      const sizes = movesSizes(flags)
      const { agents, ratePerSecond, dwellMs, durationMs } = sizes
      this.log(
        `${agents} agents, ${ratePerSecond} exchanges/s, 0, 5, 25, 50, 100 % for ${dwellMs / 1000} s each, then back: about ${Math.ceil(durationMs / 1000)} s`,
      )
      return { dryRun: true, ...sizes }
    }
    const document = await benchMoves(flags, { signal: this.signal, tell: (line) => this.tell(line) })
    if (!this.jsonEnabled()) {
      const { renderMoves } = await import('../../reports/moves-text.ts')
      process.stdout.write(renderMoves(document, this.terminalStyle))
    }
    this.exitWith(document.exitCode)
    return document
  }
}
