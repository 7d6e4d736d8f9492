/**
 * Compares what became of an exchange on the old path with what became of its copy on the new one, without I/O: both sides are reported to it, and it counts.
 *
 * A leg counts on the new path when the old one has carried it too: an agent that is away reads nothing on the old path, and a stand-in is never away,
 * which says nothing of either path. Only digests of what was said are kept.
 */
import { createHash } from 'node:crypto'
import { createLatencyRecorder, type LatencyRecorder } from '../../measurement/latency-recorder.ts'
import {
  shadowDifferences,
  type ShadowDifference,
  type ShadowDrop,
  type ShadowLatency,
  type ShadowReport,
} from '../../measurement/shadow-document.ts'
import { mcNemar } from '../../statistics/paired-outcomes.ts'

/** Of one leg: a question, or a result. Null while it has not arrived. */
export interface Arrival {
  readonly digest: string
  /** From taken to handed over; null where it was not seen taken. */
  readonly tookMs: number | null
}

/** One exchange on one path. */
export interface PathRecord {
  question: Arrival | null
  result: (Arrival & { readonly outcome: string }) | null
}

export interface ComparedPair {
  readonly id: string
  readonly old: PathRecord
  readonly new: PathRecord
  /** The copy, or its answer, was not taken. */
  refused: boolean
}

export const keptExamples = 32
/** Ten minutes, as for what the bridge measures of itself. */
const longestMicros = 600_000_000

export function digestOf(body: string): string {
  return createHash('sha256').update(body).digest('base64url')
}

export class ShadowComparer {
  private readonly slaMs: number
  private readonly recorders = {
    old: createLatencyRecorder({ unit: 'us', highest: longestMicros }),
    new: createLatencyRecorder({ unit: 'us', highest: longestMicros }),
  }
  private readonly differences: Record<ShadowDifference, number>
  private readonly examples: ShadowReport['examples'][number][] = []
  private readonly delivered = { both: 0, onlyOld: 0, onlyNew: 0, neither: 0 }
  private readonly sla = { both: 0, onlyCandidate: 0, onlyBaseline: 0, neither: 0 }
  private compared = 0

  constructor(slaMs: number) {
    this.slaMs = slaMs
    const none = shadowDifferences.map((name) => [name, 0] as const)
    this.differences = Object.fromEntries(none) as Record<ShadowDifference, number>
  }

  /** Both sides have ended, or had all the time that they have. */
  compare(pair: ComparedPair): void {
    this.compared++
    const what = differencesOf(pair)
    for (const each of what) this.differences[each]++
    if (what.length > 0 && this.examples.length < keptExamples) this.examples.push({ id: pair.id, what })
    const [old, fresh] = [pair.old.question !== null, pair.new.question !== null]
    this.delivered[old ? (fresh ? 'both' : 'onlyOld') : fresh ? 'onlyNew' : 'neither']++
    this.record(pair)
  }

  private record({ old, new: fresh }: ComparedPair): void {
    let [timed, oldMissed, newMissed] = [false, false, false]
    for (const leg of ['question', 'result'] as const) {
      const [one, other] = [old[leg], fresh[leg]]
      if (one === null || one.tookMs === null) continue
      timed = true
      this.recorders.old.record(one.tookMs * 1000)
      if (other !== null && other.tookMs !== null) this.recorders.new.record(other.tookMs * 1000)
      if (one.tookMs > this.slaMs) oldMissed = true
      // What never came is later than any bound.
      if ((other?.tookMs ?? Infinity) > this.slaMs) newMissed = true
    }
    if (timed) this.sla[newMissed ? (oldMissed ? 'both' : 'onlyCandidate') : oldMissed ? 'onlyBaseline' : 'neither']++
  }

  report(): Pick<
    ShadowReport,
    'compared' | 'differences' | 'examples' | 'delivered' | 'oldPath' | 'newPath' | 'sla' | 'slaMs'
  > {
    return {
      slaMs: this.slaMs,
      compared: this.compared,
      differences: this.differences,
      examples: this.examples,
      delivered: this.delivered,
      oldPath: latencyOf(this.recorders.old),
      newPath: latencyOf(this.recorders.new),
      sla: mcNemar(this.sla),
    }
  }

  destroy(): void {
    this.recorders.old.destroy()
    this.recorders.new.destroy()
  }
}

function differencesOf({ old, new: fresh, refused }: ComparedPair): ShadowDifference[] {
  const what: ShadowDifference[] = []
  if (refused) what.push('refused')
  if (old.question !== null && fresh.question === null) what.push('questionLost')
  if (old.question === null && fresh.question !== null) what.push('onlyNew')
  if (old.question !== null && fresh.question !== null && old.question.digest !== fresh.question.digest)
    what.push('questionBody')
  // A result that nobody fetched on the old path is not known there.
  if (old.result === null) return what
  if (fresh.result === null) what.push('resultLost')
  else if (fresh.result.outcome !== old.result.outcome) what.push('outcome')
  else if (fresh.result.digest !== old.result.digest) what.push('resultBody')
  return what
}

function latencyOf(recorder: LatencyRecorder): ShadowLatency {
  const inMs = (q: number): number | null => {
    const micros = recorder.quantile(q)
    return micros === null ? null : micros / 1000
  }
  return { n: recorder.count, p50Ms: inMs(0.5), p95Ms: inMs(0.95), p99Ms: inMs(0.99) }
}

export const noDrops: Readonly<Record<ShadowDrop, number>> = { notReady: 0, full: 0, renewed: 0, moved: 0 }

/** Of a bridge without a shadow. */
export function noShadow(): ShadowReport {
  const comparer = new ShadowComparer(0)
  const counts = { share: 0, copies: 0, open: 0, dropped: { ...noDrops } }
  const report = { state: 'off' as const, reason: '', ...counts, ...comparer.report() }
  comparer.destroy()
  return report
}
