/**
 * The second half of the meaning check: the signed statement and the signed text must be what this program makes
 * from the evidence. The ID and the predicate are built again, the Markdown is rendered again and compared byte for
 * byte; a rating, a row or a condition that somebody wrote by hand shows here even under a good signature.
 */
import type { ManifestEntry } from './evidence-manifest.ts'
import { firstDifference, meaningDiffers } from './meaning.ts'
import { field } from './escape.ts'
import type { PreviousCertificate } from './previous.ts'
import { renderMeaning } from './render-meaning.ts'
import { buildPredicate, certificateId, commitDigest, type Statement } from './statement.ts'
import type { Meaning } from './subject.ts'

export function checkStatement(statement: Statement, meaning: Meaning): void {
  const id = certificateId(statement, statement.manifestSha256, meaning)
  if (id !== statement.id)
    throw meaningDiffers(`the certificate ID ${statement.id} does not follow from the evidence (${id} does)`)
  if (statement.gitCommit !== commitDigest(meaning))
    throw meaningDiffers('the commit of the statement is not the one of the evidence')
  const expected = buildPredicate(id, statement, statement.manifestSha256, meaning)
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
  const { id, kind, component, agent, issuedAt, manifestSha256 } = statement
  const named = { id, kind, component, agent, issuedAt, manifestSha256 }
  const expected = renderMeaning({ ...named, fingerprint, evidence: manifest, previous }, meaning)
  if (body === expected) return
  const found = body.split('\n')
  const line = expected.split('\n').findIndex((text, index) => text !== found[index])
  throw meaningDiffers(
    `line ${(line === -1 ? found.length : line) + 1} of the text is not what follows from the evidence`,
  )
}
