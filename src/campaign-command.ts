/** What `bench all` does with a campaign: plays it with live progress, prints it, certifies it, and leaves with its exit code. */
import type { SigningKey } from './certificates/keys.ts'
import { suiteCommands } from './measurement/derive-scope.ts'
import { exitCodes } from './platform/errors.ts'
import { SuiteCommand, watching, type SuiteFlags } from './suite-command.ts'
import type { CampaignRequest, FinishedCampaign } from './suites/campaign.ts'

export abstract class CampaignCommand extends SuiteCommand {
  protected async runCampaign(flags: SuiteFlags, request: CampaignRequest): Promise<unknown> {
    const key = flags.certificate ? await this.signingKey(flags.key) : null
    const finished = await this.play(request)
    await this.reportCampaign(finished)
    const measured = finished.ended === 'complete' && finished.runs.length > 0
    const certificate = key === null || !measured ? null : await this.certifyCampaign(finished, key)
    return this.concludeCampaign(finished, certificate, flags['allow-conditional'])
  }

  private async play(request: CampaignRequest): Promise<FinishedCampaign> {
    const { createProgress } = await import('./reports/progress.ts')
    const { roundLine } = await import('./reports/round-line.ts')
    const { systemClock } = await import('./platform/clock.ts')
    const { runCampaign } = await import('./suites/campaign.ts')
    const options = { stream: process.stderr, interactive: this.interactive, quiet: this.quiet }
    const progress = createProgress(options)
    try {
      return await runCampaign(
        request,
        {
          started: (_id, directory) => progress.stage(`campaign directory ${directory}, seed ${request.seed}`),
          suiteStarted: (suite, place, of) => {
            progress.stage(`suite ${place} of ${of}: ${suiteCommands[suite]}`)
            const planned = request.suites.find((each) => each.suite === suite)
            return watching(progress, planned !== undefined && 'rounds' in planned ? planned.rounds : 0, roundLine)
          },
          suiteEnded: ({ suite, outcome, reason }, run) => {
            const said = run === null ? reason : `${run.results.decision}${reason === '' ? '' : `, ${reason}`}`
            progress.stage(`${suiteCommands[suite]} ${outcome}: ${said}`)
          },
        },
        systemClock(),
        this.signal,
      )
    } finally {
      await progress.finish()
    }
  }

  private async reportCampaign({ document, runs, directory }: FinishedCampaign): Promise<void> {
    if (this.jsonEnabled()) return
    const { campaignTerminal } = await import('./reports/campaign-text.ts')
    const members = runs.map(({ results }) => results)
    this.log(campaignTerminal(document, members, this.terminalStyle))
    for (const { runDirectory, results } of runs) this.log(`Run directory: ${runDirectory} (${results.suite})`)
    this.log(`Campaign directory: ${directory}`)
  }

  /** Path of the Markdown. */
  private async certifyCampaign({ directory }: FinishedCampaign, key: SigningKey): Promise<string> {
    const { certifyRun } = await import('./certificates/certify-run.ts')
    const { systemClock } = await import('./platform/clock.ts')
    const { markdownPath, fingerprint } = await certifyRun(directory, key, systemClock().wallMs())
    if (!this.jsonEnabled()) this.log(`Certificate: ${markdownPath}\nSigned by ${fingerprint}`)
    return markdownPath
  }

  private concludeCampaign(finished: FinishedCampaign, certificate: string | null, allowConditional: boolean): unknown {
    const { document, directory, ended, runs } = finished
    const without = document.suites.filter(({ outcome }) => outcome !== 'finished')
    for (const { suite, outcome, reason } of without) this.tell(`${suiteCommands[suite]} ${outcome}: ${reason}`)
    if (ended !== 'complete') {
      const why = ended === 'interrupted' ? 'interrupted' : 'the time budget is used up'
      this.tell(`${why}; what was measured is in ${directory} and the runs that it names`)
    }
    const allowed = allowConditional && document.exitCode === exitCodes.CONDITIONALLY_APPROVED
    this.exitWith(ended === 'time-budget' ? exitCodes.TIME_BUDGET : allowed ? exitCodes.APPROVED : document.exitCode)
    return {
      ...document,
      campaignDirectory: directory,
      runDirectories: runs.map(({ runDirectory }) => runDirectory),
      certificate,
    }
  }
}
