/**
 * The second half of the meaning check: the signed statement and the signed text must be what this program makes
 * from the evidence. The ID and the predicate are built again, the Markdown is rendered again and compared byte for
 * byte; a rating, a row or a condition that somebody wrote by hand shows here even under a good signature.
 */
import type { ManifestEntry } from './evidence-manifest.ts'
import { firstDifference, meaningDiffers, type Meaning } from './meaning.ts'
import { field } from './escape.ts'
import type { PreviousCertificate } from './previous.ts'
import { renderBody } from './render.ts'
import { buildPredicate, certificateId, commitDigest, type Statement } from './statement.ts'

export function checkStatement(statement: Statement, { run, results }: Meaning): void {
  const id = certificateId(statement, statement.manifestSha256, results)
  if (id !== statement.id)
    throw meaningDiffers(`the certificate ID ${statement.id} does not follow from the evidence (${id} does)`)
  if (statement.gitCommit !== commitDigest(results))
    throw meaningDiffers('the commit of the statement is not the one of the run')
  const expected = buildPredicate(id, statement, statement.manifestSha256, run, results)
  const difference = firstDifference(statement.predicate, expected, 'predicate')
  if (difference !== null) throw meaningDiffers(`${difference} of the statement does not follow from the evidence`)
}

interface Rendered {
  readonly statement: Statement
  readonly manifest: readonly ManifestEntry[]
  readonly meaning: Meaning
  readonly previous: PreviousCertificate | null
  readonly fingerprint: string
}

export function checkRendering(body: string, { statement, manifest, meaning, previous, fingerprint }: Rendered): void {
  if (previous !== null && previous.component !== field(statement.component)) {
    throw meaningDiffers('the previous certificate in the evidence is of another component')
  }
  const expected = renderBody({
    id: statement.id,
    kind: statement.kind,
    component: statement.component,
    agent: statement.agent,
    issuedAt: statement.issuedAt,
    fingerprint,
    manifestSha256: statement.manifestSha256,
    evidence: manifest,
    run: meaning.run,
    results: meaning.results,
    previous,
  })
  if (body === expected) return
  const found = body.split('\n')
  const line = expected.split('\n').findIndex((text, index) => text !== found[index])
  throw meaningDiffers(
    `line ${(line === -1 ? found.length : line) + 1} of the text is not what follows from the evidence`,
  )
}
