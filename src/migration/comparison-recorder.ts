/**
 * Keeps the two groups of the phase that goes on, one phase at a time, and says whether what a phase requires of them is shown.
 *
 * Whoever carries a migration on looks again and again, and a test that is made for one look errs more often with each. So looks are rationed: the first
 * is at the data of the soak, each further one a quarter of a soak later, and the k-th may err with 6/π²k² of the error, as attempts at a phase
 * do. Between two looks the answer stays what it is, also after a restart, since a look is at what was observed until its time and at nothing later.
 */
import { HistogramFormatError } from '../measurement/histogram-codec.ts'
import { LighthouseError } from '../platform/errors.ts'
import { judgePhase, usualAlpha, type PhaseGroups } from './comparison.ts'
import { GroupCells } from './group-cells.ts'
import type { Phase, Requirement } from './plan.ts'
import type { CountedObservation } from './replay.ts'
import type { Finding, Migration } from './state-machine.ts'
import { shareOf } from './trip-evidence.ts'

/** Of a soak, between two looks. */
const lookEvery = 0.25

export function requiresComparison({ requires }: Phase): boolean {
  return requires.some(({ kind }) => kind === 'comparison')
}

export class ComparisonRecorder {
  private readonly isWanted: (phase: Phase) => boolean
  private readonly onPhase: (phase: PhaseGroups) => void
  private current: PhaseGroups | null = null
  /** By title. */
  private readonly last = new Map<string, { readonly key: string; readonly finding: Finding }>()

  /** `onPhase` is given each attempt at a phase when the next one begins, and the last one by `end`; what nobody wants is not decoded. */
  constructor(isWanted = requiresComparison, onPhase: (phase: PhaseGroups) => void = () => undefined) {
    this.isWanted = isWanted
    this.onPhase = onPhase
  }

  /** Throws LighthouseError('STORE') for a histogram that does not hold what its line says. */
  take({ plan, phase, attempt, enteredMs, observation, line }: CountedObservation): void {
    if (this.current?.phase !== phase || this.current.attempt !== attempt) {
      this.end()
      if (this.isWanted(phase)) this.current = { plan, phase, attempt, enteredMs, groups: new GroupCells() }
    }
    try {
      this.current?.groups.add(observation)
    } catch (error) {
      if (!(error instanceof HistogramFormatError)) throw error
      throw new LighthouseError('STORE', `The journal does not hold together: line ${line}: ${error.message}.`, {
        cause: error,
      })
    }
  }

  end(): void {
    if (this.current !== null) this.onPhase(this.current)
    this.current = null
  }

  /** Whether it is shown by the last look that was due. */
  find(
    requirement: Extract<Requirement, { kind: 'comparison' }>,
    { phase, progress }: Pick<Migration, 'phase' | 'progress'>,
  ): Finding {
    const { title } = requirement
    const { current } = this
    if (phase === null || current === null || current.phase !== phase || current.attempt !== progress.attempt)
      return { title, found: false, reason: 'nothing was observed of both groups yet' }
    const look = Math.max(1, Math.floor((progress.elapsedMs / phase.soakMs - 1) / lookEvery) + 1)
    const key = `${phase.name}/${current.attempt}/${look}`
    const known = this.last.get(title)
    if (known?.key === key) return known.finding
    const finding = lookAt(requirement, current, look)
    this.last.set(title, { key, finding })
    return finding
  }
}

function lookAt(
  requirement: Extract<Requirement, { kind: 'comparison' }>,
  current: PhaseGroups,
  look: number,
): Finding {
  const { title, quantile, margin } = requirement
  const { phase, attempt, enteredMs } = current
  const alpha = shareOf(shareOf(usualAlpha, attempt), look)
  const toMs = enteredMs + phase.soakMs * (1 + (look - 1) * lookEvery)
  const { verdict, reason, ratio: read } = judgePhase(current, { quantile, margin }, { alpha, toMs })
  const digits = (value: number | null | undefined): string => value?.toPrecision(3) ?? '–'
  const figures = `${digits(read?.ratio)} times [${digits(read?.low)}, ${digits(read?.high)}]`
  return { title, found: verdict === 'NON_INFERIOR', reason: `look ${look}: ${figures}, ${reason}` }
}
