/**
 * The coordination patterns and the graph of exchanges that a round of one of them is made of, computed before the round.
 *
 * An *instance* is one run through a pattern. It belongs to one agent (orchestrator, coordinator, author, broadcaster, worker) that
 * asks in stages: the exchanges of a stage are asked together, and the next stage follows when the stage has ended, that is
 * when as many answers as it needs are held, or the one answer that decides it. What is then still open is withdrawn.
 *
 *   fan-out      one stage: `fanOut` workers; all answers are gathered
 *   pipeline     `depth` stages of one agent each: the item is carried from stage to stage
 *   chain        a question that leads to another one before it is answered, `depth` deep, with retries (chain.ts)
 *   review       rounds of `approvals` reviewers: approved when all accept; the first to decline starts a new round with the same
 *                reviewers, the first to cancel ends the review; both withdraw what is open. The last round has no decline
 *   quorum       one stage: `audience` members; `quorum` answers are enough, the rest is withdrawn
 *   expert-pool  stages of one expert: who is busy declines, and another one is asked; the last attempt is accepted
 *   hot-spot     one stage of one peer, which is the same one for the share `hotShare` of all instances
 *
 * Instances arrive open loop, drawn from the seed and the same for every engine. Who is asked, what and how each answers is drawn
 * too, and how long each works on it (`workMs`), so that a graph branches alike whatever the engine: only time is left to it. Agents
 * are numbered askers first.
 */
import type { CoordinationPattern, CoordinationPlan } from '../measurement/coordination-evidence.ts'
import { LighthouseError } from '../platform/errors.ts'
import { seededRandom, shuffled, type Random } from '../platform/random.ts'
import { chainSize, chainTree, drawChain, type ChainTree } from './chain.ts'
import { drawArrivals, maximumExchanges, type Schedule } from './schedule.ts'

/** A schedule whose exchanges follow from each other: `scheduledAtNs` is NaN until the exchange is due. */
export interface CoordinationGraph extends Schedule {
  /** When each instance arrives, ascending, in [0, durationNs). */
  readonly arrivalNs: Float64Array
  /** First stage of each instance, and the number of stages at the end. */
  readonly firstStage: Uint32Array
  /** First exchange of each stage, and the number of exchanges at the end. */
  readonly firstExchange: Uint32Array
  /** Answers that end a stage; 0 where the exchange `decider` ends it by itself. */
  readonly needed: Uint32Array
  readonly decider: Uint32Array
  readonly instanceOf: Uint32Array
  readonly stageOf: Uint32Array
  /** How long each recipient works on its question, in ns; null where all answer at once. */
  readonly workNs: Float64Array | null
  /** How the questions of one instance follow from each other, where they are nested; each instance is then one stage. */
  readonly chain: ChainTree | null
  readonly pairs: { readonly count: number; readonly of: Uint32Array }
}

export interface Roles {
  readonly askers: { readonly role: string; readonly agents: number }
  readonly asked: { readonly role: string; readonly agents: number }
}

export function rolesOf(pattern: CoordinationPattern): Roles {
  const roles = (asker: string, askers: number, other: string, asked: number): Roles => ({
    askers: { role: asker, agents: askers },
    asked: { role: other, agents: asked },
  })
  switch (pattern.kind) {
    case 'fan-out':
      return roles('orchestrator', pattern.orchestrators, 'worker', pattern.workers)
    case 'pipeline':
      return roles('coordinator', pattern.coordinators, 'stage', pattern.agentsPerStage * pattern.depth)
    case 'chain':
      return roles('caller', pattern.callers, 'link', pattern.links)
    case 'review':
      return roles('author', pattern.authors, 'reviewer', pattern.reviewers)
    case 'quorum':
      return roles('broadcaster', pattern.broadcasters, 'member', pattern.members)
    case 'expert-pool':
      return roles('worker', pattern.workers, 'expert', pattern.experts)
    case 'hot-spot':
      return roles('worker', pattern.workers, 'peer', pattern.peers)
  }
}

export function agentsOf(pattern: CoordinationPattern): number {
  const { askers, asked } = rolesOf(pattern)
  return askers.agents + asked.agents
}

/** Stages of an instance at most; each may take a whole deadline. */
export function maximumStages(pattern: CoordinationPattern): number {
  if (pattern.kind === 'pipeline') return pattern.depth
  // On every level a slow agent may take up to half a deadline more than its question had.
  if (pattern.kind === 'chain') return pattern.depth * (pattern.attempts + 1)
  if (pattern.kind === 'review') return pattern.maximumRounds
  return pattern.kind === 'expert-pool' ? pattern.maximumAttempts : 1
}

/** The mean over instances that do not fail. */
export function exchangesPerInstance(pattern: CoordinationPattern): number {
  const rounds = (share: number, most: number): number =>
    Array.from({ length: most }, (_, round) => share ** round).reduce((sum, reached) => sum + reached, 0)
  switch (pattern.kind) {
    case 'fan-out':
      return pattern.fanOut
    case 'pipeline':
    case 'chain':
      return pattern.depth
    case 'review':
      return pattern.approvals * rounds(pattern.declineShare, pattern.maximumRounds)
    case 'quorum':
      return pattern.audience
    case 'expert-pool':
      return rounds(pattern.declineShare, pattern.maximumAttempts)
    case 'hot-spot':
      return 1
  }
}

/** Throws LighthouseError('USAGE') for more exchanges than a round may hold. `bodies` ≤ 65,536. */
export function buildCoordination(
  { pattern, arrivals, instancesPerSecond, workMs, deadlineMs }: CoordinationPlan,
  seed: string,
  durationMs: number,
  bodies: number,
): CoordinationGraph {
  const perInstance = pattern.kind === 'chain' ? chainSize(pattern) : exchangesPerInstance(pattern)
  const expected = instancesPerSecond * perInstance * (durationMs / 1000)
  if (expected > maximumExchanges) {
    throw new LighthouseError(
      'USAGE',
      `workload: ${Math.round(expected)} exchanges in one round are more than the ${maximumExchanges} that a round may hold`,
      { suggestions: ['Use shorter rounds, and more of them.'] },
    )
  }
  const durationNs = durationMs * 1e6
  const when = seededRandom(`${seed}/coordination/arrivals`)
  const arrivalNs = drawArrivals(arrivals, instancesPerSecond, durationNs, when)
  const builder = new GraphBuilder(pattern, seed)
  for (let instance = 0; instance < arrivalNs.length; instance++) builder.addInstance()
  const graph = builder.finish(arrivalNs, durationNs, seed, bodies)
  return workMs === 0 ? graph : { ...graph, workNs: drawWork(graph.count, workMs, deadlineMs, seed) }
}

/** Actions by their index in `answerActions`. */
const accept = 0
const decline = 1
const cancel = 2

class GraphBuilder {
  private readonly pattern: CoordinationPattern
  private readonly roles: Roles
  private readonly who: Random
  private readonly how: Random
  private readonly firstStage: number[] = []
  private readonly firstExchange: number[] = []
  private readonly needed: number[] = []
  private readonly decider: number[] = []
  private readonly requester: number[] = []
  private readonly recipient: number[] = []
  private readonly action: number[] = []
  private readonly chain: ChainTree | null
  private asker = 0

  constructor(pattern: CoordinationPattern, seed: string) {
    this.pattern = pattern
    this.chain = pattern.kind === 'chain' ? chainTree(pattern) : null
    this.roles = rolesOf(pattern)
    this.who = seededRandom(`${seed}/coordination/agents`)
    this.how = seededRandom(`${seed}/coordination/answers`)
  }

  addInstance(): void {
    const { pattern } = this
    this.firstStage.push(this.needed.length)
    this.asker = this.who.below(this.roles.askers.agents)
    switch (pattern.kind) {
      case 'fan-out':
        return this.addStage(this.distinct(pattern.fanOut, pattern.workers), pattern.fanOut)
      case 'pipeline':
        for (let stage = 0; stage < pattern.depth; stage++) {
          this.addStage([stage * pattern.agentsPerStage + this.who.below(pattern.agentsPerStage)], 1)
        }
        return undefined
      case 'quorum':
        return this.addStage(this.distinct(pattern.audience, pattern.members), pattern.quorum)
      case 'hot-spot': {
        const hot = this.how.uniform() < pattern.hotShare
        return this.addStage([hot ? 0 : 1 + this.who.below(pattern.peers - 1)], 1)
      }
      case 'chain':
        return this.addChain(pattern.links)
      case 'review':
        return this.addReview(pattern)
      case 'expert-pool':
        return this.addConsultation(pattern)
    }
  }

  private addChain(links: number): void {
    const first = this.requester.length
    this.firstExchange.push(first)
    this.needed.push(1)
    this.decider.push(first)
    for (const { asker, asked } of this.chain === null ? [] : drawChain(this.chain, links, this.who)) {
      this.requester.push(asker === null ? this.asker : this.roles.askers.agents + asker)
      this.recipient.push(this.roles.askers.agents + asked)
      this.action.push(accept)
    }
  }

  private addReview(pattern: CoordinationPattern & { kind: 'review' }): void {
    const reviewers = this.distinct(pattern.approvals, pattern.reviewers)
    for (let round = 1; ; round++) {
      const draw = this.how.uniform()
      const declined = draw < pattern.declineShare && round < pattern.maximumRounds
      const cancelled = draw >= pattern.declineShare && draw < pattern.declineShare + pattern.cancelShare
      if (!declined && !cancelled) return this.addStage(reviewers, reviewers.length)
      this.addStage(reviewers, 0, { place: this.how.below(reviewers.length), action: declined ? decline : cancel })
      if (cancelled) return
    }
  }

  private addConsultation(pattern: CoordinationPattern & { kind: 'expert-pool' }): void {
    for (const [attempt, expert] of this.distinct(pattern.maximumAttempts, pattern.experts).entries()) {
      const busy = attempt + 1 < pattern.maximumAttempts && this.how.uniform() < pattern.declineShare
      this.addStage([expert], 1)
      if (!busy) return
      this.action[this.action.length - 1] = decline
    }
  }

  /** `decides`: the one whose answer ends the stage, and what it is. */
  private addStage(asked: readonly number[], needed: number, decides?: { place: number; action: number }): void {
    const first = this.requester.length
    this.firstExchange.push(first)
    this.needed.push(needed)
    this.decider.push(first + (decides?.place ?? 0))
    for (const [place, agent] of asked.entries()) {
      this.requester.push(this.asker)
      this.recipient.push(this.roles.askers.agents + agent)
      this.action.push(decides?.place === place ? decides.action : accept)
    }
  }

  /** `n` different numbers below `from` in random order: Floyd's sample, shuffled, since its own order is not random. */
  private distinct(n: number, from: number): number[] {
    const drawn = new Set<number>()
    for (let upper = from - n; upper < from; upper++) {
      const candidate = this.who.below(upper + 1)
      drawn.add(drawn.has(candidate) ? upper : candidate)
    }
    return shuffled([...drawn], this.who)
  }

  finish(arrivalNs: Float64Array, durationNs: number, seed: string, bodies: number): CoordinationGraph {
    const count = this.requester.length
    const stages = this.needed.length
    const firstStage = Uint32Array.from([...this.firstStage, stages])
    const firstExchange = Uint32Array.from([...this.firstExchange, count])
    const what = seededRandom(`${seed}/coordination/bodies`)
    const requester = Uint32Array.from(this.requester)
    const recipient = Uint32Array.from(this.recipient)
    const agents = agentsOf(this.pattern)
    return {
      count,
      agents,
      durationNs,
      scheduledAtNs: new Float64Array(count).fill(Number.NaN),
      requester,
      recipient,
      bodyIndex: Uint16Array.from({ length: count }, () => what.below(bodies)),
      action: Uint8Array.from(this.action),
      arrivalNs,
      firstStage,
      firstExchange,
      needed: Uint32Array.from(this.needed),
      decider: Uint32Array.from(this.decider),
      instanceOf: ownersOf(firstStage, stages),
      stageOf: ownersOf(firstExchange, count),
      workNs: null,
      chain: this.chain,
      pairs: pairsOf(requester, recipient, agents),
    }
  }
}

/** Exponential with the given mean, and never more than half of what an exchange may take. */
function drawWork(count: number, workMs: number, deadlineMs: number, seed: string): Float64Array {
  const random = seededRandom(`${seed}/coordination/work`)
  return Float64Array.from({ length: count }, () => Math.min(random.exponential() * workMs, deadlineMs / 2) * 1e6)
}

/** For each of `count` parts the whole that it belongs to, given where each whole begins. */
function ownersOf(first: Uint32Array, count: number): Uint32Array {
  const owners = new Uint32Array(count)
  for (let whole = 0; whole + 1 < first.length; whole++) owners.fill(whole, first[whole], first[whole + 1])
  return owners
}

function pairsOf(requester: Uint32Array, recipient: Uint32Array, agents: number): CoordinationGraph['pairs'] {
  const numbers = new Map<number, number>()
  const of = new Uint32Array(requester.length)
  for (let exchange = 0; exchange < of.length; exchange++) {
    const pair = (requester[exchange] as number) * agents + (recipient[exchange] as number)
    const known = numbers.get(pair)
    if (known === undefined) numbers.set(pair, numbers.size)
    of[exchange] = known ?? numbers.size - 1
  }
  return { count: numbers.size, of }
}
