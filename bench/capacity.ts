/**
 * How much an engine carries, beside the bare relay in the same run: agents held, latency at a given rate, CPU per
 * exchange, memory per idle agent, connects per second; and, with --search, the highest rate that keeps round trip
 * P99 below a bound. Engines take turns, so that drift of the machine falls on all; figures are medians.
 *
 *   node bench/capacity.ts --agents 15000 --rate 10000 --seconds 30 --runs 3 --engines relay,elicitation
 *   node bench/capacity.ts --agents 15000 --search 300 --seconds 10 --engines relay,elicitation
 */
import { parseArgs } from 'node:util'
import { parseEngineSpecs } from '../src/configuration/engine-specs.ts'
import { engineNames } from '../src/engines/registry.ts'
import type { Durability } from '../src/engines/engine.ts'
import { readHistogramLog } from '../src/measurement/histogram-log.ts'
import { clockOrigin } from '../src/platform/clock.ts'
import { mergeDistributions, quantile } from '../src/statistics/distribution.ts'
import { Arm, type PlayedRound } from '../src/suites/arm.ts'
import type { PlannedArm } from '../src/suites/comparison-plan.ts'

const { values: flags } = parseArgs({
  options: {
    agents: { type: 'string', default: '15000' },
    rate: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '30' },
    warmup: { type: 'string', default: '3' },
    runs: { type: 'string', default: '3' },
    engines: { type: 'string', default: 'relay,elicitation' },
    durability: { type: 'string', default: 'os' },
    pacing: { type: 'string', default: 'timer' },
    transport: { type: 'string', default: 'websocket' },
    /** Bound of round trip P99 in ms for the search of the highest rate. */
    search: { type: 'string' },
  },
})

const agents = Number(flags.agents)
const origin = clockOrigin()
const relayModule = new URL('./relay-engine.ts', import.meta.url).href

interface Figures {
  readonly rate: number
  readonly valid: boolean
  readonly reasons: readonly string[]
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly completedShare: number
  readonly failed: number
  readonly refused: number
  readonly timedOut: number
  readonly lost: number
  readonly broken: number
  readonly latenessP99Ms: number
  readonly engineCpuUs: number
  readonly loadCpuPercent: number
  readonly rssMiB: number
  readonly foreignPercent: number
}

function armOf(spec: string): PlannedArm {
  const [parsed] = parseEngineSpecs(spec, ['relay', ...engineNames])
  if (parsed === undefined) throw new Error(`no engine in '${spec}'`)
  const name = parsed.name === 'relay' ? relayModule : parsed.name
  return { label: parsed.label, name, options: parsed.options, role: 'candidate' }
}

async function open(arm: PlannedArm): Promise<Arm> {
  return Arm.open({
    arm,
    host: 'process',
    agents,
    transport: flags.transport === 'sse' ? 'sse' : 'websocket',
    server: {
      options: arm.options,
      durability: flags.durability as Durability,
      storeFile: null,
      listen: '127.0.0.1',
      port: 0,
      tls: null,
      enrolmentKey: 'bench-enrolment-key-of-no-secret',
    },
    seed: 'capacity',
    clockOrigin: origin,
    onProgress: () => undefined,
  })
}

let roundNumber = 0

function play(arm: Arm, rate: number, seconds: number): Promise<PlayedRound> {
  const round = roundNumber++
  return arm.play({
    round,
    attempt: 0,
    nonce: `bench-${round}`,
    seed: `capacity/${round}`,
    durationMs: seconds * 1000,
    workload: {
      name: 'pairs',
      agents,
      ratePerSecond: rate,
      pattern: 'pairs',
      arrivals: 'poisson',
      payloadBytes: 300,
      answers: { accept: 0.9, decline: 0.08, cancel: 0.02 },
      deadlineMs: 30_000,
    },
    pacing: flags.pacing === 'spin' ? 'spin' : 'timer',
    loadModel: 'open',
    drainGraceMs: 1000,
    latenessBoundMs: 30,
  })
}

function figures(rate: number, { evidence, hlog }: PlayedRound): Figures {
  const trips = mergeDistributions(readHistogramLog(hlog).get('roundTrip') ?? [])
  const ms = (q: number): number => (quantile(trips, q) ?? Number.NaN) / 1000
  const { counts, audit, resources } = evidence
  const elapsedMs = evidence.durationMs + evidence.drainMs
  return {
    rate,
    valid: audit.valid,
    reasons: audit.reasons,
    p50Ms: ms(0.5),
    p95Ms: ms(0.95),
    p99Ms: ms(0.99),
    p999Ms: ms(0.999),
    completedShare: counts.completed / counts.scheduled,
    failed: counts.refused + counts.timedOut + counts.lost,
    refused: counts.refused,
    timedOut: counts.timedOut,
    lost: counts.lost,
    broken:
      counts.duplicated + counts.misdelivered + counts.corrupt + counts.unexpected + counts.reordered + counts.phantom,
    latenessP99Ms: audit.latenessP99Ms,
    engineCpuUs: (resources.cpuUs ?? Number.NaN) / Math.max(1, counts.completed),
    loadCpuPercent: (audit.cpuPercent * elapsedMs) / elapsedMs,
    rssMiB: (resources.rssMaxBytes ?? Number.NaN) / 2 ** 20,
    foreignPercent: audit.foreignCpuPercent ?? Number.NaN,
  }
}

const digits = (value: number, places = 1): string => value.toFixed(places)

function print(label: string, figure: Figures, connects: number): void {
  const verdict = figure.valid ? 'valid' : `INVALID (${figure.reasons.join(' ')})`
  console.log(
    `${label.padEnd(28)} ${String(figure.rate).padStart(6)}/s  p50 ${digits(figure.p50Ms)} p95 ${digits(figure.p95Ms)} p99 ${digits(figure.p99Ms)} ` +
      `p99.9 ${digits(figure.p999Ms)} ms  done ${digits(figure.completedShare * 100, 2)} % refused ${figure.refused} timed out ${figure.timedOut} lost ${figure.lost} broken ${figure.broken}  ` +
      `engine ${digits(figure.engineCpuUs)} µs/exchange  load ${digits(figure.loadCpuPercent, 0)} %  late p99 ${digits(figure.latenessP99Ms)} ms  ` +
      `rss ${digits(figure.rssMiB, 0)} MiB  connects ${digits(connects, 0)}/s  foreign ${digits(figure.foreignPercent, 0)} %  ${verdict}`,
  )
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

async function atRate(specs: readonly string[], rate: number): Promise<void> {
  const all = new Map<string, Figures[]>(specs.map((spec) => [spec, []]))
  for (let run = 0; run < Number(flags.runs); run++) {
    for (const spec of run % 2 === 0 ? specs : specs.toReversed()) {
      const arm = await open(armOf(spec))
      try {
        await play(arm, rate / 4, 1)
        await play(arm, rate, Number(flags.warmup))
        const figure = figures(rate, await play(arm, rate, Number(flags.seconds)))
        all.get(spec)?.push(figure)
        print(spec, figure, arm.connectPerSecond)
      } finally {
        await arm.close()
      }
    }
  }
  for (const [spec, list] of all) {
    const of = (pick: (figure: Figures) => number): string => digits(median(list.map(pick)))
    console.log(
      `median of ${list.length}: ${spec} at ${rate}/s, ${agents} agents: p50 ${of((f) => f.p50Ms)} p95 ${of((f) => f.p95Ms)} ` +
        `p99 ${of((f) => f.p99Ms)} p99.9 ${of((f) => f.p999Ms)} ms, engine ${of((f) => f.engineCpuUs)} µs/exchange, ` +
        `failed ${list.reduce((sum, f) => sum + f.failed, 0)}, broken ${list.reduce((sum, f) => sum + f.broken, 0)}, ` +
        `valid ${list.filter((f) => f.valid).length} of ${list.length}`,
    )
  }
}

/** Doubling steps of 1,000/s down to 500/s: a rate holds when P99 stays below the bound and all exchanges complete. */
async function search(spec: string, boundMs: number): Promise<number> {
  const arm = await open(armOf(spec))
  const holds = async (rate: number): Promise<boolean> => {
    const figure = figures(rate, await play(arm, rate, Number(flags.seconds)))
    print(spec, figure, arm.connectPerSecond)
    return figure.p99Ms < boundMs && figure.completedShare > 0.9999 && figure.latenessP99Ms < 30
  }
  try {
    await play(arm, 2000, Number(flags.warmup))
    let best = 0
    let rate = 8000
    for (let step = 4000; step >= 500;) {
      if (await holds(rate)) {
        best = rate
        rate += step
      } else {
        step /= 2
        rate = best + step
      }
    }
    return best
  } finally {
    await arm.close()
  }
}

const specs = flags.engines.split(',')
if (flags.search === undefined) await atRate(specs, Number(flags.rate))
else {
  for (let run = 0; run < Number(flags.runs); run++) {
    for (const spec of run % 2 === 0 ? specs : specs.toReversed()) {
      console.log(
        `highest rate of ${spec} with p99 < ${flags.search} ms: ${await search(spec, Number(flags.search))}/s`,
      )
    }
  }
}
