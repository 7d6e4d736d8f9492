/**
 * `lighthouse serve …`: runs one engine in this process until it is told to stop, for agents and for `bench compare`
 * with `--polling-url` or `--elicitation-url`. What was acknowledged survives a restart on the same `--store`.
 */
import { BaseCommand } from './base-command.ts'
import { choiceFlag, textFlag, wholeFlag } from './configuration/flags.ts'
import { parseEngineSpecs } from './configuration/engine-specs.ts'
import { engineNames, loadEngine, type EngineName } from './engines/registry.ts'
import { durabilities } from './measurement/vocabulary.ts'
import type { KeyPurpose } from './configuration/server-files.ts'
import type { EngineServer, ServerConfig } from './engines/engine.ts'

const group = 'SERVER'

export const serveFlags = {
  port: wholeFlag(
    'port',
    { summary: 'Port to listen on; 0 picks a free one (default 8765)', example: '8080', group },
    { min: 0, max: 65_535 },
  ),
  listen: textFlag(
    'listen',
    { summary: 'Address to listen on (default 127.0.0.1)', example: '0.0.0.0', group },
    '<address>',
  ),
  store: textFlag(
    'store',
    { summary: 'SQLite file of the event store (default: a temporary one)', example: 'events.db', group },
    '<file>',
  ),
  durability: choiceFlag(
    'durability',
    { summary: 'What an acknowledgement promises of the store (default os)', example: 'fsync', group },
    durabilities,
  ),
  options: textFlag(
    'options',
    { summary: 'Options of the engine, separated by colons', example: 'batching=off', group },
    '<option=value:…>',
  ),
  'tls-cert': textFlag(
    'tls-cert',
    { summary: 'PEM file of the certificate chain; needs --tls-key', example: 'server.pem', group },
    '<file>',
  ),
  'tls-key': textFlag(
    'tls-key',
    { summary: 'PEM file of the private key; needs --tls-cert', example: 'server.key', group },
    '<file>',
  ),
  'enrolment-key-file': textFlag(
    'enrolment-key-file',
    { summary: 'File of the key with which agents enrol; made if it does not exist', example: 'enrolment.key', group },
    '<file>',
  ),
}

export abstract class ServeCommand extends BaseCommand {
  protected abstract readonly engine: EngineName
  /** It has flags, and with them an admin endpoint. */
  protected readonly hasFlags: boolean = false

  async run(): Promise<unknown> {
    const { flags } = await this.parse(this.ctor as typeof ServeCommand & { flags: typeof serveFlags })
    const config = await this.serverConfig(flags)
    const definition = await loadEngine(this.engine)
    definition.validateOptions(config.options)
    const server = await definition.startServer(config)
    this.announce(server, flags.store ?? null)
    await aborted(this.signal)
    await server.close()
    this.tell('stopped; everything that was acknowledged is in the store')
    return undefined
  }

  private async serverConfig(flags: ServeFlagValues): Promise<ServerConfig> {
    const { readServerKey, readTls } = await import('./configuration/server-files.ts')
    const options = flags.options === undefined ? '' : `:${flags.options}`
    const [spec] = parseEngineSpecs(`${this.engine}${options}`, engineNames)
    const keyOf = (purpose: KeyPurpose, file: string | undefined): string => {
      const { key, note } = readServerKey(purpose, file)
      if (note !== null) this.tell(note)
      return key
    }
    return {
      options: spec?.options ?? {},
      durability: durabilities.find((known) => known === flags.durability) ?? 'os',
      storeFile: flags.store ?? null,
      listen: flags.listen ?? '127.0.0.1',
      port: flags.port ?? 8765,
      tls: readTls(flags['tls-cert'], flags['tls-key']),
      enrolmentKey: keyOf('enrolment', flags['enrolment-key-file']),
      ...(this.hasFlags ? { adminKey: keyOf('admin', flags['admin-key-file']) } : {}),
    }
  }

  /** The one line on standard output that a script waits for. */
  private announce(server: EngineServer, store: string | null): void {
    if (this.jsonEnabled()) {
      process.stdout.write(
        `${JSON.stringify({ ready: true, engine: this.engine, url: server.url, semantics: server.semantics })}\n`,
      )
      return
    }
    this.log(`${this.engine} ready at ${server.url}`)
    const { delivery, durability, ordering, replay } = server.semantics
    this.tell(`delivery ${delivery}, durability ${durability}, ordering ${ordering}, replay ${replay}`)
    if (store === null) this.tell('the event store is temporary and goes with this process; keep one with --store FILE')
  }
}

interface ServeFlagValues {
  readonly port?: number | undefined
  readonly listen?: string | undefined
  readonly store?: string | undefined
  readonly durability?: string | undefined
  readonly options?: string | undefined
  readonly 'tls-cert'?: string | undefined
  readonly 'tls-key'?: string | undefined
  readonly 'enrolment-key-file'?: string | undefined
  readonly 'admin-key-file'?: string | undefined
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
