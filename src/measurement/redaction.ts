/**
 * Keeps the machine's identity out of what a run publishes: host name, user name, and absolute paths. Names
 * are matched as whole words in any case; paths by the folders of this process and by the roots that file
 * systems use, so that a path from another machine in an error message is caught as well.
 *
 * Names that say nothing about anybody (`root`, `localhost`, `runner`) are left alone: taking them out would
 * damage ordinary words and protect no one.
 */
import { realpathSync } from 'node:fs'
import { homedir, hostname, tmpdir, userInfo } from 'node:os'
import { LighthouseError } from '../platform/errors.ts'

export interface MachineIdentity {
  readonly hostName: string
  readonly userName: string
  /** Absolute folders that must not appear: home, working folder, temporary folder. */
  readonly folders: readonly string[]
}

export interface Secret {
  readonly kind: 'host name' | 'user name' | 'absolute path'
  /** Offset in the text that was searched. */
  readonly index: number
  readonly length: number
}

const anonymous = new Set(
  (
    'root user users admin administrator nobody default guest localhost localdomain local host server node runner ' +
    'ubuntu debian fedora alpine docker container app build builder ci test vm linux darwin windows main home lighthouse'
  ).split(' '),
)
const shortestName = 3

const pathEnd = String.raw`[^\s"'\`<>|,;:)\]}]*`
const knownRoots = 'home|root|Users|tmp|var|opt|usr|etc|srv|mnt|media|private|Volumes|data|app|builds?|workspaces?'
const pathPatterns = [
  new RegExp(String.raw`file:\/\/\/?${pathEnd}`, 'g'),
  new RegExp(String.raw`(?<![\w.<>-])[A-Za-z]:\\+${pathEnd}`, 'g'),
  new RegExp(String.raw`(?<![\w.<>:/-])\/(?:${knownRoots})\/${pathEnd}`, 'g'),
]

/** Of the machine this process runs on. */
export function machineIdentity(): MachineIdentity {
  const folders = [homedir(), process.cwd(), tmpdir()].flatMap((folder) => [folder, resolved(folder)])
  return { hostName: hostname(), userName: userName(), folders: [...new Set(folders)] }
}

function resolved(folder: string): string {
  try {
    return realpathSync(folder)
  } catch {
    return folder
  }
}

/** A container may run under a number that no account has. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return ''
  }
}

/** Everything in `text` that would identify the machine or its user, in order of place, without overlaps. */
export function findSecrets(text: string, identity: MachineIdentity): Secret[] {
  const found: Secret[] = []
  for (const folder of identity.folders) {
    if (folder.length > 1)
      collect(found, text, 'absolute path', new RegExp(`${literal(folder)}(?![\\w-])${pathEnd}`, 'gi'))
  }
  for (const pattern of pathPatterns) collect(found, text, 'absolute path', pattern)
  for (const name of [identity.hostName, identity.hostName.split('.')[0] ?? '']) {
    collectName(found, text, 'host name', name)
  }
  collectName(found, text, 'user name', identity.userName)
  found.sort((left, right) => left.index - right.index || right.length - left.length)
  let end = 0
  return found.filter(({ index, length }) => {
    if (index < end) return false
    end = index + length
    return true
  })
}

function collectName(found: Secret[], text: string, kind: Secret['kind'], name: string): void {
  if (name.length < shortestName || anonymous.has(name.toLowerCase())) return
  collect(found, text, kind, new RegExp(`(?<![A-Za-z0-9_])${literal(name)}(?![A-Za-z0-9_])`, 'gi'))
}

function collect(found: Secret[], text: string, kind: Secret['kind'], pattern: RegExp): void {
  for (const match of text.matchAll(pattern)) found.push({ kind, index: match.index, length: match[0].length })
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, String.raw`\$&`)
}

/** `text` with every secret replaced by `<host name>`, `<user name>` or `<absolute path>`. */
export function redact(text: string, identity: MachineIdentity): string {
  let result = ''
  let from = 0
  for (const { kind, index, length } of findSecrets(text, identity)) {
    result += `${text.slice(from, index)}<${kind}>`
    from = index + length
  }
  return result + text.slice(from)
}

/**
 * Throws LighthouseError('INTERNAL') that says where in `what` the first secret is and of which kind, but not
 * the secret itself.
 */
export function assertNoSecrets(text: string, what: string, identity: MachineIdentity): void {
  const [first] = findSecrets(text, identity)
  if (first === undefined) return
  const line = text.slice(0, first.index).split('\n').length
  throw new LighthouseError('INTERNAL', `${what}, line ${line}: holds a ${first.kind} of this machine.`, {
    suggestions: ['Do not publish the file; report the line as a defect.'],
  })
}
