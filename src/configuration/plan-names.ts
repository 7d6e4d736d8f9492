/** Which file a plan is: one that is named by its path, or one that ships with the program. */
import { fileURLToPath } from 'node:url'
import { shippedFile } from '../platform/modules.ts'

export const shippedPlans = ['quick', 'runsheet'] as const

export function planFile(nameOrFile: string): string {
  return shippedPlans.some((name) => name === nameOrFile)
    ? fileURLToPath(shippedFile(`fixtures/migration/${nameOrFile}.yaml`))
    : nameOrFile
}
