/** Which file a plan is: one that is named by its path, or one that ships with the program. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { LighthouseError } from '../platform/errors.ts'
import { shippedFile } from '../platform/modules.ts'
import { nearestWord } from '../statistics/nearest-word.ts'

export const shippedPlans = ['quick', 'runsheet'] as const

/** Throws USAGE for a bare word that is neither. */
export function planFile(nameOrFile: string): string {
  if (shippedPlans.some((name) => name === nameOrFile))
    return fileURLToPath(shippedFile(`fixtures/migration/${nameOrFile}.yaml`))
  if (/^[a-z0-9-]+$/i.test(nameOrFile) && !existsSync(nameOrFile)) {
    const guess = nearestWord(nameOrFile, shippedPlans)
    throw new LighthouseError('USAGE', `there is no plan '${nameOrFile.slice(0, 80)}'`, {
      suggestions: [
        guess === null ? `Name a YAML file, or one of: ${shippedPlans.join(', ')}.` : `Did you mean '${guess}'?`,
      ],
    })
  }
  return nameOrFile
}
