/** Revokes a key on this machine, for good. */
import { Args } from '@oclif/core'
import { BaseCommand } from '../../../base-command.ts'
import { textFlag } from '../../../configuration/flags.ts'

export default class CertifyTrustRevoke extends BaseCommand {
  static override summary = 'Revoke a key on this machine'
  static override description =
    'A revoked key is refused whatever the trust list says, also for certificates it signed before.'
  static override examples = ['<%= config.bin %> <%= command.id %> SHA256:… --reason "laptop lost"']

  static override args = {
    key: Args.string({ description: 'Fingerprint of a listed key, or a public key file', required: true }),
  }
  static override flags = {
    reason: textFlag('reason', { summary: 'Why, kept as a comment', example: '"laptop lost"', group: 'KEY' }, '<text>'),
  }

  async run() {
    const { args, flags } = await this.parse(CertifyTrustRevoke)
    const { parsePublicKeyLine } = await import('../../../certificates/allowed-signers.ts')
    const { loadPublicKey } = await import('../../../certificates/keys.ts')
    const { fingerprintOf } = await import('../../../certificates/ssh-wire.ts')
    const { findListedKey, revokeKey, trustFiles } = await import('../../../certificates/trust-store.ts')
    const { configurationFolder } = await import('../../../platform/process.ts')
    const files = trustFiles(configurationFolder())
    const publicKey = args.key.startsWith('SHA256:')
      ? findListedKey(files, args.key)
      : loadPublicKey(args.key, (line) => parsePublicKeyLine(line, args.key))
    const fingerprint = fingerprintOf(publicKey)
    const revoked = revokeKey(files, publicKey, flags.reason ?? '')
    this.log(`${revoked ? 'Revoked' : 'Already revoked'}: ${fingerprint}`)
    return { revoked, fingerprint, file: files.revokedKeys }
  }
}
