import type { Strip } from './strip.ts'

/** A letter as the recogniser saw it. */
export interface Letter {
  readonly text: string
  /** About the middle of the letter, in pixels of the strip. */
  readonly at: number
}

/** A gap between letters counts as one between words from this share of the line's own usual word gap: type of fixed width sets letters far apart. */
const GAP_SHARE = 0.78
/** Behind a punctuation mark, where the recogniser drops most spaces and none but a space makes a gap. */
const GAP_SHARE_BEHIND_MARK = 0.65
const MARK = /[,.;:!?]/
/** Nothing stands apart from the word before it that begins with one of these. */
const CLOSING = /[,.;:!?)\]}%]/
/** Ink differs from the paper by at least this share of the strip's contrast. */
const INK_SHARE = 0.4
/** Without a recognised space to measure by, a word gap is this share of the strip's height. */
const USUAL_GAP_SHARE = 0.22

/**
 * The text of a strip with the spaces that the recogniser dropped, mostly behind commas. Spaces that it found tell how wide
 * a word gap is in this line; where the paper between two letters is about as wide, there is a space too.
 */
export function withWordGaps(letters: readonly Letter[], strip: Strip): string {
  const ink = inkColumns(strip)
  const known = letters.flatMap((letter, at) => {
    const [before, after] = [letters[at - 1], letters[at + 1]]
    return letter.text === ' ' && before !== undefined && after !== undefined ? [widestGap(ink, before.at, after.at)] : []
  })
  const usual = known.length === 0 ? strip.height * USUAL_GAP_SHARE : median(known)
  return letters
    .map((letter, at) => {
      const before = letters[at - 1]
      if (before === undefined || letter.text === ' ' || before.text === ' ' || CLOSING.test(letter.text)) return letter.text
      const least = usual * (MARK.test(before.text) ? GAP_SHARE_BEHIND_MARK : GAP_SHARE)
      return widestGap(ink, before.at, letter.at) > least ? ` ${letter.text}` : letter.text
    })
    .join('')
}

/** Whether each column of a strip holds ink, dark on light or light on dark. */
function inkColumns({ width, height, rgb }: Strip): Uint8Array {
  const grey = new Uint8Array(width * height)
  const histogram = new Uint32Array(256)
  for (let pixel = 0; pixel < grey.length; pixel++) {
    const level = Math.round(((rgb[pixel * 3] ?? 0) + (rgb[pixel * 3 + 1] ?? 0) + (rgb[pixel * 3 + 2] ?? 0)) / 3)
    grey[pixel] = level
    histogram[level] = (histogram[level] ?? 0) + 1
  }
  // Letters cover less than half of a line, so that the median is paper.
  const [darkest, paper, lightest] = [quantile(histogram, grey.length, 0.01), quantile(histogram, grey.length, 0.5), quantile(histogram, grey.length, 0.99)]
  const contrast = Math.max(paper - darkest, lightest - paper)
  const columns = new Uint8Array(width)
  for (let pixel = 0; pixel < grey.length; pixel++) if (Math.abs((grey[pixel] ?? 0) - paper) > contrast * INK_SHARE) columns[pixel % width] = 1
  return columns
}

/** The level below which this share of a histogram's pixels lies. */
function quantile(histogram: Uint32Array, count: number, share: number): number {
  let below = 0
  return histogram.findIndex(pixels => {
    below += pixels
    return below > (count - 1) * share
  })
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
