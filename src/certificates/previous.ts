/**
 * What became of an earlier certificate's conditions and recommendations. They are read from its signed Markdown,
 * kept whole in the evidence, and judged by the present results alone:
 * CLOSED when the very same target, claim or count is now good (with the figure that shows it); WORSE when the
 * verdict itself fell (a MARGINAL or NOT_DEMONSTRATED target is NOT_MET, an unshown claim is REFUTED), so that noise
 * between two runs never is; OPEN otherwise, also when this run did not measure it. A changed bar is another bar:
 * it never closes the old one.
 */
import type { ResultsDocument, TargetResult } from '../measurement/results-document.ts'
import { provenanceDoubt } from './assessment-risks.ts'
import { slowestStage } from './assessment.ts'
import { parseCertificateText } from './certificate-text.ts'
import { code } from './escape.ts'
import { candidateOf, figure, targetMeasured, validRoundsOf } from './figures.ts'
import { campaignTitle, certificateNamespace, idPattern, migrationTitles } from './format.ts'
import { verifySsh } from './sshsig.ts'
import { fingerprintOf } from './ssh-wire.ts'
import { malformed } from './text-rules.ts'

export interface PreviousItem {
  readonly id: string
  /** As printed, in a code span. */
  readonly key: string
  readonly state: string
}

export interface PreviousCertificate {
  readonly id: string
  readonly component: string
  readonly status: string
  readonly date: string
  readonly publicKey: Uint8Array
  readonly fingerprint: string
  readonly items: readonly PreviousItem[]
}

export type Outcome = 'CLOSED' | 'OPEN' | 'WORSE'

export interface Review {
  readonly item: PreviousItem
  readonly outcome: Outcome
  readonly evidence: string
}

/** One numbered line of a condition or recommendation, as the renderer writes it. */
export function itemLine(number: number, item: { id: string; key: string; state: string }, text: string): string {
  return `${number}. **${item.id}** ${code(item.key)} (${item.state}): ${text}`
}

const itemPattern = /^\d+\. \*\*([CR]\d+)\*\* (`[^`]+`) \(([A-Za-z0-9_.]+)\): /

/** Throws MALFORMED_CERTIFICATE, or SIGNATURE_ALTERED through `altered` when its own signature does not hold. */
export function parsePrevious(bytes: Uint8Array, altered: (message: string) => Error): PreviousCertificate {
  const { body, signature } = parseCertificateText(bytes, 'the previous certificate')
  if (!verifySsh(Buffer.from(body, 'utf8'), certificateNamespace, signature)) {
    throw altered('the text of the previous certificate was altered after it was signed')
  }
  const lines = body.split('\n')
  // Its conditions hang on runs of several suites; none of them is judged by one run.
  if (lines[0] === `# ${campaignTitle}`) throw malformed('the previous certificate is of a campaign, not of a run')
  if (Object.values(migrationTitles).some((title) => lines[0] === `# ${title}`))
    throw malformed('the previous certificate is of a migration, not of a run')
  const id = labelled(lines, 'Certificate ID')
  if (!idPattern.test(id)) throw malformed('the previous certificate has no certificate ID')
  return {
    id,
    component: labelled(lines, 'Component'),
    status: labelled(lines, 'Status'),
    date: labelled(lines, 'Date'),
    publicKey: signature.publicKey,
    fingerprint: fingerprintOf(signature.publicKey),
    items: lines.flatMap((line) => {
      const match = itemPattern.exec(line)
      return match === null ? [] : [{ id: match[1] as string, key: match[2] as string, state: match[3] as string }]
    }),
  }
}

/** The last `**Label**: value` line: findings carry a Status of their own, the decision's comes after them. */
function labelled(lines: readonly string[], label: string): string {
  const prefix = `**${label}**: `
  const line = lines.findLast((candidate) => candidate.startsWith(prefix))
  if (line === undefined) throw malformed(`the previous certificate has no ${label}`)
  return line.slice(prefix.length)
}

export function reviewPrevious(previous: PreviousCertificate, results: ResultsDocument): readonly Review[] {
  return previous.items.map((item) => ({ item, ...judge(item, results) }))
}

function judge(item: PreviousItem, results: ResultsDocument): { outcome: Outcome; evidence: string } {
  const target = results.targets.find(({ expression }) => code(expression) === item.key)
  if (target !== undefined) return judgeTarget(item, target)
  const claim = results.claims.find(({ id }) => code(`claim:${id}`) === item.key)
  if (claim !== undefined) {
    const outcome =
      claim.verdict === 'SHOWN' ? 'CLOSED' : claim.verdict === 'REFUTED' && item.state !== 'REFUTED' ? 'WORSE' : 'OPEN'
    return { outcome, evidence: `the claim is ${claim.verdict} now, measured ${figure(claim.value)}` }
  }
  return judgeFact(item, results) ?? { outcome: 'OPEN', evidence: 'not measured by this run in the same terms' }
}

function judgeTarget(item: PreviousItem, target: TargetResult): { outcome: Outcome; evidence: string } {
  const rank: Readonly<Record<string, number>> = { MET: 0, MARGINAL: 1, NOT_DEMONSTRATED: 1, NOT_MET: 2 }
  const evidence = `${target.verdict} now, measured ${targetMeasured(target)}`
  if (target.verdict === 'MET') return { outcome: 'CLOSED', evidence }
  const was = rank[item.state] ?? 2
  return { outcome: (rank[target.verdict] ?? 2) > was ? 'WORSE' : 'OPEN', evidence }
}

function judgeFact(item: PreviousItem, results: ResultsDocument): { outcome: Outcome; evidence: string } | null {
  const key = item.key.slice(1, -1)
  const candidate = candidateOf(results)
  if (key.startsWith('delivery:') && candidate !== undefined && results.ledger.state === 'COMPLETE') {
    const counts: Readonly<Record<string, number>> = { ...candidate.exchanges }
    const now = counts[key.slice('delivery:'.length)]
    if (now === undefined) return null
    return {
      outcome: now === 0 ? 'CLOSED' : 'OPEN',
      evidence: `${now} of ${candidate.exchanges.scheduled} exchanges now`,
    }
  }
  if (key === 'ledger') {
    return {
      outcome: results.ledger.state === 'COMPLETE' ? 'CLOSED' : 'OPEN',
      evidence: `the ledger is ${results.ledger.state}`,
    }
  }
  if (key === 'rounds') {
    const valid = validRoundsOf(results)
    return {
      outcome: valid >= results.plannedRounds ? 'CLOSED' : 'OPEN',
      evidence: `${valid} of ${results.plannedRounds} planned rounds are valid`,
    }
  }
  if (key === 'provenance') {
    const doubt = provenanceDoubt(results)
    return {
      outcome: doubt === null ? 'CLOSED' : 'OPEN',
      evidence: doubt ?? `run from the clean commit ${results.environment.commit.value ?? ''}`,
    }
  }
  const stage = slowestStage(results)
  if (!key.startsWith('stage:') || stage === null) return null
  return {
    outcome: key === `stage:${stage.name}` ? 'OPEN' : 'CLOSED',
    evidence: `the slowest stage is ${stage.name}, P99 ${figure(stage.p99Us)} µs, n=${stage.n}`,
  }
}
