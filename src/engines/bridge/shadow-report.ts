/**
 * Reads what a bridge says of its shadow, as strictly as everything else that comes over a wire; null for what is no such report.
 */
import { z } from 'zod'
import { shadowDifferences, shadowDrops, type ShadowReport } from '../../measurement/shadow-document.ts'
import { keptExamples } from './shadow-comparer.ts'

const count = z.int().min(0)
const ms = z.number().min(0)
const share = z.number().min(0).max(1)
const latency = z.strictObject({ n: count, p50Ms: ms.nullable(), p95Ms: ms.nullable(), p99Ms: ms.nullable() })

const report: z.ZodType<ShadowReport> = z.strictObject({
  state: z.enum(['off', 'starting', 'on', 'failed']),
  reason: z.string().max(2000),
  share,
  slaMs: ms,
  copies: count,
  compared: count,
  open: count,
  dropped: z.record(z.enum(shadowDrops), count),
  differences: z.record(z.enum(shadowDifferences), count),
  examples: z
    .array(z.strictObject({ id: z.string().max(400), what: z.array(z.enum(shadowDifferences)) }))
    .max(keptExamples),
  delivered: z.strictObject({ both: count, onlyOld: count, onlyNew: count, neither: count }),
  oldPath: latency,
  newPath: latency,
  sla: z.strictObject({
    both: count,
    onlyCandidate: count,
    onlyBaseline: count,
    neither: count,
    p: share,
    share: share.nullable(),
    low: share.nullable(),
    high: share.nullable(),
  }),
})

export function readShadowReport(value: unknown): ShadowReport | null {
  const read = report.safeParse(value)
  return read.success ? read.data : null
}
