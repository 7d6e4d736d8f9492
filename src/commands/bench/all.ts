/** `lighthouse bench all`: the suites one after the other, one decision and one certificate over all of them. */
import { comparisonFlags } from '../../command-flags.ts'
import { textFlag } from '../../configuration/flags.ts'
import { CampaignCommand } from '../../campaign-command.ts'
import type { CampaignRequest } from '../../suites/campaign.ts'

export default class BenchAll extends CampaignCommand {
  static override summary = 'Run the suites one after the other, with one decision and one certificate over all'

  static override description = `Every suite makes a run directory of its own; beside them stands the directory of the campaign, with the decision over all: the worst
of the suites, and NEEDS_FURTHER_REVIEW at best when one that was asked for did not run to its end. A suite that fails is named and the next
one begins. The readiness targets (--targets) are judged on the comparison; the other suites keep their own. Flags are passed on to the suites they
mean something to; --time-budget is for all together.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --profile smoke --only compare,scale',
    '<%= config.bin %> <%= command.id %> --skip recovery --time-budget 30m',
    '<%= config.bin %> <%= command.id %> --profile full --dry-run',
  ]

  static override flags = {
    ...comparisonFlags,
    only: textFlag(
      'only',
      { summary: 'Only these suites, by the names of their commands', example: 'compare,scale', group: 'SIZE' },
      '<list>',
    ),
    skip: textFlag('skip', { summary: 'All suites but these', example: 'recovery', group: 'SIZE' }, '<list>'),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(BenchAll)
    const { campaignRequest } = await import('../../configuration/campaign-request.ts')
    const request = await campaignRequest(flags, process.cwd())
    if (flags['dry-run']) return this.outline(request)
    return this.runCampaign(flags, request)
  }

  private async outline(request: CampaignRequest): Promise<unknown> {
    const { outlineCampaign } = await import('../../configuration/campaign-request.ts')
    const { campaignOutline } = await import('../../reports/campaign-text.ts')
    const outline = outlineCampaign(request)
    if (!this.jsonEnabled()) this.log(campaignOutline(outline.suites, outline).join('\n'))
    const { profile, seed } = request
    return { dryRun: true, profile, seed, ...outline }
  }
}
