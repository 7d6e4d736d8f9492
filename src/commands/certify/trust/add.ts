/** Adds a public key to the local trust list. */
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../../../base-command.ts'
import { textFlag } from '../../../configuration/flags.ts'

export default class CertifyTrustAdd extends BaseCommand {
  static override summary = 'Trust a key on this machine'
  static override examples = [
    '<%= config.bin %> <%= command.id %> ci-signing.pem.pub --principal ci@example.org --valid-before 20270101Z',
  ]

  static override args = {
    file: Args.string({ description: 'Public key: SPKI PEM or one OpenSSH line', required: true }),
  }
  static override flags = {
    principal: Flags.string({
      summary: 'Whose key it is, e.g. --principal ci@example.org',
      helpValue: '<name>',
      required: true,
    }),
    for: Flags.option({ options: ['certificate', 'approve'] as const, multiple: true, multipleNonGreedy: true })({
      summary: 'What its signatures may mean (default both), e.g. --for approve',
    }),
    'valid-after': textFlag(
      'valid-after',
      { summary: 'Not before', example: '20260101Z', group: 'VALIDITY' },
      '<YYYYMMDDZ>',
    ),
    'valid-before': textFlag(
      'valid-before',
      { summary: 'Not from then on', example: '20270101Z', group: 'VALIDITY' },
      '<YYYYMMDDZ>',
    ),
  }

  async run() {
    const { args, flags } = await this.parse(CertifyTrustAdd)
    const { parsePublicKeyLine, writeSignerLine } = await import('../../../certificates/allowed-signers.ts')
    const { approvalNamespace, certificateNamespace } = await import('../../../certificates/format.ts')
    const { loadPublicKey } = await import('../../../certificates/keys.ts')
    const { fingerprintOf } = await import('../../../certificates/ssh-wire.ts')
    const { addTrust, trustFiles } = await import('../../../certificates/trust-store.ts')
    const { configurationFolder } = await import('../../../platform/process.ts')
    const names = { certificate: certificateNamespace, approve: approvalNamespace }
    const meanings = flags.for ?? (['certificate', 'approve'] as const)
    const publicKey = loadPublicKey(args.file, (line) => parsePublicKeyLine(line, args.file))
    const line = writeSignerLine(
      {
        principal: flags.principal,
        namespaces: meanings.map((meaning) => names[meaning]),
        ...(flags['valid-after'] === undefined ? {} : { validAfter: flags['valid-after'] }),
        ...(flags['valid-before'] === undefined ? {} : { validBefore: flags['valid-before'] }),
      },
      publicKey,
    )
    const fingerprint = fingerprintOf(publicKey)
    const files = trustFiles(configurationFolder())
    const added = addTrust(files, line)
    this.log(`${added ? 'Trusted' : 'Already trusted'}: ${flags.principal} ${fingerprint}`)
    return { added, principal: flags.principal, fingerprint, file: files.allowedSigners }
  }
}
