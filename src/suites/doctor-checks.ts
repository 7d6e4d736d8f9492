/**
 * What each reading of a machine means for the suites that are asked about. LIMITED: something is there, and less of it than a suite
 * wants, or a tool that some cases need is missing. FAILED: something that every run needs does not work, or a disturbance
 * is above the limit at which rounds are INVALID. UNKNOWN: not measured, or not to be found out on this system; it is never read as OK.
 * Which suites follow from that is decided in doctor.ts. Pure.
 */
import type { Check, CheckName, LevelNeeds, SuiteNeeds } from '../measurement/doctor-document.ts'
import type { MachineReading } from '../measurement/read-machine.ts'
import type { ToolName, ToolReading } from '../measurement/machine-tools.ts'
import type { Fact } from '../measurement/results-document.ts'
import { amount, bytes, count, duration, percent } from '../reports/numbers.ts'
import { noiseLimits } from './arm.ts'
import { agentCapacity, descriptorNeeds, descriptorReserve, sharedPoolDescriptors } from './comparison-plan.ts'
import { toolUses } from './requirements.ts'

/** In the order in which they are shown. */
export function checkMachine(machine: MachineReading, needs: readonly SuiteNeeds[]): Check[] {
  return [
    nodeCheck(machine),
    descriptorCheck(machine, needs),
    coreCheck(machine, needs),
    memoryCheck(machine, needs),
    portCheck(machine, needs),
    noiseCheck('steal', machine),
    noiseCheck('foreignCpu', machine),
    clockCheck(machine),
    timerCheck(machine, needs),
    diskCheck(machine, needs),
    syncCheck(machine, needs),
    ...machine.tools.map(toolCheck),
  ]
}

function ok(name: CheckName, reading: string): Check {
  return { name, state: 'OK', reading, reason: null, advice: [], stopsSuites: false }
}

function limited(name: CheckName, reading: string, reason: string, advice: readonly string[]): Check {
  return { name, state: 'LIMITED', reading, reason, advice, stopsSuites: false }
}

function failed(name: CheckName, reading: string, reason: string, advice: readonly string[]): Check {
  return { name, state: 'FAILED', reading, reason, advice, stopsSuites: true }
}

function unknown(name: CheckName, { reason }: Fact<unknown>): Check {
  const advice = reason?.includes('--quick') === true ? ['Run lighthouse doctor without --quick.'] : []
  return {
    name,
    state: 'UNKNOWN',
    reading: 'not known',
    reason: reason ?? 'no reason given',
    advice,
    stopsSuites: false,
  }
}

/** The level with most agents of all suites. */
function largestLevel(needs: readonly SuiteNeeds[]): LevelNeeds {
  return needs
    .flatMap(({ levels }) => levels)
    .reduce((largest, level) => (level.agents > largest.agents ? level : largest), {
      agents: 0,
      portsPerAddress: 0,
      memoryBytes: 0,
    })
}

function nodeCheck({ node }: MachineReading): Check {
  const reading = `Node ${node.version}${node.sqlite === null ? '' : `, SQLite ${node.sqlite}`}`
  if (node.neededMajor === null)
    return unknown('node', { value: null, reason: 'package.json does not say what it needs' })
  if (Number(node.version.split('.')[0]) >= node.neededMajor) return ok('node', reading)
  return failed('node', reading, `Node ${node.neededMajor} or newer is needed`, [
    'In a clone run npm ci, which brings the right Node, and start it with npx lighthouse.',
  ])
}

function descriptorCheck({ descriptors: { soft, hard } }: MachineReading, needs: readonly SuiteNeeds[]): Check {
  const name = 'descriptors'
  if (soft.reason === 'unlimited') return ok(name, 'unlimited')
  if (soft.value === null) return unknown(name, soft)
  const threads = needs.filter(({ host }) => host === 'thread').map(({ enginesAtOnce }) => enginesAtOnce)
  const capacity = agentCapacity(soft.value, Math.max(1, ...threads))
  const reading =
    `${count(soft.value)} per process (hard limit ${hard.value === null ? (hard.reason ?? 'unknown') : count(hard.value)}): ` +
    `${count(capacity.thread)} agents with engines in threads, ${count(capacity.process)} in processes of their own`
  const { agents, needed } = mostDescriptors(needs)
  if (needed <= soft.value) return ok(name, reading)
  const mayRaise = hard.reason === 'unlimited' || (hard.value ?? 0) >= needed
  return limited(name, reading, `${count(agents)} agents need ${count(needed)} in one process`, [
    mayRaise
      ? `Raise the limit in this shell: ulimit -n ${needed}.`
      : `Let an administrator raise the hard limit to ${needed} (nofile in limits.conf, LimitNOFILE of the service, --ulimit nofile of the container), then ulimit -n ${needed}.`,
  ])
}

/** What fault proxies need in the process of the command line, with both ends of each agent's one or two connections; 0 without any. */
export function proxyDescriptors(agents: number, { proxiesAtOnce }: SuiteNeeds): number {
  const connections = agents + Math.min(agents, sharedPoolDescriptors)
  return proxiesAtOnce === 0 ? 0 : 2 * connections * proxiesAtOnce + descriptorReserve
}

/** The level that wants most of one process, with engines in processes of their own. */
function mostDescriptors(needs: readonly SuiteNeeds[]): { readonly agents: number; readonly needed: number } {
  return needs
    .flatMap((suite) =>
      suite.levels.map(({ agents }) => ({
        agents,
        needed: Math.max(descriptorNeeds(agents, 1).inChild, proxyDescriptors(agents, suite)),
      })),
    )
    .reduce((most, each) => (each.needed > most.needed ? each : most), { agents: 0, needed: 0 })
}

function coreCheck({ cpus }: MachineReading, needs: readonly SuiteNeeds[]): Check {
  const quota = cpus.quotaCores === null ? '' : `, the control group grants ${coreText(cpus.quotaCores)}`
  const reading = `${coreText(cpus.usable)} of ${count(cpus.logical)} usable${quota}`
  const needed = Math.max(1, ...needs.map(({ cores }) => cores))
  if (cpus.usable >= needed) return ok('cores', reading)
  return limited('cores', reading, `${needed} are needed, one for the engine and one for the load that measures it`, [
    'Give this machine or container another core, or lift its CPU quota or affinity.',
  ])
}

/** A quota may grant a part of a core. */
export function coreText(cores: number): string {
  return Number.isInteger(cores) ? count(cores) : amount(cores)
}

function memoryCheck({ memory }: MachineReading, needs: readonly SuiteNeeds[]): Check {
  const { totalBytes, availableBytes, limitBytes } = memory
  if (availableBytes.value === null) return unknown('memory', availableBytes)
  const limit = limitBytes === null ? '' : `, the control group grants ${bytes(limitBytes)}`
  const reading = `${bytes(availableBytes.value)} available of ${bytes(totalBytes.value)}${limit}`
  const needed = Math.max(0, ...needs.flatMap(({ levels }) => levels.map(({ memoryBytes }) => memoryBytes)))
  if (availableBytes.value >= needed) return ok('memory', reading)
  const reason = `the largest load may need ${bytes(needed)}`
  return limited('memory', reading, reason, ['Close other programs, or give this machine or container more memory.'])
}

function portCheck({ ports }: MachineReading, needs: readonly SuiteNeeds[]): Check {
  const { canListen, range, usable, tcpInUse, timeWait } = ports
  if (canListen.value === false) {
    return failed('ports', 'nothing can listen on 127.0.0.1', canListen.reason ?? 'no reason given', [
      'Allow this program to listen on the loopback address (firewall, sandbox, network of the container).',
    ])
  }
  if (usable.value === null || range.value === null) return unknown('ports', usable)
  const sockets =
    tcpInUse.value === null ? '' : `; ${count(tcpInUse.value)} sockets in use, ${count(timeWait.value)} in TIME_WAIT`
  const reading = `${count(usable.value)} sockets to one address (ports ${range.value[0]} to ${range.value[1]})${sockets}`
  const { agents, portsPerAddress } = largestLevel(needs)
  if (portsPerAddress <= usable.value) return ok('ports', reading)
  return limited('ports', reading, `${count(agents)} agents need ${count(portsPerAddress)} to one address`, [
    'Let an administrator widen the range: sysctl -w net.ipv4.ip_local_port_range="1024 65535".',
  ])
}

const noiseTexts = {
  steal: {
    figure: 'stealPercent',
    what: 'taken by the hypervisor',
    advice: 'Wait until the host is quieter, or use a machine whose cores are its own.',
  },
  foreignCpu: {
    figure: 'foreignCpuPercent',
    what: 'used by other programs',
    advice: 'Close other programs and wait for what runs in the background, then run lighthouse doctor again.',
  },
} as const

function noiseCheck(name: keyof typeof noiseTexts, { noise, windowMs }: MachineReading): Check {
  const { figure, what, advice } = noiseTexts[name]
  const value = noise[figure]
  if (value === null) return unknown(name, { value, ...(noise.reason === undefined ? {} : { reason: noise.reason }) })
  const reading = `${percent(value)} of the machine ${what} within ${windowMs / 1000} s`
  if (value <= noiseLimits[figure]) return ok(name, reading)
  return failed(name, reading, `above ${noiseLimits[figure]} % every round is INVALID`, [advice])
}

/** Histograms count whole microseconds, so finer steps than that are enough for all but the engine's stages. */
const fineStepNs = 1000
const coarseStepNs = 1e6

function clockCheck({ clock }: MachineReading): Check {
  const { source, smallestStepNs: step, agreement } = clock
  if (step.value === null) return unknown('clock', step)
  const wall =
    agreement.value === null
      ? ''
      : `; the wall clock ${Math.abs(agreement.value.gainedMs) < 1 ? 'agrees' : `gained ${amount(agreement.value.gainedMs)} ms`}`
  const reading = `${source.value === null ? '' : `${source.value}, `}steps of ${step.value < fineStepNs ? `${count(step.value)} ns` : duration(step.value / 1e6)}${wall}`
  if (agreement.value?.state === 'different-rates') {
    return failed('clock', reading, 'the monotonic clock and the wall clock run at different rates', [
      'Check the clock source of the machine (/sys/devices/system/clocksource) and of its hypervisor.',
    ])
  }
  if (step.value > coarseStepNs) {
    return failed('clock', reading, 'latencies of a millisecond cannot be told apart', [
      'Choose another clock source for the machine.',
    ])
  }
  if (step.value > fineStepNs) {
    return limited('clock', reading, 'stages of an engine that are shorter are not told apart', [
      'Choose another clock source for the machine (tsc where there is one).',
    ])
  }
  if (agreement.value === null) return unknown('clock', agreement)
  if (agreement.value.state === 'stepped') {
    return limited('clock', reading, 'the wall clock was set meanwhile: time stamps jump, durations do not', [
      'Let the time service settle before a run.',
    ])
  }
  return ok('clock', reading)
}

/** Rounds bound send lateness; the strictest suite counts here, each suite's own bound in its verdict. */
function timerCheck({ clock }: MachineReading, needs: readonly SuiteNeeds[]): Check {
  const late = clock.sendLatenessP99Ms
  if (late.value === null) return unknown('timers', late)
  const boundMs = Math.min(...needs.map(({ latenessBoundMs }) => latenessBoundMs))
  const reading = `sends would leave ${duration(late.value)} late at p99 (${count(clock.timers)} timers of 1 ms), the bound of a run is ${duration(boundMs)}`
  if (late.value <= boundMs) return ok('timers', reading)
  const advice = ['Close other programs, give the machine another core, or use one whose cores are its own.']
  return { ...failed('timers', reading, 'rounds whose sends are later are INVALID', advice), stopsSuites: false }
}

function diskCheck({ output, temporary }: MachineReading, needs: readonly SuiteNeeds[]): Check {
  const reading = `${bytes(output.freeBytes.value)} free in ${output.folder}, ${bytes(temporary.freeBytes.value)} in the temporary folder`
  if (output.writable.value === false) {
    return failed('disk', `${output.folder} cannot be written`, output.writable.reason ?? 'no reason given', [
      'Choose a folder that this user may write: --output DIR.',
    ])
  }
  if (temporary.writable.value === false) {
    return failed('disk', 'the temporary folder cannot be written', temporary.writable.reason ?? 'no reason given', [
      'Name a folder that this user may write in TMPDIR.',
    ])
  }
  const lacking = needs.map((suite) => lackingSpace(suite, { output, temporary })).filter((lack) => lack !== null)
  const largest = lacking.toSorted((a, b) => b.neededBytes - a.neededBytes)[0]
  if (largest !== undefined) return limited('disk', reading, largest.text, [largest.advice])
  if (output.freeBytes.value === null) return unknown('disk', output.freeBytes)
  if (temporary.freeBytes.value === null) return unknown('disk', temporary.freeBytes)
  return ok('disk', reading)
}

/** What a suite would write and the disk does not hold; null where it does. Folders of one file system share its space. */
export function lackingSpace(
  suite: SuiteNeeds,
  { output, temporary }: Pick<MachineReading, 'output' | 'temporary'>,
): { readonly neededBytes: number; readonly text: string; readonly advice: string } | null {
  const { outputBytes, storeBytes, command } = suite
  const shared = output.device !== null && output.device === temporary.device
  const places = shared
    ? [{ free: output.freeBytes.value, needed: outputBytes + storeBytes, where: 'the output and temporary folders' }]
    : [
        { free: output.freeBytes.value, needed: outputBytes, where: 'the output folder' },
        { free: temporary.freeBytes.value, needed: storeBytes, where: 'the temporary folder' },
      ]
  const full = places.find(({ free, needed }) => free !== null && free < needed)
  if (full === undefined) return null
  return {
    neededBytes: full.needed,
    text: `${command} may write ${bytes(full.needed)} to ${full.where}, ${bytes(full.free)} are free`,
    advice: 'Free some disk space, or choose other folders: --output DIR for runs, TMPDIR for stores.',
  }
}

/** Of a round trip: the commits of the question and of the answer, which with `--durability fsync` are waited for. */
const syncsPerRoundTrip = 2

function syncCheck({ output }: MachineReading, needs: readonly SuiteNeeds[]): Check {
  const { value: sync } = output.sync
  if (sync === null) return unknown('fsync', output.sync)
  const reading = `median ${duration(sync.medianMs)}, longest ${duration(sync.maxMs)} of ${count(sync.appends)} appends`
  // A tenth of the smallest latency bound is the bound of send lateness.
  const boundMs = 10 * Math.min(...needs.map(({ latenessBoundMs }) => latenessBoundMs))
  if (syncsPerRoundTrip * sync.medianMs <= boundMs) return ok('fsync', reading)
  const reason = `with --durability fsync two of them alone exceed the smallest latency bound of ${duration(boundMs)}`
  return limited('fsync', reading, reason, ['Keep the default --durability os, or use a faster disk.'])
}

function toolCheck({ name, state, detail }: ToolReading): Check {
  if (state === 'present') return ok(name, detail)
  if (state === 'unknown') return unknown(name, { value: null, reason: detail })
  return limited(name, 'missing', detail, [`Needed for ${toolUses[name]}: ${toolAdvice[name]}`])
}

const toolAdvice: Readonly<Record<ToolName, string>> = {
  git: 'install git.',
  postgresql: 'install the PostgreSQL server, or put its programs on PATH.',
  prlimit: 'install util-linux.',
  cgroupMemory: 'delegate a control group with its memory controller to this user (systemd-run --user --scope does).',
  networkNamespace:
    'allow user namespaces (sysctl kernel.unprivileged_userns_clone, seccomp profile of the container).',
  netem: 'install iproute2 and a kernel with sch_netem.',
}
