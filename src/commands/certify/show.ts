/** Prints a certificate's text, and says that printing is not verifying. */
import { Args } from '@oclif/core'
import { BaseCommand } from '../../base-command.ts'

export default class CertifyShow extends BaseCommand {
  static override summary = 'Print the text of a certificate'
  static override description = 'Checks the form of the text only. Whether it is genuine, `certify verify` says.'
  static override examples = ['<%= config.bin %> <%= command.id %> certificate/LH-20261122-ABCDEFGHIJKLMNOP']

  static override args = {
    certificate: Args.string({ description: 'Package folder, its .md, or an archive', required: true }),
  }

  async run() {
    const { args } = await this.parse(CertifyShow)
    const { readPackage } = await import('../../certificates/package-files.ts')
    const { layoutOf } = await import('../../certificates/package-layout.ts')
    const { parseCertificateText } = await import('../../certificates/certificate-text.ts')
    const { fingerprintOf } = await import('../../certificates/ssh-wire.ts')
    const layout = layoutOf(await readPackage(args.certificate))
    const { body, signature } = parseCertificateText(layout.markdown, `${layout.id}.md`)
    const text = Buffer.from(layout.markdown).toString('utf8')
    // A line that begins with :: is a command to some CI systems; no certificate of this program has one.
    if (!this.jsonEnabled()) process.stdout.write(text.replaceAll(/^(\s*):(?=:)/gm, '$1: '))
    this.tell('Not verified: run `lighthouse certify verify` before relying on it.')
    return {
      id: layout.id,
      verified: false,
      claimedSigner: fingerprintOf(signature.publicKey),
      evidenceFiles: layout.evidence.size,
      signoffs: [...layout.signoffs.keys()],
      body,
    }
  }
}
