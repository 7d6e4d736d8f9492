/** `lighthouse migrate simulate`: how often the rules of a plan err, and how soon they see what is wrong. */
import { string as textArgument } from '@oclif/core/args'
import { BaseCommand } from '../../base-command.ts'
import { numberFlag, textFlag, wholeFlag } from '../../configuration/flags.ts'
import { parseSeed } from '../../configuration/values.ts'
import { exitCodes } from '../../platform/errors.ts'

const group = 'SIMULATION'

export default class MigrateSimulate extends BaseCommand {
  static override summary =
    'Play the canary of a plan many times in virtual time, with engines that are planted good and bad'

  static override description = `What is played is the state machine that decides migrations. Shares are published with one-sided 95 % Clopper-Pearson bounds; a share of at most
0.1 % cannot be shown by fewer than about 3,000 runs. Exit code 0 when every goal is shown, 23 when one is not.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> runsheet',
    '<%= config.bin %> <%= command.id %> our-plan.yaml --runs 10000 --rate 500 --json',
  ]

  static override args = {
    file: textArgument({ description: 'Plan, or quick or runsheet', required: true, ignoreStdin: true }),
  }

  static override flags = {
    runs: wholeFlag(
      'runs',
      { summary: 'Runs of each engine (default 3000)', example: '10000', group },
      { min: 1, max: 1_000_000 },
    ),
    rate: numberFlag(
      'rate',
      { summary: 'Deliveries per second of all agents (default 20)', example: '200', group },
      { min: 0.001, max: 1e6 },
    ),
    agents: wholeFlag('agents', { summary: 'Agents (default 10000)', example: '1000', group }, { min: 1, max: 1e9 }),
    seed: textFlag(
      'seed',
      { summary: 'Seed of all draws (default simulation)', example: 'other', group },
      '<text>',
      parseSeed,
    ),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(MigrateSimulate)
    const { planFile } = await import('../../configuration/plan-names.ts')
    const { readPlanFile } = await import('../../migration/plan-file.ts')
    const { simulatePlan } = await import('../../migration/simulation.ts')
    const document = await simulatePlan({
      plan: readPlanFile(planFile(args.file)),
      load: { agents: flags.agents ?? 10_000, perSecond: flags.rate ?? 20 },
      runs: flags.runs ?? 3000,
      seed: flags.seed ?? 'simulation',
      onScenario: ({ scenario, runs, promoted, rolledBack, held }, index, of) =>
        this.tell(
          `${index} of ${of}: ${scenario.name}: of ${runs} runs ${promoted} promoted, ${rolledBack} rolled back, ${held} held`,
        ),
      onProgress: (scenario, done, runs) => this.tell(`${scenario.name}: ${done} of ${runs} runs`),
      signal: this.signal,
    })
    if (!this.jsonEnabled()) {
      const { renderSimulation } = await import('../../reports/migration-text.ts')
      process.stdout.write(renderSimulation(document, this.terminalStyle))
    }
    this.exitWith(document.goals.every(({ shown }) => shown) ? exitCodes.APPROVED : exitCodes.NEEDS_FURTHER_REVIEW)
    return document
  }
}
