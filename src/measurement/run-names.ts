/**
 * File names from labels. A label such as `polling:interval=100ms#2` may hold anything; a file name may not.
 * What had to be changed gets a digest of the label appended, so that two labels never share a name.
 */
import { sha256Hex } from './canonical-json.ts'

const longest = 48

/** Letters, digits, `.`, `_` and `-` only, never hidden, at most 57 characters, different for different labels. */
export function fileNameOf(label: string): string {
  const safe = label
    .replace(/[^A-Za-z0-9._-]/g, '_')
    .replace(/^(?:[.-]|$)/, '_')
    .slice(0, longest)
  // A label that ends like the mark of a repeated round would read as one.
  const ambiguous = safe !== label || /-a\d+$/.test(safe) || /-[0-9a-f]{8}$/.test(safe)
  return ambiguous ? `${safe}-${sha256Hex(label).slice(0, 8)}` : safe
}

/** `NN-LABEL`, with `-aK` for the K-th repeat of an invalid round. */
export function roundFolder(round: number, label: string, attempt: number): string {
  const repeat = attempt === 0 ? '' : `-a${attempt}`
  return `${String(round).padStart(2, '0')}-${fileNameOf(label)}${repeat}`
}
