/**
 * The limit of open descriptors of a process that runs: set with `prlimit` of util-linux, which needs no privilege for one's own
 * processes as long as the hard limit stays. Only the soft limit, which is the one that counts, is touched.
 */
import { execa } from 'execa'
import { LighthouseError } from '../platform/errors.ts'

const withinMs = 5000

/** Sets the soft limit of `pid` and returns the one before. Throws ENVIRONMENT when that is not allowed or there is no `prlimit`. */
export async function limitDescriptors(pid: number, limit: number): Promise<number> {
  const former = await prlimit(['--pid', String(pid), '--nofile', '--output', 'SOFT', '--noheadings', '--raw'])
  await prlimit(['--pid', String(pid), `--nofile=${limit}:`])
  const soft = Number(former.trim())
  if (!Number.isSafeInteger(soft)) {
    throw new LighthouseError(
      'ENVIRONMENT',
      `prlimit told a limit of descriptors that is no number: ${former.slice(0, 40)}`,
    )
  }
  return soft
}

/** Why descriptors cannot be limited here; null when they can. */
export async function whyDescriptorsCannotBeLimited(): Promise<string | null> {
  if (process.platform !== 'linux')
    return 'open descriptors of another process can be counted and limited on Linux only'
  try {
    await prlimit(['--version'])
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

async function prlimit(words: readonly string[]): Promise<string> {
  const { stdout, stderr, failed, code } = await execa('prlimit', words, { reject: false, timeout: withinMs })
  if (!failed) return stdout
  const why = code === 'ENOENT' ? 'there is no prlimit here' : `prlimit failed: ${stderr.slice(0, 200)}`
  throw new LighthouseError('ENVIRONMENT', why, { suggestions: ['Install util-linux, or leave the case out.'] })
}
