/** Packs a certificate and its evidence into one archive. */
import { Args } from '@oclif/core'
import { BaseCommand } from '../../base-command.ts'
import { textFlag } from '../../configuration/flags.ts'

export default class CertifyPack extends BaseCommand {
  static override summary = 'Pack a certificate with its evidence into one archive'
  static override description =
    'A reproducible .tar.gz with certificate, envelope, manifest, evidence, sign-offs, the public key and VERIFY.md. `certify verify` reads it as it is.'
  static override examples = ['<%= config.bin %> <%= command.id %> certificate/LH-20261122-ABCDEFGHIJKLMNOP']

  static override args = {
    certificate: Args.string({ description: 'Package folder or its .md', required: true }),
  }
  static override flags = {
    output: textFlag(
      'output',
      { summary: 'File to write (default ID.tar.gz)', example: 'release.tar.gz', group: 'OUTPUT' },
      '<file>',
    ),
  }

  async run() {
    const { args, flags } = await this.parse(CertifyPack)
    const { packCertificate, writeExclusively } = await import('../../certificates/pack.ts')
    const { id, bytes } = await packCertificate(args.certificate)
    const file = flags.output ?? `${id}.tar.gz`
    writeExclusively(file, bytes)
    this.log(`Packed ${id} into ${file} (${bytes.length} bytes)`)
    return { id, file, bytes: bytes.length }
  }
}
