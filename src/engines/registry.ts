/**
 * Names the engines. Modules load on first use, so that `--help` never pays for an engine.
 */
import { LighthouseError } from '../platform/errors.ts'
import type { EngineDefinition } from './engine.ts'

export const engineNames = ['polling', 'hybrid', 'elicitation', 'bridge'] as const
export type EngineName = (typeof engineNames)[number]

function isEngineName(name: string): name is EngineName {
  return engineNames.some((known) => known === name)
}

/**
 * By name, or from a module given as a `file:` URL that exports `engine`: how benches put an engine of their own,
 * such as a bare relay, on the same hosts and under the same load. The command line takes names only.
 */
export async function loadEngine(name: string): Promise<EngineDefinition> {
  if (name.startsWith('file:')) return ((await import(name)) as { engine: EngineDefinition }).engine
  if (!isEngineName(name)) {
    throw new LighthouseError('USAGE', `there is no engine called '${name}'`, {
      suggestions: [`Choose one of: ${engineNames.join(', ')}.`],
    })
  }
  switch (name) {
    case 'polling':
      return (await import('./polling/definition.ts')).pollingEngine
    case 'hybrid':
      return (await import('./polling/definition.ts')).hybridEngine
    case 'elicitation':
      return (await import('./elicitation/definition.ts')).elicitationEngine
    case 'bridge':
      return (await import('./bridge/definition.ts')).bridgeEngine
  }
}
