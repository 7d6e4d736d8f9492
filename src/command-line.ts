/**
 * Runs one command line from argv to exit code. Commands report their own errors (`base-command.ts`); what
 * goes wrong before a command exists (an unknown command, a module that does not load) is reported here in
 * the same form. The process ends by itself when its work is done; a handle that somebody forgot is
 * cut off after a bound, so that CI never hangs on a finished run.
 */
import { Config } from '@oclif/core/config'
import type { LoadOptions } from '@oclif/core/interfaces'
import { run } from '@oclif/core/run'
import { CommandLineError, describeFailure, writeFailure } from './command-errors.ts'
import { nearestWord } from './statistics/nearest-word.ts'
import { exitCodes } from './platform/errors.ts'
import { environmentVariable } from './platform/process.ts'

/** How long a finished command line may be kept alive by a handle that was left open. */
const lingerMs = 5000

export async function runCommandLine(
  options: LoadOptions,
  argv: readonly string[] = process.argv.slice(2),
): Promise<void> {
  const json = argv.includes('--json')
  tolerateClosedStreams()
  const fatal = (error: unknown): void => {
    writeFailure(describeFailure(error), json)
    process.exit(exitCodes.CRASH)
  }
  process.on('uncaughtException', fatal)
  process.on('unhandledRejection', fatal)
  try {
    await run([...argv], options)
  } catch (error) {
    const failure = describeFailure(await explainUnknownCommand(error, options, argv))
    if (failure !== null) writeFailure(failure, json)
    process.exitCode = failure?.exitCode ?? exitCodes.APPROVED
  }
  setTimeout(() => {
    if (environmentVariable('LIGHTHOUSE_DEBUG') !== undefined) {
      process.stderr.write(`still open after ${lingerMs} ms: ${process.getActiveResourcesInfo().join(', ')}\n`)
    }
    process.exit()
  }, lingerMs).unref()
}

/** A reader that left (`| head`) is no error; a stream that cannot be written to otherwise is one. */
function tolerateClosedStreams(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.removeAllListeners('error')
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') return
      if (stream === process.stdout)
        process.stderr.write(`Error: standard output cannot be written: ${error.message}\n`)
      process.exit(exitCodes.ENVIRONMENT)
    })
  }
}

/** The framework says only that a command was not found; the nearest one is what the user needs. */
async function explainUnknownCommand(error: unknown, options: LoadOptions, argv: readonly string[]): Promise<unknown> {
  if (!(error instanceof Error) || !/^Command .* not found\.?$/i.test(error.message)) return error
  const config = await Config.load(options)
  const words = argv.filter((word) => !word.startsWith('-'))
  const known = [...config.commandIDs, ...config.topics.map((topic) => topic.name)].map((id) => id.replaceAll(':', ' '))
  const given = words.slice(0, 2).join(' ')
  const guess = nearestWord(given, known) ?? nearestWord(words[0] ?? '', known)
  return new CommandLineError(
    `there is no command '${words.join(' ')}'`,
    guess === null ? ['Run `lighthouse --help` for the list of commands.'] : [`Did you mean \`lighthouse ${guess}\`?`],
  )
}
