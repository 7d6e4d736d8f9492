/**
 * Plays several suites one after the other, each as a run of its own, and keeps the record of the campaign: after every suite
 * `campaign.json` is written anew, derived from what is on disk. A suite that fails is recorded with its reason and the next one
 * begins; an interruption or the end of the time ends the campaign after the present suite, and what had no turn is named.
 */
import { collectEvidence } from '../certificates/run-evidence.ts'
import { runManifestSha256 } from '../certificates/evidence-manifest.ts'
import { createCampaignDirectory, type CampaignDirectory } from '../measurement/campaign-directory.ts'
import type { CampaignDocument, CampaignEntry, CampaignRecord } from '../measurement/campaign-document.ts'
import { deriveCampaign, type CampaignMember } from '../measurement/derive-campaign.ts'
import type { RunManifest } from '../measurement/round-evidence.ts'
import { openRunDirectory } from '../measurement/run-directory.ts'
import type { Profile } from '../measurement/targets-file.ts'
import { newCampaignId, utcTimestamp } from '../measurement/utc-time.ts'
import type { Suite } from '../measurement/vocabulary.ts'
import type { Clock } from '../platform/clock.ts'
import { LighthouseError } from '../platform/errors.ts'
import { seededRandom } from '../platform/random.ts'
import { campaignMarkdown } from '../reports/campaign-text.ts'
import type { RunEvents } from './run-events.ts'
import type { FinishedRun, SuiteRequest } from './run-frame.ts'

/** What a suite is told when its turn comes. */
export interface MemberLimits {
  /** What is left of the campaign's budget. */
  readonly timeBudgetMs: number | null
  readonly campaign: NonNullable<RunManifest['campaign']>
}

export interface PlannedSuite {
  readonly suite: Suite
  readonly request: SuiteRequest
  /** Of one engine. */
  readonly rounds: number
  readonly durationMs: number
  readonly diskBytes: number
  /** What a dry run says of it. */
  readonly lines: readonly string[]
  run(limits: MemberLimits, events: RunEvents, signal: AbortSignal): Promise<FinishedRun>
}

/** A suite whose settings were refused before anything started. */
export interface RefusedSuite {
  readonly suite: Suite
  readonly refusal: LighthouseError
}

export interface CampaignRequest {
  readonly profile: Profile
  readonly seed: string
  readonly outputFolder: string
  /** In the order of play. */
  readonly suites: readonly (PlannedSuite | RefusedSuite)[]
  readonly leftOut: readonly Suite[]
  readonly timeBudgetMs: number | null
}

export interface CampaignEvents {
  started(campaignId: string, directory: string): void
  suiteStarted(suite: Suite, place: number, of: number): RunEvents
  suiteEnded(entry: CampaignEntry, run: FinishedRun | null): void
}

export interface FinishedCampaign {
  readonly document: CampaignDocument
  readonly directory: string
  /** Of the members that have results. */
  readonly runs: readonly FinishedRun[]
  readonly ended: 'complete' | 'interrupted' | 'time-budget'
}

/** A run of less than this would not get past its start. */
const leastBudgetMs = 1000

export function isRefused(suite: PlannedSuite | RefusedSuite): suite is RefusedSuite {
  return 'refusal' in suite
}

export async function runCampaign(
  request: CampaignRequest,
  events: CampaignEvents,
  clock: Clock,
  signal: AbortSignal,
): Promise<FinishedCampaign> {
  const startedAtMs = clock.wallMs()
  const campaignId = newCampaignId(startedAtMs, seededRandom(`${request.seed}/campaign-id/${startedAtMs}`))
  const directory = createCampaignDirectory(request.outputFolder, campaignId)
  events.started(campaignId, directory.path)
  const player = new CampaignPlayer({ request, campaignId, startedAtMs, directory, events, clock, signal })
  return player.play()
}

interface PlayerParts {
  readonly request: CampaignRequest
  readonly campaignId: string
  readonly startedAtMs: number
  readonly directory: CampaignDirectory
  readonly events: CampaignEvents
  readonly clock: Clock
  readonly signal: AbortSignal
}

class CampaignPlayer {
  private readonly parts: PlayerParts
  private readonly startNs: number
  private readonly entries: CampaignEntry[] = []
  private readonly runs: FinishedRun[] = []
  private readonly members = new Map<string, CampaignMember>()
  private ended: FinishedCampaign['ended'] = 'complete'

  constructor(parts: PlayerParts) {
    this.parts = parts
    this.startNs = parts.clock.nowNs()
  }

  async play(): Promise<FinishedCampaign> {
    const { request, events, directory, clock } = this.parts
    this.publish()
    for (const [index, planned] of request.suites.entries()) {
      const { entry, run } = await this.turn(planned, index)
      this.entries.push(entry)
      if (run !== null) this.runs.push(run)
      this.publish()
      events.suiteEnded(entry, run)
    }
    const document = this.publish(utcTimestamp(clock.wallMs()))
    directory.writeReport(
      campaignMarkdown(
        document,
        this.runs.map(({ results }) => results),
      ),
    )
    return { document, directory: directory.path, runs: this.runs, ended: this.ended }
  }

  private async turn(planned: PlannedSuite | RefusedSuite, index: number): Promise<Turn> {
    const { request, signal } = this.parts
    const { suite } = planned
    if (signal.aborted) this.ended = 'interrupted'
    const leftMs = this.leftMs()
    if (this.ended === 'complete' && leftMs !== null && leftMs < leastBudgetMs) this.ended = 'time-budget'
    if (this.ended !== 'complete') return { entry: notRun(suite, whyEnded(this.ended)), run: null }
    const events = this.parts.events.suiteStarted(suite, index + 1, request.suites.length)
    if (isRefused(planned))
      return { entry: { ...notRun(suite, planned.refusal.message), outcome: 'failed' }, run: null }
    return this.playOne(planned, leftMs, events)
  }

  private async playOne(planned: PlannedSuite, timeBudgetMs: number | null, events: RunEvents): Promise<Turn> {
    const { request, campaignId, signal } = this.parts
    const { suite } = planned
    const campaign = { id: campaignId, suites: request.suites.map((each) => each.suite) }
    let runId: string | null = null
    const watched: RunEvents = {
      ...events,
      started: (id, path, seed) => {
        runId = id
        events.started(id, path, seed)
      },
    }
    let run: FinishedRun
    let member: CampaignMember
    try {
      run = await planned.run({ timeBudgetMs, campaign }, watched, signal)
      member = memberOf(run.runDirectory)
    } catch (error) {
      if (signal.aborted) this.ended = 'interrupted'
      const reason = signal.aborted ? `${whyEnded('interrupted')}: ${reasonOf(error)}` : reasonOf(error)
      return { entry: { suite, outcome: 'failed', runId, manifestSha256: null, reason }, run: null }
    }
    this.members.set(member.manifest.runId, member)
    if (run.ended !== 'complete') this.ended = run.ended
    const { manifest, manifestSha256 } = member
    const { ended } = run
    const reason = ended === 'complete' ? '' : whyEnded(ended)
    const outcome = ended === 'complete' ? 'finished' : 'cut-short'
    return { entry: { suite, outcome, runId: manifest.runId, manifestSha256, reason }, run }
  }

  private leftMs(): number | null {
    const { request, clock } = this.parts
    if (request.timeBudgetMs === null) return null
    return Math.max(0, Math.floor(request.timeBudgetMs - (clock.nowNs() - this.startNs) / 1e6))
  }

  private publish(finishedAt?: string): CampaignDocument {
    const { request, campaignId, startedAtMs, directory } = this.parts
    const later = request.suites.slice(this.entries.length).map(({ suite }) => notRun(suite, 'its turn has not come'))
    const record: CampaignRecord = {
      schemaVersion: 1,
      campaignId,
      profile: request.profile,
      seed: request.seed,
      startedAt: utcTimestamp(startedAtMs),
      ...(finishedAt === undefined ? {} : { finishedAt }),
      ...(this.ended === 'complete' ? {} : { interrupted: true }),
      leftOut: request.leftOut,
      entries: [...this.entries, ...later],
    }
    const document = deriveCampaign(record, this.members)
    directory.write(document)
    return document
  }
}

interface Turn {
  readonly entry: CampaignEntry
  readonly run: FinishedRun | null
}

function notRun(suite: Suite, reason: string): CampaignEntry {
  return { suite, outcome: 'not-run', runId: null, manifestSha256: null, reason }
}

function whyEnded(ended: Exclude<FinishedCampaign['ended'], 'complete'>): string {
  return ended === 'interrupted' ? 'the campaign was interrupted' : 'the time budget was used up'
}

/** One line; a stack is nobody's result. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  const line = text.replaceAll(/\s+/g, ' ').trim().slice(0, 1000)
  return line === '' ? 'it broke without a message' : line
}

/** From disk, so that the campaign rests on what its certificate would hold. */
function memberOf(runDirectory: string): CampaignMember {
  const { manifest, results } = openRunDirectory(runDirectory)
  if (results === undefined) throw new LighthouseError('RUN_DIRECTORY', `${runDirectory} holds no results`)
  return {
    manifest,
    results: results as CampaignMember['results'],
    manifestSha256: runManifestSha256(collectEvidence(runDirectory)),
  }
}
