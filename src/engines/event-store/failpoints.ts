/**
 * Points of a commit at which a process may be told to die, so that a crash hits the moment that matters and not only a moment that
 * chance picks. Nothing is armed unless a suite arms it, once, in the process of an engine that it started itself.
 */

/** `beforeCommit`: rows are written, their transaction is not committed. `afterCommit`: it is, and nobody was told. */
export const failpoints = ['beforeCommit', 'afterCommit'] as const
export type Failpoint = (typeof failpoints)[number]

let armed: { readonly at: Failpoint; left: number; readonly die: () => void } | null = null

/** The process dies at the `commits`-th passage from now, at once and without a word. */
export function armFailpoint(
  at: Failpoint,
  commits: number,
  die: () => void = () => void process.kill(process.pid, 'SIGKILL'),
): void {
  armed = { at, left: Math.max(1, commits), die }
}

export function passFailpoint(at: Failpoint): void {
  if (armed === null || armed.at !== at) return
  armed.left--
  if (armed.left > 0) return
  const { die } = armed
  armed = null
  die()
}
