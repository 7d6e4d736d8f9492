/**
 * The shape of a chain with retries: every question that one chain may come to, laid out before the round, so that a chain branches
 * alike whatever the engine and the ledger knows each question beforehand.
 *
 * A caller asks a link, which asks another link before it answers, and so on; the one at the end answers by itself. Whoever gets no
 * answer in time asks again, an agent drawn anew, `attempts` times at most. So a chain is a tree: each question above the last level has
 * `attempts` possible questions below it, of which the first is asked when the question has arrived and each other when the one
 * before it has failed. Numbers within a tree go level by level; attempts of one agent follow each other.
 */
import type { CoordinationPattern } from '../measurement/coordination-evidence.ts'
import type { Random } from '../platform/random.ts'

type ChainPattern = CoordinationPattern & { kind: 'chain' }

export interface ChainTree {
  readonly depth: number
  /** Possible questions of one chain. */
  readonly size: number
  /** By number: the question that led to it (−1: the caller's own), the first that it leads to (−1: none), and its level from 1. */
  readonly parent: Int16Array
  readonly firstChild: Int16Array
  readonly level: Uint8Array
  /** 1 where no attempt follows. */
  readonly isLastAttempt: Uint8Array
}

/** attempts + attempts² + … + attempts^depth: 363 for the widest. */
export function chainSize({ depth, attempts }: Pick<ChainPattern, 'depth' | 'attempts'>): number {
  let size = 0
  for (let level = 1; level <= depth; level++) size += attempts ** level
  return size
}

export function chainTree({ depth, attempts }: Pick<ChainPattern, 'depth' | 'attempts'>): ChainTree {
  const size = chainSize({ depth, attempts })
  const tree = {
    depth,
    size,
    parent: new Int16Array(size).fill(-1),
    firstChild: new Int16Array(size).fill(-1),
    level: new Uint8Array(size).fill(1),
    isLastAttempt: Uint8Array.from({ length: size }, (_, node) => (node % attempts === attempts - 1 ? 1 : 0)),
  }
  // Every level begins at a multiple of `attempts`, and children are numbered in the order of their parents.
  let child = attempts
  for (let node = 0; child < size; node++) {
    tree.firstChild[node] = child
    for (let attempt = 0; attempt < attempts; attempt++, child++) {
      tree.parent[child] = node
      tree.level[child] = (tree.level[node] as number) + 1
    }
  }
  return tree
}

/** Who would ask whom, in the order of the tree's numbers. Links are numbered from 0; `asker` null is the caller. */
export function drawChain(
  { parent }: ChainTree,
  links: number,
  random: Random,
): { readonly asker: number | null; readonly asked: number }[] {
  const drawn: { asker: number | null; asked: number }[] = []
  for (const above of parent) {
    const asker = above === -1 ? null : (drawn[above]?.asked ?? null)
    drawn.push({ asker, asked: anotherThan(asker, links, random) })
  }
  return drawn
}

/** Nobody asks itself. */
function anotherThan(asker: number | null, links: number, random: Random): number {
  if (asker === null) return random.below(links)
  const drawn = random.below(links - 1)
  return drawn < asker ? drawn : drawn + 1
}
