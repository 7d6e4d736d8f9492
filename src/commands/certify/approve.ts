/** Signs off a verified certificate. */
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../../base-command.ts'

export default class CertifyApprove extends BaseCommand {
  static override summary = 'Sign off a certificate'
  static override description =
    'Verifies the certificate, then writes a signature over the whole .md into signoffs/. The issuer cannot approve; for `verify --signoffs` a key and a person count once.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> certificate/LH-20261122-ABCDEFGHIJKLMNOP --key alice.pem',
  ]

  static override args = {
    certificate: Args.string({ description: 'Package folder or .md', required: true }),
  }
  static override flags = {
    key: Flags.string({
      summary: 'Key of the approver, PEM: a file, or env://NAME, e.g. --key alice.pem',
      helpValue: '<file|env://NAME>',
      required: true,
    }),
  }

  async run() {
    const { args, flags } = await this.parse(CertifyApprove)
    const { loadSigningKey } = await import('../../certificates/keys.ts')
    const { approveCertificate } = await import('../../certificates/approve.ts')
    const { readTrust, trustFiles } = await import('../../certificates/trust-store.ts')
    const { systemClock } = await import('../../platform/clock.ts')
    const { configurationFolder } = await import('../../platform/process.ts')
    const key = loadSigningKey(flags.key)
    const trust = readTrust(trustFiles(configurationFolder()))
    const approved = await approveCertificate(args.certificate, key, trust, systemClock().wallMs())
    this.log(
      `Signed off ${approved.id} with ${approved.fingerprint}${approved.textOnly ? ' (text only, evidence not checked)' : ''}`,
    )
    this.log(`  ${approved.file}`)
    return approved
  }
}
