/**
 * A system of somebody else's as a migration sees it, through the hooks of a plan.
 *
 * What every hook is asked and has to answer is in docs/migration-hooks.md. Everything is asked with `schemaVersion` 1, and nothing is remembered here
 * but which interval was wrong: what is not as documented is an error every time it is met, and a wrong interval once, so that one of them
 * does not blind a migration for good.
 */
import { LighthouseError } from '../platform/errors.ts'
import { HookAnswerError, readObserved, readWhereabouts } from './hook-answers.ts'
import { callHook, hookProblem, valuesOf, visible } from './hook-call.ts'
import type { Hook, Hooks } from './plan.ts'
import { hookTitle, listHooks, type HookName } from './plan-hooks.ts'
import type { Directive, MeasuredInterval, MigratedSystem, StreamPlace, Whereabouts } from './system.ts'

const schemaVersion = 1
const longestActor = 200
const longestReason = 2000
const asDocumented = 'Make it answer as docs/migration-hooks.md says.'

export interface HookSystemParts {
  readonly hooks: Hooks
  /** That latency bars of the plan name. */
  readonly boundsMs: readonly number[]
  /** Its id, once it has one. */
  readonly migration: string | null
  /** PEM text of extra certificate authorities. */
  readonly ca: string | null
}

export class HookSystem implements MigratedSystem {
  readonly kind = 'hooks'
  readonly address: string
  private readonly parts: HookSystemParts
  private readonly closing = new AbortController()
  /** The last interval that was refused; it is stepped over as long as nothing after `from` was taken. */
  private refused: { readonly from: StreamPlace | null; readonly place: StreamPlace } | null = null

  /** Throws LighthouseError('USAGE') when a variable that a header is read from is not set. */
  constructor(parts: HookSystemParts) {
    this.parts = parts
    this.address = hookTitle(parts.hooks.observe)
    for (const { name, hook } of listHooks(parts.hooks)) if (hook.kind === 'http') valuesOf(name, hook)
  }

  /** A plan says how long its intervals are, and observe keeps to it. */
  intervalMs(): Promise<null> {
    return Promise.resolve(null)
  }

  async measure(place: StreamPlace | null): Promise<readonly MeasuredInterval[]> {
    const { observe } = this.parts.hooks
    const after = this.after(place)
    const text = await this.call('observe', observe, { after })
    const { intervals, wrong } = this.read('observe', observe, () => readObserved(text, after, this.parts.boundsMs))
    if (wrong === null || intervals.length > 0) return intervals
    this.refused = { from: place, place: wrong.place }
    throw hookProblem('observe', observe, visible(wrong.what, 300), `${asDocumented} That interval is left out.`)
  }

  private after(place: StreamPlace | null): StreamPlace | null {
    const { refused } = this
    const isWhereItWas =
      refused !== null && refused.from?.stream === place?.stream && refused.from?.sequence === place?.sequence
    const after = isWhereItWas ? refused.place : place
    return after === null ? null : { stream: after.stream, sequence: after.sequence }
  }

  async health(): Promise<{ readonly healthy: boolean; readonly reason: string }> {
    try {
      await this.call('health', this.parts.hooks.health, {})
      return { healthy: true, reason: 'its health hook says so' }
    } catch (error) {
      if (!(error instanceof LighthouseError)) throw error
      return { healthy: false, reason: error.message }
    }
  }

  async direct({ percentage, switches, actor, reason }: Directive): Promise<void> {
    const { hooks, migration } = this.parts
    const question = {
      percentage,
      switches,
      actor: actor.slice(0, longestActor),
      reason: reason.slice(0, longestReason),
      ...(migration === null ? {} : { migration }),
    }
    await this.call('setPercentage', hooks.setPercentage, question)
  }

  async whereabouts(): Promise<Whereabouts | null> {
    const { whereabouts } = this.parts.hooks
    if (whereabouts === null) return null
    const text = await this.call('whereabouts', whereabouts, {})
    return this.read('whereabouts', whereabouts, () => readWhereabouts(text))
  }

  close(): Promise<void> {
    this.closing.abort()
    return Promise.resolve()
  }

  private call(name: HookName, hook: Hook, question: object): Promise<string> {
    const { ca } = this.parts
    return callHook(name, hook, { schemaVersion, ...question }, { closing: this.closing.signal, ca })
  }

  private read<T>(name: HookName, hook: Hook, read: () => T): T {
    try {
      return read()
    } catch (error) {
      if (error instanceof HookAnswerError)
        throw hookProblem(name, hook, visible(error.message, 300), asDocumented, error)
      throw error
    }
  }
}
