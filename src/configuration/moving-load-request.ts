/**
 * The load of rehearsals and of the bench of moves: what the command line says of it, and a bridge under it.
 */
import { choiceFlag, numberFlag, textFlag, wholeFlag } from './flags.ts'
import { parseSeed } from './values.ts'
import { freshSeed } from '../platform/random.ts'
import type { MovingLoad, MovingLoadPlan } from '../suites/moving-load.ts'

const group = 'LOAD'

export const movingLoadFlags = {
  agents: wholeFlag('agents', { summary: 'Agents', example: '2000', group }, { min: 2, max: 20_000 }),
  rate: numberFlag(
    'rate',
    { summary: 'Exchanges offered per second', example: '2000', group },
    { min: 1, max: 100_000 },
  ),
  transport: choiceFlag('transport', { summary: 'What carries push (default websocket)', example: 'sse', group }, [
    'websocket',
    'sse',
  ] as const),
  seed: textFlag(
    'seed',
    { summary: 'Every draw of the load derives from it (default: a fresh one, printed)', example: '7f3a', group },
    '<seed>',
    parseSeed,
  ),
}

export interface MovingLoadFlagValues {
  readonly transport?: 'websocket' | 'sse' | undefined
  readonly seed?: string | undefined
}

const payloadBytes = 300

/** Starts it, and tells what it does. `intervalMs`: of what the bridge observes. */
export async function openMovingLoad(
  sizes: Pick<MovingLoadPlan, 'agents' | 'ratePerSecond' | 'deadlineMs' | 'roundDurationMs' | 'durability'>,
  intervalMs: number,
  flags: MovingLoadFlagValues,
  tell: (line: string) => void,
): Promise<MovingLoad> {
  const { MovingLoad: Load } = await import('../suites/moving-load.ts')
  const seed = flags.seed ?? freshSeed()
  // Agents come in pairs.
  const agents = sizes.agents + (sizes.agents % 2)
  tell(`starting a bridge and connecting ${agents} agents, seed ${seed}`)
  const options = { observe: `${intervalMs}ms` }
  const transport = flags.transport ?? 'websocket'
  return Load.open(
    { ...sizes, agents, payloadBytes, seed, options, transport },
    {
      onProgress: () => undefined,
      onRound: ({ round, counts: { completed, scheduled, lost, duplicated } }) =>
        tell(
          `load, round ${round + 1}: ${completed} of ${scheduled} completed, ${lost} lost, ${duplicated} duplicated`,
        ),
      onNote: tell,
    },
  )
}
