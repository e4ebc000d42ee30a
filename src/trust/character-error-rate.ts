/** Edits, and the length of the truth that they are counted against, in characters (Unicode code points). */
export interface CharacterErrors {
  readonly edits: number
  readonly length: number
}

/** One space for every run of white space, none at the ends: where a line breaks is no error. */
function normalized(text: string): number[] {
  return Array.from(text.trim().replace(/\s+/g, ' '), character => character.codePointAt(0)!)
}

/** Least insertions, deletions and substitutions that turn one sequence into the other (Levenshtein 1966), in O(length²) time and O(length) memory. */
function editDistance(left: readonly number[], right: readonly number[]): number {
  let row = Uint32Array.from({ length: right.length + 1 }, (_, column) => column)
  let next = new Uint32Array(right.length + 1)
  for (const [index, character] of left.entries()) {
    next[0] = index + 1
    for (let column = 1; column <= right.length; column++) {
      const substituted = row[column - 1]! + (character === right[column - 1] ? 0 : 1)
      next[column] = Math.min(substituted, row[column]! + 1, next[column - 1]! + 1)
    }
    ;[row, next] = [next, row]
  }
  return row[right.length]!
}

/** How far a recognised text is from the true one, white space normalised. Sum over pages before dividing, so that long pages count more. */
export function characterErrors(recognised: string, truth: string): CharacterErrors {
  const expected = normalized(truth)
  return { edits: editDistance(normalized(recognised), expected), length: expected.length }
}

/** Edits per character of truth over all pages: 0 is perfect, above 1 is possible. An empty truth with nothing recognised is 0. */
export function characterErrorRate(pages: readonly CharacterErrors[]): number {
  const edits = pages.reduce((sum, page) => sum + page.edits, 0)
  const length = pages.reduce((sum, page) => sum + page.length, 0)
  return edits === 0 ? 0 : edits / Math.max(length, 1)
}
