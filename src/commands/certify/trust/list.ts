/** Lists whom this machine trusts. */
import { BaseCommand } from '../../../base-command.ts'

export default class CertifyTrustList extends BaseCommand {
  static override summary = 'List the keys that this machine trusts'
  static override examples = ['<%= config.bin %> <%= command.id %> --json']

  async run() {
    await this.parse(CertifyTrustList)
    const { readTrust, trustFiles } = await import('../../../certificates/trust-store.ts')
    const { formatIssueTime } = await import('../../../certificates/issue-time.ts')
    const { configurationFolder } = await import('../../../platform/process.ts')
    const files = trustFiles(configurationFolder())
    const store = readTrust(files)
    const time = (ms: number | null): string | null => (ms === null ? null : formatIssueTime(ms))
    const signers = store.signers.map((signer) => ({
      fingerprint: signer.fingerprint,
      principals: signer.principals,
      namespaces: signer.namespaces,
      validAfter: time(signer.validAfterMs),
      validBefore: time(signer.validBeforeMs),
      revoked: store.revoked.has(signer.fingerprint),
    }))
    if (signers.length === 0) this.log(`No key is trusted (${files.allowedSigners}).`)
    for (const { fingerprint, principals, namespaces, validAfter, validBefore, revoked } of signers) {
      const window = [
        validAfter === null ? '' : ` from ${validAfter}`,
        validBefore === null ? '' : ` until ${validBefore}`,
      ].join('')
      this.log(
        `${revoked ? 'REVOKED ' : ''}${fingerprint} ${principals.join(',')} for ${namespaces.join(', ') || 'everything'}${window}`,
      )
    }
    return { signers, revoked: [...store.revoked], file: files.allowedSigners }
  }
}
