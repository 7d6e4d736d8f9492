/** Issues a certificate for a recorded run, campaign or migration. */
import { Args } from '@oclif/core'
import { join } from 'node:path'
import { BaseCommand } from '../../base-command.ts'
import { certificateKinds, migrationKinds } from '../../certificates/format.ts'
import { choiceFlag, textFlag } from '../../configuration/flags.ts'

const group = 'CERTIFICATE'

export default class CertifyIssue extends BaseCommand {
  static override summary = 'Issue a signed certificate for a recorded run, campaign or migration'
  static override description =
    'First derives the results again from the recorded rounds, or from the journal of a migration; what does not follow is refused (exit 33). The journal says which certificate a migration gets: of going back, of readiness once it is over, else of the last phase that was left with its gates met. Never overwrites: every certificate has an ID of its own. Without --key a key is made on first use and trusted on this machine.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> runs/run-20261122-020736-1a2b --component "Message bridge"',
    '<%= config.bin %> <%= command.id %> runs/run-20261122-020736-1a2b --kind analysis --key env://SIGNING_KEY',
    '<%= config.bin %> <%= command.id %> migrations/migration-20261122-020736-1a2b --phase canary-5',
  ]

  static override args = {
    run: Args.string({
      description: 'Directory of a finished run, of a campaign beside its runs, or of a migration',
      required: true,
    }),
  }
  static override flags = {
    component: textFlag(
      'component',
      { summary: 'What the certificate is about (default: message delivery)', example: '"Message bridge"', group },
      '<name>',
    ),
    agent: textFlag(
      'agent',
      { summary: 'Who vouches for it (default performance-engineer)', example: 'release-engineer', group },
      '<name>',
    ),
    kind: choiceFlag(
      'kind',
      {
        summary:
          'readiness (default) or analysis of a run; migration, canary or rollback (default by the journal) of a migration',
        example: 'analysis',
        group,
      },
      [...certificateKinds, ...migrationKinds],
    ),
    phase: textFlag(
      'phase',
      { summary: 'Phase whose canary is approved (default: the last one left)', example: 'canary-5', group },
      '<name>',
    ),
    key: textFlag(
      'key',
      { summary: 'Signing key, PEM: a file, or env://NAME of a variable that holds it', example: 'signing.pem', group },
      '<file|env://NAME>',
    ),
    previous: textFlag(
      'previous',
      { summary: 'Earlier certificate (.md) whose conditions are reviewed', example: 'LH-….md', group },
      '<file>',
    ),
    output: textFlag(
      'output',
      {
        summary: 'Folder for the package (default: certificate/ in the run directory)',
        example: 'certificates',
        group,
      },
      '<folder>',
    ),
  }

  async run() {
    const { args, flags } = await this.parse(CertifyIssue)
    const { loadSigningKey } = await import('../../certificates/keys.ts')
    const { configurationFolder } = await import('../../platform/process.ts')
    const { systemClock } = await import('../../platform/clock.ts')
    const { issueCertificate } = await import('../../certificates/issue.ts')
    const { defaultAgent, defaultComponent } = await import('../../certificates/certify-run.ts')
    const { requireDefaultKey } = await import('../../certificates/default-key.ts')
    const key = flags.key === undefined ? requireDefaultKey(configurationFolder()) : loadSigningKey(flags.key)
    const issued = await issueCertificate({
      runDirectory: args.run,
      outputDirectory: flags.output ?? join(args.run, 'certificate'),
      key,
      ...(flags.kind === undefined ? {} : { kind: flags.kind }),
      ...(flags.phase === undefined ? {} : { phase: flags.phase }),
      component: flags.component ?? defaultComponent,
      agent: flags.agent ?? defaultAgent,
      now: systemClock().wallMs(),
      ...(flags.previous === undefined ? {} : { previous: flags.previous }),
    })
    if (issued.newKey) this.tell(`A new signing key was made and is trusted on this machine: ${issued.fingerprint}`)
    this.log(`${issued.status}: certificate ${issued.id}`)
    this.log(`  ${issued.markdownPath}`)
    this.log(`  signed with ${issued.fingerprint}`)
    return issued
  }
}
