/**
 * Targets: bars that are declared before a run, in YAML or as the `targets.json` of a run directory.
 *
 *   targets:
 *     - title: P99 Latency
 *       expression: candidate.roundTrip.p99 < 300ms
 *       mandatoryIn: [standard, full]   # absent: mandatory in every profile; []: never
 *       source: where the bar comes from
 *
 * A target without `mandatoryIn` is mandatory whatever the profile, so a user's own file is only ever weakened by
 * what it says itself. The digest is over the canonical text, so comments and layout do not count.
 */
import { z } from 'zod'
import { LighthouseError } from '../platform/errors.ts'
import { parseTarget, printTarget } from '../statistics/target-expression.ts'
import { canonicalSha256, documentText } from './canonical-json.ts'
import { parseDeclaration, readDeclarationText, usage } from './declaration-file.ts'

export const profiles = ['smoke', 'standard', 'full'] as const
export type Profile = (typeof profiles)[number]

export interface Target {
  /** Canonical text of the grammar in `statistics/target-expression.ts`. */
  readonly expression: string
  readonly title: string
  /** Profiles in which the target is mandatory; absent: in all. */
  readonly mandatoryIn?: readonly Profile[]
  readonly source?: string
}

/** One line of visible text: titles go into tables, terminals and certificates. */
export function oneLine(limit: number): z.ZodString {
  return z
    .string()
    .min(1)
    .max(limit)
    .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]*$/u, 'must be one line of visible text')
}

const targetShape = z.strictObject({
  expression: oneLine(200),
  title: oneLine(80).optional(),
  mandatoryIn: z.array(z.enum(profiles)).max(profiles.length).optional(),
  source: oneLine(200).optional(),
})
const fileShape = z.strictObject({ targets: z.array(targetShape).min(1).max(100) })
const keys = ['targets', 'expression', 'title', 'mandatoryIn', 'source']

export function isMandatory(target: Target, profile: Profile): boolean {
  return target.mandatoryIn === undefined || target.mandatoryIn.includes(profile)
}

/** Throws LighthouseError('USAGE') that names file, line and remedy. */
export function readTargetsFile(path: string): Target[] {
  return parseTargets(readDeclarationText(path), path)
}

/** `file` names the text in errors. Throws LighthouseError('USAGE'). */
export function parseTargets(text: string, file: string): Target[] {
  const { value, where } = parseDeclaration(text, file, fileShape, keys)
  const seenAt = new Map<string, string>()
  return value.targets.map((entry, index) => {
    const place = where(['targets', index])
    const expression = canonicalExpression(entry.expression, where(['targets', index, 'expression']))
    const title = entry.title ?? expression
    for (const [what, text] of [
      ['target', expression],
      ['title', title],
    ] as const) {
      const before = seenAt.get(`${what} ${text}`)
      if (before !== undefined) {
        throw usage(
          `${place}: the ${what} ${JSON.stringify(text)} stands at ${before} already`,
          'Remove one of the two.',
        )
      }
      seenAt.set(`${what} ${text}`, place)
    }
    const { mandatoryIn, source } = entry
    return {
      expression,
      title,
      ...(mandatoryIn === undefined ? {} : { mandatoryIn: profiles.filter((each) => mandatoryIn.includes(each)) }),
      ...(source === undefined ? {} : { source }),
    }
  })
}

function canonicalExpression(text: string, place: string): string {
  try {
    return printTarget(parseTarget(text))
  } catch (error) {
    if (!(error instanceof LighthouseError)) throw error
    throw new LighthouseError('USAGE', `${place}: ${error.message}`, { suggestions: error.suggestions })
  }
}

/** The parsed JSON of a run directory's `targets.json`; checked like a file. */
export function targetsFromJson(value: unknown): Target[] {
  return parseTargets(JSON.stringify(value) ?? '', 'targets.json')
}

/** What `targets.json` holds; parsing it gives the same targets. */
export function targetsText(targets: readonly Target[]): string {
  return documentText({ targets })
}

/** SHA-256 of the RFC 8785 form of the targets, for `run.json`. */
export function targetsSha256(targets: readonly Target[]): string {
  return canonicalSha256({ targets })
}
