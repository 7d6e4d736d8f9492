/** Makes an Ed25519 signing key and both public forms of it. */
import { Args } from '@oclif/core'
import { BaseCommand } from '../../base-command.ts'
import { textFlag } from '../../configuration/flags.ts'

export default class CertifyKeygen extends BaseCommand {
  static override summary = 'Make a signing key for certificates'
  static override description =
    'Writes FILE (private, PKCS#8 PEM, mode 0600, never overwritten), FILE.pub (public, SPKI PEM, for openssl and cosign) and FILE.allowed_signers (for ssh-keygen and `certify trust`).'
  static override examples = ['<%= config.bin %> <%= command.id %> ci-signing.pem --principal ci@example.org']

  static override args = {
    file: Args.string({ description: 'File of the private key; must not exist', required: true }),
  }
  static override flags = {
    principal: textFlag(
      'principal',
      { summary: 'Name of the key in lists of signers', example: 'ci@example.org', group: 'KEY' },
      '<name>',
    ),
  }

  async run() {
    const { args, flags } = await this.parse(CertifyKeygen)
    const { generateKey, writeKey } = await import('../../certificates/keys.ts')
    const { defaultSignerLine, principalOf } = await import('../../certificates/default-key.ts')
    const key = generateKey()
    const principal = flags.principal ?? principalOf(key.fingerprint)
    const written = writeKey(key, args.file, defaultSignerLine(key, principal))
    this.log(`Made an Ed25519 key: ${key.fingerprint}`)
    this.log(`  private          ${written.privateFile}`)
    this.log(`  public (PEM)     ${written.publicFile}`)
    this.log(`  allowed_signers  ${written.signersFile}`)
    this.log(`Nobody trusts it yet: lighthouse certify trust add ${written.publicFile} --principal ${principal}`)
    return { fingerprint: key.fingerprint, principal, ...written }
  }
}
