/**
 * How often a canary is promoted whose P99 lies exactly at its gate and whose misses come in bursts: what dispersion over blocks is worth where exchanges are not independent.
 *
 *   node bench/migration-bursts.ts [runs]
 *
 * The canary of the shipped runsheet, 48 h, 25 deliveries in each interval of ten seconds, its latency gate alone. Bursts begin and end by a chain of two states; half of the
 * deliveries in them miss, and 2 % of the time is burst.
 */
import type { ObservedGroup } from '../src/migration/observation.ts'
import { readPlanFile } from '../src/migration/plan-file.ts'
import { binomial, canaryPhase } from '../src/migration/simulate.ts'
import { Migration } from '../src/migration/state-machine.ts'
import { seededRandom, type Random } from '../src/platform/random.ts'
import { clopperPearsonUpper } from '../src/statistics/proportion.ts'

const runs = Number(process.argv[2] ?? 1000)
const shipped = readPlanFile(new URL('../fixtures/migration/runsheet.yaml', import.meta.url).pathname)
const phase = canaryPhase(shipped)
if (phase === null) throw new Error('the runsheet has a canary')
const gates = phase.gates.filter(({ target }) => target.measure.kind === 'latency')
const plan = { ...shipped, trips: [], investigate: [], phases: [{ ...phase, gates, approval: false }] }
const { intervalMs } = plan.evidence
const due = 25
const burstShare = 0.02

function isPromoted(burstIntervals: number, random: Random): boolean {
  const migration = new Migration(plan)
  migration.take({ type: 'started', atMs: 0 })
  const leave = 1 / burstIntervals
  const enter = (leave * burstShare) / (1 - burstShare)
  let inBurst = random.uniform() < burstShare
  for (let sequence = 0; migration.status === 'soaking'; sequence++) {
    const misses = inBurst ? binomial(due, 0.5, random) : 0
    const group: ObservedGroup = { agents: 100, due, failed: 0, above: () => misses }
    const [fromMs, toMs] = [sequence * intervalMs, (sequence + 1) * intervalMs]
    const rest = { lost: 0, securityViolations: 0, watched: true }
    migration.take({
      type: 'observed',
      observation: { sequence, fromMs, toMs, candidate: group, baseline: group, ...rest },
    })
    inBurst = inBurst ? random.uniform() >= leave : random.uniform() < enter
  }
  return migration.status === 'completed'
}

for (const seconds of [10, 60, 300, 1800]) {
  const intervals = (seconds * 1000) / intervalMs
  let promoted = 0
  for (let run = 0; run < runs; run++) if (isPromoted(intervals, seededRandom(`bursts/${seconds}/${run}`))) promoted++
  const most = clopperPearsonUpper(promoted, runs, 0.05)
  console.log(`bursts of ${seconds} s: ${promoted} of ${runs} promoted, at most ${(100 * most).toPrecision(3)} %`)
}
