/**
 * The anomalies of one round: a counter per class, and the first 32 of each class as text. Text is made
 * for those 32 only, so that a storm of a million duplicates costs a million increments. Texts name
 * exchanges and agents by number and never carry a payload.
 */
export const anomalyClasses = [
  'lost',
  'duplicated',
  'wireDuplicates',
  'phantom',
  'misdelivered',
  'reordered',
  'doubleTerminal',
  'late',
  'corrupt',
  'unexpected',
] as const
export type AnomalyClass = (typeof anomalyClasses)[number]

export type AnomalyCounts = Readonly<Record<AnomalyClass, number>>

export const textsPerClass = 32
/** Of the foreign part of a text, e.g. a wire id that somebody else chose. */
const maximumTextLength = 200

export class AnomalyLog {
  private readonly counters = {
    lost: 0,
    duplicated: 0,
    wireDuplicates: 0,
    phantom: 0,
    misdelivered: 0,
    reordered: 0,
    doubleTerminal: 0,
    late: 0,
    corrupt: 0,
    unexpected: 0,
  }
  private readonly kept: string[] = []

  /** Counts one anomaly; true while the class still wants a text, which the caller then gives to `describe`. */
  count(kind: AnomalyClass): boolean {
    return ++this.counters[kind] <= textsPerClass
  }

  describe(kind: AnomalyClass, text: string): void {
    this.kept.push(`${kind}: ${printable(text)}`)
  }

  counts(): AnomalyCounts {
    return { ...this.counters }
  }

  texts(): readonly string[] {
    return [...this.kept]
  }
}

/** Control characters would let a hostile wire id draw on the reader's terminal. */
function printable(text: string): string {
  const clean = text.replace(/[^\x20-\x7e→·–]/g, '?')
  return clean.length <= maximumTextLength ? clean : `${clean.slice(0, maximumTextLength)}…`
}
