/**
 * What every command has: `--json` (standard output then holds data and nothing else), `--quiet`, configuration
 * by flag > environment > file, one form of error message, the table of exit codes, and an AbortSignal
 * that is aborted by Ctrl-C, SIGTERM, SIGHUP and a parent that went away.
 *
 * A command returns its result document from `run()`; the base prints it under `--json`. A verdict's exit code is
 * set with `exitWith`, never thrown.
 */
import { Command } from '@oclif/core/command'
import { boolean, string } from '@oclif/core/flags'
import type { FlagInput, Input, ParserOutput } from '@oclif/core/interfaces'
import { describeFailure, writeFailure } from './command-errors.ts'
import { watchInterruption, type Interruption } from './interruption.ts'
import { systemScheduler } from './platform/clock.ts'
import { environmentVariable } from './platform/process.ts'

type Values = Record<string, unknown>

export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true

  static override baseFlags = {
    json: boolean({
      summary: 'Print the result as JSON on standard output',
      env: 'LIGHTHOUSE_JSON',
      helpGroup: 'GLOBAL',
    }),
    quiet: boolean({ summary: 'No progress on standard error', env: 'LIGHTHOUSE_QUIET', helpGroup: 'GLOBAL' }),
    config: string({
      summary: 'Configuration file (default ./lighthouse.config.yaml if there is one)',
      env: 'LIGHTHOUSE_CONFIG',
      helpGroup: 'GLOBAL',
      helpValue: '<file>',
    }),
  }

  /** Whether progress is shown. Known after `parse`. */
  protected quiet = false

  private interruption: Interruption | null = null
  private chosenExitCode = 0

  /** Aborted with an InterruptedError when the run is told to stop. */
  protected get signal(): AbortSignal {
    this.interruption ??= watchInterruption(
      process,
      systemScheduler,
      (exitCode) => process.exit(exitCode),
      (line) => process.stderr.write(`${line}\n`),
    )
    return this.interruption.signal
  }

  /** True where standard error is a terminal that may be redrawn. */
  protected get interactive(): boolean {
    return process.stderr.isTTY && environmentVariable('TERM') !== 'dumb' && environmentVariable('CI') === undefined
  }

  /** How reports on standard output are drawn. */
  protected get terminalStyle(): { readonly width: number; readonly color: boolean } {
    const columns = Number(environmentVariable('COLUMNS') ?? process.stdout.columns)
    const forced = environmentVariable('FORCE_COLOR')
    const wanted = forced === undefined ? process.stdout.isTTY : forced !== '0'
    return {
      width: Math.min(200, Math.max(60, Number.isInteger(columns) && columns > 0 ? columns : 100)),
      color: wanted && environmentVariable('NO_COLOR') === undefined,
    }
  }

  /** The exit code once the command has ended; an interruption goes before it. */
  protected exitWith(exitCode: number): void {
    this.chosenExitCode = exitCode
  }

  /** A line of progress or advice: standard error, nothing under `--quiet`. */
  protected tell(line: string): void {
    if (!this.quiet) process.stderr.write(`${line}\n`)
  }

  override jsonEnabled(): boolean {
    const end = this.argv.indexOf('--')
    const words = end === -1 ? this.argv : this.argv.slice(0, end)
    return words.includes('--json') || /^(1|true|yes|on)$/i.test(environmentVariable('LIGHTHOUSE_JSON') ?? '')
  }

  protected override logJson(json: unknown): void {
    process.stdout.write(`${JSON.stringify(json, null, 2)}\n`)
  }

  protected override async init(): Promise<void> {
    await super.init()
    void this.signal
  }

  protected override async parse<F extends Values, B extends Values, A extends Values>(
    options?: Input<F, B, A>,
    argv?: string[],
  ): Promise<ParserOutput<F, B, A>> {
    const { configureFlags, explainParserError, refuseUnknownFlags } = await import('./configuration/parse.ts')
    const input = (options ?? this.ctor) as Input<F, B, A>
    const words = argv ?? this.argv
    const known: FlagInput = { ...input.baseFlags, ...input.flags }
    const command = `${this.config.bin} ${(this.id ?? '').replaceAll(':', ' ')}`
    refuseUnknownFlags(known, words, command)
    const flags = (await configureFlags(this.config, known, words)) as FlagInput<F>
    let parsed
    try {
      // A spread leaves out what a command inherits.
      const inherited = input.args === undefined ? {} : { args: input.args }
      parsed = await super.parse<F, B, A>({ ...input, ...inherited, flags }, words)
    } catch (error) {
      throw explainParserError(error, known, words, command)
    }
    this.quiet = parsed.flags['quiet'] === true
    return parsed
  }

  protected override async catch(error: unknown): Promise<void> {
    const interrupted = this.interruption?.exitCode() ?? null
    const failure = describeFailure(error)
    if (interrupted === null) {
      writeFailure(failure, this.jsonEnabled())
      this.chosenExitCode = failure?.exitCode ?? 0
      return
    }
    const message = error instanceof Error ? error.message : String(error)
    writeFailure(
      { code: 'INTERRUPTED', message, suggestions: [], exitCode: interrupted, stack: null },
      this.jsonEnabled(),
    )
  }

  protected override async finally(error: Error | undefined): Promise<void> {
    process.exitCode = this.interruption?.exitCode() ?? this.chosenExitCode
    this.interruption?.stop()
    await super.finally(error)
  }
}
