/**
 * Which suites can be valid on this machine, at which profile, and up to which load? Each suite's needs are held against the readings
 * of the machine and the checks on them: what every run needs and does not work stops all suites, a resource that is
 * too small leaves out the levels that do not fit, and what is not known is named beside the verdict instead of
 * counting for it. "Can be valid" is no more than that: the audit of every round has the last word. Pure.
 */
import type {
  Check,
  CheckName,
  DoctorDocument,
  LevelNeeds,
  SuiteNeeds,
  SuiteReason,
  SuiteVerdict,
} from '../measurement/doctor-document.ts'
import type { MachineReading } from '../measurement/read-machine.ts'
import type { Profile } from '../measurement/targets-file.ts'
import { LighthouseError, exitCodes } from '../platform/errors.ts'
import { bytes, count, duration } from '../reports/numbers.ts'
import { chooseHost } from './comparison-plan.ts'
import { checkMachine, coreText, lackingSpace, proxyDescriptors } from './doctor-checks.ts'
import { levelNeeds } from './machine-needs.ts'

/** Checks that every suite's verdict rests on. */
const bearing: readonly CheckName[] = [
  'node',
  'descriptors',
  'cores',
  'memory',
  'ports',
  'steal',
  'foreignCpu',
  'clock',
  'timers',
  'disk',
]

/** `needs`: of every suite at every profile that is asked about; `profile` decides the exit code. */
export function diagnose(machine: MachineReading, needs: readonly SuiteNeeds[], profile: Profile): DoctorDocument {
  const checks = checkMachine(machine, needs)
  const suites = needs.map((suite) => judgeSuite(suite, machine, checks))
  const asked = suites.filter((suite) => suite.profile === profile)
  return { schemaVersion: 1, profile, exitCode: exitCodeOf(asked), checks, suites, machine }
}

/** 24 where the comparison cannot be valid, 20 where anything else is less than whole. */
function exitCodeOf(suites: readonly SuiteVerdict[]): number {
  if (suites.some(({ suite, state }) => suite === 'comparison' && state === 'CANNOT_BE_VALID')) {
    return exitCodes.ENVIRONMENT
  }
  const whole = suites.every(({ state }) => state === 'CAN_BE_VALID')
  return whole ? exitCodes.APPROVED : exitCodes.CONDITIONALLY_APPROVED
}

export function judgeSuite(needs: SuiteNeeds, machine: MachineReading, checks: readonly Check[]): SuiteVerdict {
  const { suite, command, profile, levels } = needs
  const adviceOf = (name: CheckName): readonly string[] => checks.find((check) => check.name === name)?.advice ?? []
  const stops = [
    ...checks.filter(({ stopsSuites }) => stopsSuites).map(stopReason),
    ...wholeReasons(needs, machine, adviceOf),
  ]
  const firstTooLarge = levels.findIndex((level) => levelDoubts(level, needs, machine).length > 0)
  const fitting = firstTooLarge === -1 ? levels : levels.slice(0, firstTooLarge)
  const tooLarge = firstTooLarge === -1 ? undefined : levels[firstTooLarge]
  const doubts = tooLarge === undefined ? [] : levelDoubts(tooLarge, needs, machine)
  const noneFits = fitting.length === 0
  const fewer = levels.length === 1 && noneFits ? fewerAgents(needs, machine) : null
  const levelReasons = doubts.map(({ check, text }) => ({
    check,
    text,
    advice: [...adviceOf(check), ...(fewer === null ? [] : [`Or use fewer agents: ${command} --agents ${fewer}.`])],
  }))
  const state = stops.length > 0 || noneFits ? 'CANNOT_BE_VALID' : doubts.length > 0 ? 'LIMITED' : 'CAN_BE_VALID'
  const missing = machine.tools.filter((tool) => tool.state !== 'present').map(({ name }) => name)
  return {
    suite,
    command,
    profile,
    state,
    plannedAgents: levels.at(-1)?.agents ?? 0,
    fittingAgents: fitting.at(-1)?.agents ?? null,
    reasons: [...stops, ...levelReasons],
    notes: hostNotes(fitting.at(-1), needs, machine),
    skippedCases: needs.optionalTools
      .filter(({ tool }) => missing.includes(tool))
      .map(({ tool, cases }) => `${cases} (SKIPPED: ${tool})`),
    unknown: checks
      .filter((check) => check.state === 'UNKNOWN' && bearing.includes(check.name))
      .map(({ name }) => name),
    needs,
  }
}

function stopReason({ name, reading, reason, advice }: Check): SuiteReason {
  return { check: name, text: reason === null ? reading : `${reading}: ${reason}`, advice }
}

/** What stops this suite as a whole and not another. */
function wholeReasons(
  needs: SuiteNeeds,
  machine: MachineReading,
  adviceOf: (name: CheckName) => readonly string[],
): SuiteReason[] {
  const reasons: SuiteReason[] = []
  const { usable } = machine.cpus
  if (usable < needs.cores) {
    const text = `${needs.cores} cores are needed, ${coreText(usable)} can be used`
    reasons.push({ check: 'cores', text, advice: adviceOf('cores') })
  }
  const lateMs = machine.clock.sendLatenessP99Ms.value
  if (lateMs !== null && lateMs > needs.latenessBoundMs) {
    const text = `sends would leave ${duration(lateMs)} late at p99, above the bound of ${duration(needs.latenessBoundMs)}`
    reasons.push({ check: 'timers', text, advice: adviceOf('timers') })
  }
  // Of a folder that cannot be written no free bytes need be counted.
  const lack = machine.output.writable.value === false ? null : lackingSpace(needs, machine)
  if (lack !== null) reasons.push({ check: 'disk', text: lack.text, advice: [lack.advice] })
  return reasons
}

/** Why so many agents do not fit; empty where they do or where the resource is not known. */
function levelDoubts(
  level: LevelNeeds,
  needs: SuiteNeeds,
  { descriptors, ports, memory }: MachineReading,
): { readonly check: CheckName; readonly text: string }[] {
  const doubts: { check: CheckName; text: string }[] = []
  try {
    chooseHost(needs.host, level.agents, needs.enginesAtOnce, descriptors.soft.value)
  } catch (error) {
    if (!(error instanceof LighthouseError)) throw error
    doubts.push({ check: 'descriptors', text: error.message })
  }
  const agents = count(level.agents)
  const here = proxyDescriptors(level.agents, needs)
  if (descriptors.soft.value !== null && descriptors.soft.value < here) {
    const text = `fault proxies of ${agents} agents need ${count(here)} descriptors in one process, the limit is ${count(descriptors.soft.value)}`
    doubts.push({ check: 'descriptors', text })
  }
  if (ports.usable.value !== null && ports.usable.value < level.portsPerAddress) {
    const text = `${agents} agents need ${count(level.portsPerAddress)} ports, ${count(ports.usable.value)} lead to one address`
    doubts.push({ check: 'ports', text })
  }
  const { value: available } = memory.availableBytes
  if (available !== null && available < level.memoryBytes) {
    const text = `${agents} agents may need ${bytes(level.memoryBytes)} of memory, ${bytes(available)} are available`
    doubts.push({ check: 'memory', text })
  }
  return doubts
}

/** Says beforehand what the run will say of its host. */
function hostNotes(level: LevelNeeds | undefined, needs: SuiteNeeds, { descriptors }: MachineReading): string[] {
  if (level === undefined) return []
  const { note } = chooseHost(needs.host, level.agents, needs.enginesAtOnce, descriptors.soft.value)
  return note === null ? [] : [note]
}

/** The largest even number of agents that fits, by bisection; null where not even two do. */
function fewerAgents(needs: SuiteNeeds, machine: MachineReading): number | null {
  const fits = (pairs: number): boolean =>
    levelDoubts(levelNeeds(2 * pairs, needs.enginesAtOnce, needs.host), needs, machine).length === 0
  let low = 0
  // The level itself does not fit.
  let high = Math.ceil((needs.levels[0]?.agents ?? 0) / 2)
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (fits(middle)) low = middle
    else high = middle
  }
  return low === 0 ? null : 2 * low
}
