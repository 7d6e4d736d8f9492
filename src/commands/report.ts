/** `lighthouse report`: derives the results of a run directory anew and prints them; nothing is measured. */
import { string as textArgument } from '@oclif/core/args'
import { BaseCommand } from '../base-command.ts'
import { switchFlag } from '../configuration/flags.ts'

export default class Report extends BaseCommand {
  static override summary = 'Derive the report of a run directory again, also of a run that was interrupted'

  static override description = `Every figure is recomputed from the recorded histograms. The exit code is that of the decision. With --write the run
directory gets the new results.json and report.md. Of a campaign the decision over all is derived, with every run that lies beside it.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> runs/20260102-030405-7f3a',
    '<%= config.bin %> <%= command.id %> runs/20260102-030405-7f3a --write --json',
  ]

  static override args = {
    run: textArgument({ description: 'Directory of a run or a campaign', required: true, ignoreStdin: true }),
  }

  static override flags = {
    write: switchFlag('write', { summary: 'Write results.json and report.md anew', example: '', group: 'OUTPUT' }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Report)
    const { readCampaignBytes } = await import('../measurement/campaign-directory.ts')
    const campaign = readCampaignBytes(args.run)
    if (campaign !== null) return this.reportCampaign(args.run, campaign, flags.write)
    const { openRunDirectory } = await import('../measurement/run-directory.ts')
    const { deriveResults } = await import('../measurement/derive.ts')
    const run = openRunDirectory(args.run)
    const results = deriveResults(run)
    if (flags.write) {
      const { renderMarkdown } = await import('../reports/markdown.ts')
      run.directory.writeResults(results)
      run.directory.writeReport(renderMarkdown(results))
    }
    if (!this.jsonEnabled()) {
      const { renderTerminal } = await import('../reports/terminal.ts')
      this.log(renderTerminal(results, this.terminalStyle).trimEnd())
    }
    this.exitWith(results.exitCode)
    return results
  }

  private async reportCampaign(path: string, bytes: Uint8Array, write: boolean): Promise<unknown> {
    const { deriveCampaignAgain } = await import('../runs/derive-again.ts')
    const { campaignMarkdown, campaignTerminal } = await import('../reports/campaign-text.ts')
    const { document, members } = deriveCampaignAgain(path, bytes)
    if (write) {
      const { campaignDirectory } = await import('../measurement/campaign-directory.ts')
      const directory = campaignDirectory(path)
      directory.write(document)
      directory.writeReport(campaignMarkdown(document, members))
    }
    if (!this.jsonEnabled()) this.log(campaignTerminal(document, members, this.terminalStyle).trimEnd())
    this.exitWith(document.exitCode)
    return document
  }
}
