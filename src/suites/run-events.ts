/** What a run tells whoever watches it; the command line turns these into progress. */
import type { RoundProgress } from '../load/round-plan.ts'
import type { RoundEvidence } from '../measurement/round-evidence.ts'

export interface RunEvents {
  started(runId: string, directory: string, seed: string): void
  stage(text: string): void
  /** Something the user should know that is no error. */
  note(text: string): void
  roundStart(engine: string, round: number, attempt: number): void
  progress(engine: string, progress: RoundProgress): void
  roundDone(evidence: RoundEvidence): void
}
