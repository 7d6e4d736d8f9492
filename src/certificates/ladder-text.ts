/**
 * The ladder as text for a terminal: the verdict first, then every rung, passed, failed or not reached. Text from
 * the certificate is stripped of control characters, so that no file can paint over the verdict.
 */
import { tick, cross } from './figures.ts'
import type { RungName, VerificationReport } from './verify.ts'

const titles: Readonly<Record<RungName, string>> = {
  syntax: 'Syntax and limits',
  signature: 'Signature by a trusted key',
  binding: 'Binding of every file',
  meaning: 'Meaning: figures, decision, text',
  expectation: 'Expectation',
}

const marks = { passed: tick, failed: cross, 'not-reached': '·' } as const

export function ladderText(report: VerificationReport): string {
  const { certificate, signer, failure } = report
  const lines = [headline(report)]
  if (certificate !== null) {
    lines.push(`${certificate.kind} certificate for ${certificate.component}: ${certificate.status}`)
    lines.push(
      `Scope: ${certificate.scope}`,
      `Commit: ${certificate.commit ?? 'not known'}`,
      `Issued: ${certificate.issuedAt} by ${certificate.agent}`,
    )
  }
  if (signer !== null) lines.push(`Signer: ${signer.principals.join(', ')} (${signer.fingerprint})`)
  lines.push('')
  for (const rung of report.rungs) {
    const details = rung.state === 'not-reached' ? ['not reached', ...rung.details] : rung.details
    lines.push(`${marks[rung.state]} ${rung.number} ${titles[rung.name]}: ${details.join('; ')}`)
  }
  for (const { file, counted, principals, reason } of report.signoffs) {
    lines.push(`${counted ? tick : cross} sign-off ${file}: ${counted ? principals.join(', ') : reason}`)
  }
  for (const suggestion of failure?.suggestions ?? []) lines.push(`  → ${suggestion}`)
  return `${lines.map(printable).join('\n')}\n`
}

function headline({ verified, id, textOnly, failure, exitCode }: VerificationReport): string {
  const name = id ?? 'certificate'
  if (!verified) return `${cross} NOT VERIFIED ${name}: ${failure?.code ?? ''} (exit ${exitCode})`
  return textOnly ? `${tick} TEXT ONLY ${name}: evidence not checked` : `${tick} VERIFIED ${name}`
}

function printable(line: string): string {
  return line.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?').replaceAll('::', ': :')
}
