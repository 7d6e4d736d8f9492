/**
 * "Did you mean …?": the word of a short list that is nearest to a misspelt one, by Damerau–Levenshtein distance
 * in its restricted form (insert, delete, replace, swap neighbours), ignoring case. Words are cut at 64 characters.
 */

/** The nearest of `words` within two edits (one for words of up to four letters), or null. */
export function nearestWord(word: string, words: readonly string[]): string | null {
  let best: string | null = null
  let bestDistance = Infinity
  for (const candidate of words) {
    const distance = editDistance(word.slice(0, 64).toLowerCase(), candidate.slice(0, 64).toLowerCase())
    const allowed = Math.min(word.length, candidate.length) <= 4 ? 1 : 2
    if (distance <= allowed && distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      let cost = Math.min(
        (previous[column] ?? Infinity) + 1,
        (current[column - 1] ?? Infinity) + 1,
        (previous[column - 1] ?? Infinity) + (same ? 0 : 1),
      )
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, (beforePrevious[column - 2] ?? Infinity) + 1)
      }
      current.push(cost)
    }
    beforePrevious = previous
    previous = current
  }
  return previous[b.length] ?? Infinity
}
