/** `lighthouse migrate plan`: checks a plan and says what it asks for. */
import { string as textArgument } from '@oclif/core/args'
import { BaseCommand } from '../../base-command.ts'
import { numberFlag } from '../../configuration/flags.ts'

export default class MigratePlan extends BaseCommand {
  static override summary = 'Check a migration plan, and say how long it takes and how much evidence it needs'

  static override description = `FILE is a plan (docs/migration.md), or the name of a shipped one: quick or runsheet. Nothing is started.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> runsheet --rate 200',
    '<%= config.bin %> <%= command.id %> our-plan.yaml --json',
  ]

  static override args = {
    file: textArgument({ description: 'Plan, or quick or runsheet', required: true, ignoreStdin: true }),
  }

  static override flags = {
    rate: numberFlag(
      'rate',
      {
        summary: 'Deliveries per second of all agents, to say whether soaks are long enough',
        example: '200',
        group: 'LOAD',
      },
      { min: 0.001, max: 1e9 },
    ),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(MigratePlan)
    const { planFile } = await import('../../configuration/plan-names.ts')
    const { outlinePlan } = await import('../../migration/outline.ts')
    const { readPlanFile } = await import('../../migration/plan-file.ts')
    const document = outlinePlan(readPlanFile(planFile(args.file)), flags.rate ?? null)
    if (!this.jsonEnabled()) {
      const { renderPlan } = await import('../../reports/migration-text.ts')
      process.stdout.write(renderPlan(document, this.terminalStyle))
    }
    return document
  }
}
