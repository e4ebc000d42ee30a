import type { Strip } from './strip.ts'

/** A letter as the recogniser saw it. */
export interface Letter {
  readonly text: string
  /** About the middle of the letter, in pixels of the strip. */
  readonly at: number
}

/** A gap counts as one between words from this share of the line's own usual word gap. */
const GAP_SHARE = 0.7
/** Ink differs from the paper by at least this share of the strip's contrast. */
const INK_SHARE = 0.4
/** Without a recognised space to measure by, a word gap is this share of the strip's height. */
const USUAL_GAP_SHARE = 0.22

/**
 * The text of a strip with the spaces that the recogniser dropped, mostly behind commas. Spaces that it found tell how wide
 * a word gap is in this line; where the paper between two letters is about as wide, there is a space too.
 */
export function withWordGaps(letters: readonly Letter[], strip: Strip): string {
  const gaps = letters.slice(1).map((letter, at) => ({ at: at + 1, letter }))
  if (gaps.length === 0) return letters.map(letter => letter.text).join('')
  const ink = inkColumns(strip)
  const known = letters.flatMap((letter, at) => {
    const [before, after] = [letters[at - 1], letters[at + 1]]
    return letter.text === ' ' && before !== undefined && after !== undefined ? [widestGap(ink, before.at, after.at)] : []
  })
  const usual = known.length === 0 ? strip.height * USUAL_GAP_SHARE : median(known)
  return letters
    .map((letter, at) => {
      const before = letters[at - 1]
      if (before === undefined || letter.text === ' ' || before.text === ' ') return letter.text
      return widestGap(ink, before.at, letter.at) >= usual * GAP_SHARE && usual > 0 ? ` ${letter.text}` : letter.text
    })
    .join('')
}

/** Whether each column of a strip holds ink, dark on light or light on dark. */
function inkColumns({ width, height, rgb }: Strip): Uint8Array {
  const luminance = new Float32Array(width * height)
  for (let pixel = 0; pixel < luminance.length; pixel++) luminance[pixel] = ((rgb[pixel * 3] ?? 0) + (rgb[pixel * 3 + 1] ?? 0) + (rgb[pixel * 3 + 2] ?? 0)) / 3
  const sorted = luminance.toSorted()
  const level = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0
  // Letters cover less than half of a line, so that the median is paper.
  const paper = level(0.5)
  const contrast = Math.max(paper - level(0.01), level(0.99) - paper)
  const columns = new Uint8Array(width)
  for (let pixel = 0; pixel < luminance.length; pixel++) if (Math.abs((luminance[pixel] ?? 0) - paper) > contrast * INK_SHARE) columns[pixel % width] = 1
  return columns
}

/** The longest run of columns without ink between two columns. */
function widestGap(ink: Uint8Array, from: number, to: number): number {
  let widest = 0
  let run = 0
  for (let column = Math.floor(from); column <= Math.min(to, ink.length - 1); column++) {
    run = ink[column] === 1 ? 0 : run + 1
    if (run > widest) widest = run
  }
  return widest
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1] ?? 0
}
