/** What retries made of the chains that agents played while a fault lasted, from the counts by second of a round. */
import type { ChainEvidence, CoordinationPlan } from './coordination-evidence.ts'
import { significant } from './derive-figures.ts'
import type { ChainResult } from './recovery-result.ts'

/** From the injection to the healing, in ms of the round. */
export interface FaultWindow {
  readonly fromMs: number
  readonly untilMs: number
}

/** Null where the round played no chains. */
export function chainResult(
  chain: ChainEvidence | undefined,
  plan: CoordinationPlan | undefined,
  { fromMs, untilMs }: FaultWindow,
): ChainResult | null {
  if (chain === undefined || plan?.pattern.kind !== 'chain') return null
  const { depth, attempts } = plan.pattern
  const during = sumOf(chain, Math.ceil(fromMs / 1000), Math.floor(untilMs / 1000))
  // By then their callers had an answer or had given up; of later ones some attempts may have met the fault.
  const before = sumOf(chain, 0, Math.floor((fromMs - attempts * plan.deadlineMs) / 1000))
  return {
    depth,
    begun: during.begun,
    failed: during.begun - during.completed,
    questionRatio: perNeeded(during, depth),
    questionRatioBefore: perNeeded(before, depth),
    inVainShare: during.asked === 0 ? null : significant(during.askedInVain / during.asked),
  }
}

type Sums = Record<keyof ChainEvidence, number>

/** Of the whole seconds from `from` to before `to`. */
function sumOf(chain: ChainEvidence, from: number, to: number): Sums {
  const sum = (series: readonly number[]): number =>
    series.slice(Math.max(0, from), Math.max(0, to)).reduce((total, count) => total + count, 0)
  return {
    begun: sum(chain.begun),
    completed: sum(chain.completed),
    asked: sum(chain.asked),
    askedInVain: sum(chain.askedInVain),
  }
}

function perNeeded({ asked, begun }: Sums, depth: number): number | null {
  return begun === 0 ? null : significant(asked / (begun * depth))
}
