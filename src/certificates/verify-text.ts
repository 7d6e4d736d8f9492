/**
 * The text of VERIFY.md in an archive: how to check the certificate with stock tools. A function of the ID alone, so
 * that a verifier can tell an altered one. It is not signed and says so; the same commands stand in
 * docs/certificates.md, which is where a careful reader takes them from. Archives of every version hold this text, so
 * a change of it needs a second version here, beside this one.
 */
import { approvalNamespace, certificateNamespace, packageNames } from './format.ts'

export function verifyText(id: string): string {
  const { markdown, bundle, manifest } = packageNames(id)
  return `# Checking ${id}

This file is not signed. Take the public key and the list of allowed signers from a place you trust, not from
this archive: \`signer.pub.pem\` is here to be compared, not to be believed.

With Lighthouse, all rungs, down to the raw histograms:

    lighthouse certify verify .

With OpenSSH (text and signer; the \`test\` is required):

    sed '/^-----BEGIN SSH SIGNATURE-----$/,$d' ${markdown} | ssh-keygen -Y verify -f allowed_signers -I PRINCIPAL \\
      -n ${certificateNamespace} -s <(sed -n '/^-----BEGIN SSH SIG/,/^-----END SSH SIG/p' ${markdown}) &&
    test "$(sed -n '/^-----END SSH SIG/,$p' ${markdown} | tail -n +2)" = '\`\`\`'

Evidence (also finds extra files):

    find evidence -type f | LC_ALL=C sort | xargs sha256sum | cmp - ${manifest}

The envelope ${bundle} and sign-offs in the namespace ${approvalNamespace} are described in docs/certificates.md.
`
}
