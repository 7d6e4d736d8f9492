/** Issues a certificate for a recorded run. */
import { Args } from '@oclif/core'
import { join } from 'node:path'
import { BaseCommand } from '../../base-command.ts'
import { certificateKinds } from '../../certificates/format.ts'
import { choiceFlag, textFlag } from '../../configuration/flags.ts'

const group = 'CERTIFICATE'

export default class CertifyIssue extends BaseCommand {
  static override summary = 'Issue a signed certificate for a recorded run'
  static override description =
    'First derives the results again from the recorded rounds; what does not follow is refused (exit 33). Never overwrites: every certificate has an ID of its own. Without --key a key is made on first use and trusted on this machine.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> runs/run-20261122-020736-1a2b --component "Message bridge"',
    '<%= config.bin %> <%= command.id %> runs/run-20261122-020736-1a2b --kind analysis --key env://SIGNING_KEY',
  ]

  static override args = {
    run: Args.string({ description: 'Directory of a finished run, or of a campaign beside its runs', required: true }),
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
      { summary: 'Kind of certificate (default readiness)', example: 'analysis', group },
      certificateKinds,
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
      kind: flags.kind ?? 'readiness',
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
