/** Where an append is timed, for those who ask what a transaction waits for. */
export interface AppendTimer {
  nowNs(): number
  /** The write lock was asked for at `startNs` and held from `lockedNs` on; the rows are in, and the commit begins now. */
  beforeCommit(startNs: number, lockedNs: number): void
}
