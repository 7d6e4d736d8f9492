/**
 * The check of the checker: plants one fault of each kind into a small ledger and demands that exactly the
 * class of that fault is counted, and that a clean history counts nothing. A load host runs it before its
 * first round; a ledger whose checker fails is UNKNOWN, since its silence would prove nothing.
 */
import { anomalyClasses } from './anomaly-log.ts'
import type { Expiry } from './exchange-state.ts'
import { Ledger, type LedgerReport } from './ledger.ts'
import { exchanges, History, plan, plantedFaults, type PlantedFault } from './planted-faults.ts'

/** What the checker got wrong, one sentence each; empty when it may be trusted. Takes a few milliseconds in a cold process. */
export function runCheckerSelfTest(
  createLedger: (expiry: Expiry) => Ledger = (expiry) => new Ledger(plan, expiry),
): string[] {
  const failures: string[] = []
  for (const expiry of ['engine', 'client'] as const) {
    for (const fault of plantedFaults) {
      const ledger = createLedger(expiry)
      const history = new History(ledger)
      fault.plant(history)
      for (let exchange = 2; exchange < exchanges; exchange++) if (!isDriven(fault, exchange)) history.whole(exchange)
      judge(fault, expiry, ledger.close(), failures)
    }
  }
  return failures
}

/** The two faults of order drive exchange 2 as well. */
function isDriven(fault: PlantedFault, exchange: number): boolean {
  return fault.flips === 'reordered' && exchange === 2
}

function judge(fault: PlantedFault, expiry: Expiry, report: LedgerReport, failures: string[]): void {
  const { counts } = report
  const fail = (what: string): void => void failures.push(`${fault.name} (expiry by ${expiry}): ${what}`)
  for (const kind of anomalyClasses) {
    const flipped = counts[kind] > 0
    if (flipped !== (kind === fault.flips)) fail(flipped ? `counted ${kind}` : `did not count ${kind}`)
  }
  const ends = { refused: 0, timedOut: 0, lost: 0, withdrawn: 0, ...fault.ends }
  for (const end of ['refused', 'timedOut', 'lost'] as const) {
    if (counts[end] !== ends[end]) fail(`${counts[end]} ${end} instead of ${ends[end]}`)
  }
  if (report.withdrawn !== ends.withdrawn) fail(`${report.withdrawn} withdrawn instead of ${ends.withdrawn}`)
  const offered = exchanges - ends.withdrawn
  if (counts.scheduled !== offered) fail(`${counts.scheduled} scheduled instead of ${offered}`)
  if (counts.completed + counts.refused + counts.timedOut + counts.lost !== counts.scheduled) fail('ends do not add up')
  if (report.state !== 'COMPLETE') fail('state UNKNOWN')
}
