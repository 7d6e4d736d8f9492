/**
 * What every command that runs a suite does with a finished run: print it, certify it, and leave with its exit code.
 */
import { BaseCommand } from './base-command.ts'
import type { SigningKey } from './certificates/keys.ts'
import type { RoundEvidence } from './measurement/round-evidence.ts'
import { exitCodes } from './platform/errors.ts'
import type { Progress } from './reports/progress.ts'
import type { CaseOutlinePlan } from './reports/outline.ts'
import type { FinishedRun, SuiteRequest } from './suites/run-frame.ts'
import type { RunEvents } from './suites/run-events.ts'

export interface SuiteFlags {
  readonly certificate: boolean
  readonly key?: string | undefined
  readonly 'allow-conditional': boolean
}

/** Shows a run's events as progress; `rounds`: of one engine. */
export function watching(
  progress: Progress,
  rounds: number,
  roundLine: (evidence: RoundEvidence) => string,
): RunEvents {
  return {
    started: (_runId, directory, seed) => progress.stage(`run directory ${directory}, seed ${seed}`),
    stage: (text) => progress.stage(text),
    note: (text) => progress.stage(`note: ${text}`),
    roundStart: (engine, round, attempt) =>
      progress.stage(`round ${round + 1} of ${rounds}: ${engine}${attempt === 0 ? '' : ` (repeat ${attempt})`}`),
    progress: (engine, info) => progress.round({ ...info, engine, rounds }),
    roundDone: (evidence) => progress.roundDone(roundLine(evidence)),
  }
}

export abstract class SuiteCommand extends BaseCommand {
  /** What a dry run of a suite with several loads prints. */
  protected async caseOutline<O extends Omit<CaseOutlinePlan, 'engines'>>(
    { arms, profile, seed }: Pick<SuiteRequest, 'arms' | 'profile' | 'seed'>,
    outline: O,
  ): Promise<unknown> {
    const { caseOutlineLines } = await import('./reports/outline.ts')
    const engines = arms.map(({ label, role }) => ({ label, role }))
    if (!this.jsonEnabled()) this.log(caseOutlineLines({ ...outline, engines }).join('\n'))
    return { dryRun: true, profile, seed, ...outline, engines }
  }

  /** Measures with live progress, reports, certifies unless told not to, and sets the exit code. `rounds`: of one engine. */
  protected async runSuite(
    flags: SuiteFlags,
    rounds: number,
    run: (events: RunEvents, signal: AbortSignal) => Promise<FinishedRun>,
  ): Promise<unknown> {
    const key = flags.certificate ? await this.signingKey(flags.key) : null
    const finished = await this.measure(rounds, run)
    await this.report(finished)
    const certificate = key === null || finished.ended !== 'complete' ? null : await this.certify(finished, key)
    return this.conclude(finished, certificate, flags['allow-conditional'])
  }

  private async measure(
    rounds: number,
    run: (events: RunEvents, signal: AbortSignal) => Promise<FinishedRun>,
  ): Promise<FinishedRun> {
    const { createProgress } = await import('./reports/progress.ts')
    const { roundLine } = await import('./reports/round-line.ts')
    const progress = createProgress({ stream: process.stderr, interactive: this.interactive, quiet: this.quiet })
    try {
      return await run(watching(progress, rounds, roundLine), this.signal)
    } finally {
      await progress.finish()
    }
  }

  private async report({ results, runDirectory }: FinishedRun): Promise<void> {
    if (this.jsonEnabled()) return
    const { renderTerminal } = await import('./reports/terminal.ts')
    this.log(renderTerminal(results, this.terminalStyle))
    this.log(`Run directory: ${runDirectory}`)
  }

  /** Null, with a warning, where no key can be kept: the measurement is worth more than its seal. */
  protected async signingKey(specification: string | undefined): Promise<SigningKey | null> {
    const { chooseKey } = await import('./certificates/certify-run.ts')
    const { key, notes } = chooseKey(specification)
    for (const note of notes) process.stderr.write(`${note}\n`)
    return key
  }

  /** Path of the Markdown. */
  private async certify(finished: FinishedRun, key: SigningKey): Promise<string> {
    const { certifyRun } = await import('./certificates/certify-run.ts')
    const { systemClock } = await import('./platform/clock.ts')
    const { markdownPath, fingerprint } = await certifyRun(finished.runDirectory, key, systemClock().wallMs())
    if (!this.jsonEnabled()) this.log(`Certificate: ${markdownPath}\nSigned by ${fingerprint}`)
    return markdownPath
  }

  private conclude(finished: FinishedRun, certificate: string | null, allowConditional: boolean): unknown {
    const { results, runDirectory, ended } = finished
    if (ended === 'interrupted') this.tell(`interrupted; the partial run is in ${runDirectory}`)
    if (ended === 'time-budget') this.tell(`the time budget is used up; the partial run is in ${runDirectory}`)
    const allowed = allowConditional && results.exitCode === exitCodes.CONDITIONALLY_APPROVED
    this.exitWith(ended === 'time-budget' ? exitCodes.TIME_BUDGET : allowed ? exitCodes.APPROVED : results.exitCode)
    return { ...results, runDirectory, certificate }
  }
}
