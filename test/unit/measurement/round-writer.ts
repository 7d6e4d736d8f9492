/** A process that writes round after round into a run directory until it is killed; names each on stdout. */
import { createRunDirectory } from '../../../src/measurement/run-directory.ts'
import { recordedLog, recordedManifest, recordedRound } from './recorded-run.ts'

const directory = createRunDirectory(process.argv[2] ?? '', recordedManifest.runId)
directory.start(recordedManifest, '{}\n', '{}\n')
const log = recordedLog([[1500, 2500], [3500]])
for (let round = 0; round < 10_000; round++) {
  const folder = directory.writeRound(recordedRound(round, 'elicitation'), log)
  directory.writeReport(`after ${folder}\n`.repeat(10_000))
  process.stdout.write(`${folder}\n`)
}
