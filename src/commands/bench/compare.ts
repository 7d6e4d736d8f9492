/** `lighthouse bench compare`: two or more engines under the same load, a decision and its certificate. */
import { BaseCommand } from '../../base-command.ts'
import { comparisonFlags, readSettings } from '../../command-flags.ts'
import type { SigningKey } from '../../certificates/keys.ts'
import { exitCodes } from '../../platform/errors.ts'
import type { ComparisonRequest, FinishedComparison } from '../../suites/run-comparison.ts'

export default class BenchCompare extends BaseCommand {
  static override summary = 'Compare messaging engines under the same open-loop load and decide on the last one named'

  static override description = `Runs the engines in interleaved rounds, accounts for every exchange, judges the declared targets and issues a
signed certificate. The last engine named is the candidate that the decision is about.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --profile smoke',
    '<%= config.bin %> <%= command.id %> --engines polling:interval=100,hybrid,elicitation --agents 200',
    '<%= config.bin %> <%= command.id %> --dry-run',
  ]

  static override flags = { ...comparisonFlags }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(BenchCompare)
    const { comparisonRequest } = await import('../../configuration/comparison-request.ts')
    const request = comparisonRequest(flags, readSettings(flags), process.cwd())
    if (flags['dry-run']) return this.outline(request)
    const key = flags.certificate ? await this.signingKey(flags.key) : null
    const finished = await this.measure(request)
    await this.report(finished)
    const certificate = key === null || finished.ended !== 'complete' ? null : await this.certify(finished, key)
    return this.conclude(finished, certificate, flags['allow-conditional'])
  }

  private async outline(request: ComparisonRequest): Promise<unknown> {
    const { outlineComparison } = await import('../../suites/run-comparison.ts')
    const { outlineLines } = await import('../../reports/outline.ts')
    const outline = await outlineComparison(request)
    const { agents, ratePerSecond } = request.workload
    const engines = request.arms.map(({ label, role }) => ({ label, role }))
    const plan = {
      ...outline,
      engines,
      rounds: request.rounds,
      roundDurationMs: request.roundDurationMs,
      agents,
      ratePerSecond,
    }
    if (!this.jsonEnabled()) this.log(outlineLines(plan).join('\n'))
    return { dryRun: true, profile: request.profile, seed: request.seed, ...plan }
  }

  private async measure(request: ComparisonRequest): Promise<FinishedComparison> {
    const { runComparison } = await import('../../suites/run-comparison.ts')
    const { createProgress } = await import('../../reports/progress.ts')
    const { roundLine } = await import('../../reports/round-line.ts')
    const progress = createProgress({ stream: process.stderr, interactive: this.interactive, quiet: this.quiet })
    const rounds = request.rounds
    try {
      return await runComparison(
        request,
        {
          started: (_runId, directory, seed) => progress.stage(`run directory ${directory}, seed ${seed}`),
          stage: (text) => progress.stage(text),
          note: (text) => progress.stage(`note: ${text}`),
          roundStart: (engine, round, attempt) =>
            progress.stage(`round ${round + 1} of ${rounds}: ${engine}${attempt === 0 ? '' : ` (repeat ${attempt})`}`),
          progress: (engine, info) => progress.round({ ...info, engine, rounds }),
          roundDone: (evidence) => progress.roundDone(roundLine(evidence)),
        },
        this.signal,
      )
    } finally {
      await progress.finish()
    }
  }

  private async report({ results, runDirectory }: FinishedComparison): Promise<void> {
    if (this.jsonEnabled()) return
    const { renderTerminal } = await import('../../reports/terminal.ts')
    this.log(renderTerminal(results, this.terminalStyle))
    this.log(`Run directory: ${runDirectory}`)
  }

  /** Null, with a warning, where no key can be kept: the measurement is worth more than its seal. */
  private async signingKey(specification: string | undefined): Promise<SigningKey | null> {
    const { chooseKey } = await import('../../certificates/certify-run.ts')
    const { key, notes } = chooseKey(specification)
    for (const note of notes) process.stderr.write(`${note}\n`)
    return key
  }

  /** Path of the Markdown. */
  private async certify(finished: FinishedComparison, key: SigningKey): Promise<string> {
    const { certifyRun } = await import('../../certificates/certify-run.ts')
    const { systemClock } = await import('../../platform/clock.ts')
    const { markdownPath, fingerprint } = await certifyRun(finished.runDirectory, key, systemClock().wallMs())
    if (!this.jsonEnabled()) this.log(`Certificate: ${markdownPath}\nSigned by ${fingerprint}`)
    return markdownPath
  }

  private conclude(finished: FinishedComparison, certificate: string | null, allowConditional: boolean): unknown {
    const { results, runDirectory, ended } = finished
    if (ended === 'interrupted') this.tell(`interrupted; the partial run is in ${runDirectory}`)
    if (ended === 'time-budget') this.tell(`the time budget is used up; the partial run is in ${runDirectory}`)
    const allowed = allowConditional && results.exitCode === exitCodes.CONDITIONALLY_APPROVED
    this.exitWith(ended === 'time-budget' ? exitCodes.TIME_BUDGET : allowed ? exitCodes.APPROVED : results.exitCode)
    return { ...results, runDirectory, certificate }
  }
}
