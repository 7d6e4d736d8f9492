/** `lighthouse bench contention`: many writers at once on the event store itself, embedded and on PostgreSQL. */
import { numberFlag, switchFlag, textFlag, wholeFlag } from '../../configuration/flags.ts'
import { comparisonFlags, readSettings } from '../../command-flags.ts'
import { SuiteCommand } from '../../suite-command.ts'
import type { ContentionOutline, ContentionRequest } from '../../suites/run-contention.ts'

const {
  agents: _agents,
  rate: _rate,
  engines: _engines,
  host: _host,
  transport: _transport,
  pattern: _pattern,
  workload: _workload,
  ca: _ca,
  'polling-url': _polling,
  'elicitation-url': _push,
  'enrolment-key-file': _key,
  ...sharedFlags
} = comparisonFlags

export default class BenchContention extends SuiteCommand {
  static override summary = 'Put many writers and readers on the event store itself and show what it costs'

  static override description = `Writers append events to each store and readers read them, without an engine between: write and read latency, contention factor,
the seed's 50,000 writes a minute, commits, syncs and bytes per write, checkpoints, waits for locks and for connections. The last store
named is judged. The password of a server comes from PGPASSWORD or ~/.pgpass, never from a flag.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --profile smoke',
    '<%= config.bin %> <%= command.id %> --start-postgres --durability fsync',
    '<%= config.bin %> <%= command.id %> --store postgres://lighthouse@db.example/bench --pools 5,10,20,50,100',
    '<%= config.bin %> <%= command.id %> --stores sqlite:connections=4,sqlite:batching=off,sqlite --writers 10,200',
  ]

  static override flags = {
    ...sharedFlags,
    stores: textFlag(
      'stores',
      {
        summary:
          'Stores with options: sqlite (batching, connections), postgres (batching, poolSize); the last is judged',
        example: 'sqlite:batching=off,sqlite',
        group: 'ENGINE',
      },
      '<list>',
    ),
    store: textFlag(
      'store',
      {
        summary: 'Database on a PostgreSQL server in which the run may make and remove a schema',
        example: 'postgres://lighthouse@127.0.0.1/bench',
        group: 'ENGINE',
      },
      '<url>',
    ),
    'start-postgres': switchFlag('start-postgres', {
      summary: 'Start a PostgreSQL server in a temporary folder for this run, where one is installed',
      example: '',
      group: 'ENGINE',
    }),
    writers: textFlag(
      'writers',
      { summary: 'Levels: numbers of writers, ascending', example: '10,50,100,200', group: 'SIZE' },
      '<list>',
    ),
    'rate-per-writer': numberFlag(
      'rate-per-writer',
      { summary: 'Events that each writer appends per second (default 10)', example: '20', group: 'SIZE' },
      { min: 0.1, max: 10_000 },
    ),
    pools: textFlag(
      'pools',
      {
        summary: 'Sizes of the connection pool, ascending; 0 leaves them out',
        example: '5,10,20,50,100',
        group: 'SIZE',
      },
      '<list>',
    ),
    'pool-writers': wholeFlag(
      'pool-writers',
      { summary: 'Writers that load each pool', example: '100', group: 'SIZE' },
      { min: 2, max: 10_000 },
    ),
    probes: wholeFlag(
      'probes',
      {
        summary: 'Probes of the search for the highest rate of each store; 0 leaves it out',
        example: '7',
        group: 'SIZE',
      },
      { min: 0, max: 20 },
    ),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(BenchContention)
    const { contentionRequest } = await import('../../configuration/contention-request.ts')
    const { outlineContention, runContention } = await import('../../suites/run-contention.ts')
    const request = contentionRequest(flags, readSettings({ ...flags, host: 'process' }), process.cwd())
    const outline = outlineContention(request)
    if (flags['dry-run']) return this.outline(request, outline)
    return this.runSuite(flags, outline.order.length, (events, signal) =>
      runContention(request, outline, events, signal),
    )
  }

  private async outline(request: ContentionRequest, outline: ContentionOutline): Promise<unknown> {
    const { caseOutlineLines, storeWords } = await import('../../reports/outline.ts')
    const { arms, ...plan } = outline
    const engines = arms.map(({ label, role }) => ({ label, role }))
    if (!this.jsonEnabled()) this.log(caseOutlineLines({ ...plan, engines }, storeWords).join('\n'))
    return { dryRun: true, profile: request.profile, seed: request.seed, ...plan, engines }
  }
}
