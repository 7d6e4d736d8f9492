/**
 * What a workload file may say of a coordination pattern: the sizes of its roles, which have no default because they are the
 * pattern, and the load, which has one. Sizes that contradict each other are refused where they stand.
 */
import { z } from 'zod'
import {
  coordinationKinds,
  type CoordinationKind,
  type CoordinationPattern,
  type CoordinationPlan,
} from '../measurement/coordination-evidence.ts'
import { patternFields } from '../measurement/coordination-schema.ts'
import { agentsOf } from './coordination.ts'

export interface NamedCoordination {
  readonly name: string
  readonly plan: CoordinationPlan
}

const mostAgents = 100_000

const commonFields = {
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'use lower-case letters, digits and hyphens'),
  instancesPerSecond: z.number().positive().max(100_000).default(20),
  arrivals: z.enum(['poisson', 'uniform']).default('poisson'),
  payloadBytes: z.int().min(1).max(65_536).default(300),
  workMs: z.number().min(0).max(60_000).default(0),
  deadlineMs: z.int().min(1).max(300_000).default(5000),
}

interface FileOf<Pattern> extends Omit<CoordinationPlan, 'pattern'> {
  readonly name: string
  readonly pattern: Pattern
}

/** A file as it is written, with the pattern's own sizes beside the rest. */
type CoordinationFile = {
  readonly [Kind in CoordinationKind]: FileOf<Kind> & Omit<Extract<CoordinationPattern, { kind: Kind }>, 'kind'>
}[CoordinationKind]

function schemaOf<Kind extends CoordinationKind>(kind: Kind): z.ZodType<CoordinationFile> {
  const fields = { pattern: z.literal(kind), ...commonFields, ...patternFields[kind] }
  // The fields are those of the kind, which the compiler cannot follow through the index.
  const schema = z.strictObject(fields) as unknown as z.ZodType<CoordinationFile>
  return schema.superRefine((file, context) => {
    const wrong = contradictionIn(coordinationOf(file).plan.pattern)
    if (wrong !== null) context.addIssue({ code: 'custom', message: wrong.message, path: [wrong.key] })
  })
}

export const coordinationSchemas: Readonly<Record<CoordinationKind, z.ZodType<CoordinationFile>>> = {
  'fan-out': schemaOf('fan-out'),
  pipeline: schemaOf('pipeline'),
  chain: schemaOf('chain'),
  review: schemaOf('review'),
  quorum: schemaOf('quorum'),
  'expert-pool': schemaOf('expert-pool'),
  'hot-spot': schemaOf('hot-spot'),
}

/** For a file whose pattern is none: says which there are, and nothing else. */
export const unknownPatternSchema: z.ZodType<CoordinationFile> = z
  .looseObject({ pattern: z.enum(coordinationKinds) })
  .transform((_value, context): CoordinationFile => {
    context.addIssue({ code: 'custom', message: 'unknown pattern', path: ['pattern'] })
    return z.NEVER
  })

export function patternOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'pattern' in value ? value.pattern : undefined
}

export function coordinationKindOf(value: unknown): CoordinationKind | undefined {
  return coordinationKinds.find((kind) => kind === patternOf(value))
}

export function coordinationOf(file: CoordinationFile): NamedCoordination {
  const { name, pattern: kind, instancesPerSecond, arrivals, payloadBytes, workMs, deadlineMs, ...sizes } = file
  // What is left are exactly the sizes of this kind.
  const pattern = { kind, ...sizes } as CoordinationPattern
  return { name, plan: { pattern, instancesPerSecond, arrivals, payloadBytes, workMs, deadlineMs } }
}

/** Sizes that cannot be together, and the key to blame. */
export function contradictionIn(
  pattern: CoordinationPattern,
): { readonly key: string; readonly message: string } | null {
  const beyond = (key: string, part: number, whole: number, words: string) =>
    part > whole ? { key, message: `${part} is more than the ${whole} ${words}` } : null
  const together = agentsOf(pattern)
  if (together > mostAgents) {
    return { key: 'pattern', message: `its roles are ${together} agents together, more than ${mostAgents}` }
  }
  switch (pattern.kind) {
    case 'fan-out':
      return beyond('fanOut', pattern.fanOut, pattern.workers, 'workers')
    case 'review':
      return (
        beyond('approvals', pattern.approvals, pattern.reviewers, 'reviewers') ??
        (pattern.declineShare + pattern.cancelShare <= 1
          ? null
          : { key: 'cancelShare', message: 'declineShare and cancelShare together are more than 1' })
      )
    case 'quorum':
      return (
        beyond('audience', pattern.audience, pattern.members, 'members') ??
        beyond('quorum', pattern.quorum, pattern.audience, 'of the audience')
      )
    case 'expert-pool':
      return beyond('maximumAttempts', pattern.maximumAttempts, pattern.experts, 'experts')
    case 'chain':
      return pattern.depth > 1 && pattern.links < 2
        ? { key: 'links', message: 'one link has nobody to ask but itself' }
        : null
    case 'pipeline':
    case 'hot-spot':
      return null
  }
}
