// Renders the page images of examples/pages and their true texts. Needs the fonts that examples/pages/README.md names.
// Run: node examples/make-pages.ts
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { PASSAGES } from './make-passages.ts'

const folder = fileURLToPath(new URL('pages/', import.meta.url))
const FONTS = [
  'DejaVu Serif',
  'Liberation Sans',
  'EB Garamond',
  'DejaVu Sans Mono',
  'Liberation Serif',
  'Carlito',
  'FreeSerif',
  'DejaVu Sans',
  'Linux Libertine O',
  'Caladea',
  'Liberation Mono',
  'FreeSans'
]
/** Levels of grey in a page: enough for smooth letters, few enough to compress. */
const GREY_LEVELS = 16
/** About a second of work for one core each, so that two cores read all pages in well under a minute. */
const FEWEST_LINES = 8

/** mulberry32: the same pages on every run. */
function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function wrap(text: string, columns: number): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines.at(-1)!
    if (last !== '' && last.length + 1 + word.length > columns) lines.push(word)
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
  }
  return lines
}

const escapeXml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')

/** Paper that is not quite white, darker towards one corner, with specks: what a cheap scanner makes of it. */
async function scan(page: sharp.Sharp, random: () => number): Promise<Buffer> {
  const { data, info } = await page.greyscale().raw().toBuffer({ resolveWithObject: true })
  const shade = 6 + random() * 18
  const towardsRight = random() < 0.5
  const specks = 0.0005 + random() * 0.0015
  for (let y = 0; y < info.height; y++) {
    for (let x = 0; x < info.width; x++) {
      const at = (y * info.width + x) * info.channels
      const along = (y / info.height + (towardsRight ? x : info.width - x) / info.width) / 2
      const grey = random() < specks ? random() * 255 : data[at]! * (1 - 0.04 * random()) - shade * along
      data[at] = Math.round((Math.max(0, grey) / 255) * (GREY_LEVELS - 1)) * Math.floor(255 / (GREY_LEVELS - 1))
    }
  }
  return sharp(data, { raw: info }).png({ palette: true, colours: GREY_LEVELS, dither: 0, compressionLevel: 9, effort: 10 }).toBuffer()
}

for (const [index, { page, text }] of PASSAGES.entries()) {
  const random = randomNumbers(index + 1)
  const font = FONTS[index % FONTS.length]!
  const size = 24 + ((index * 5) % 11)
  const lines = wrap(text, 36 + ((index * 7) % 11)).slice(0, FEWEST_LINES + ((index * 3) % 5))
  const leading = Math.round(size * (1.45 + random() * 0.3))
  const skewDegrees = (random() * 2 - 1) * 1.2
  const gap = (size * 0.2).toFixed(1)
  const typeset = (line: string) => escapeXml(line).replaceAll(' ', ` </tspan><tspan dx="${gap}">`)
  const rows = lines.map((line, row) => `<text x="40" y="${(row + 1) * leading}" xml:space="preserve"><tspan>${typeset(line)}</tspan></text>`).join('')
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="2400" height="${(lines.length + 1) * leading}"><rect width="100%" height="100%" fill="white"/><g font-family="${font}" font-size="${size}" fill="#1a1a1a">${rows}</g></svg>`
  const trimmed = await sharp(Buffer.from(svg)).flatten({ background: 'white' }).trim({ background: 'white' }).toBuffer()
  const rotated = await sharp(trimmed)
    .extend({ top: 48, bottom: 48, left: 56, right: 56, background: 'white' })
    .rotate(skewDegrees, { background: 'white' })
    .toBuffer()
  const name = `${String(index + 1).padStart(2, '0')}-${page}`
  writeFileSync(`${folder}${name}.png`, await scan(sharp(rotated), random))
  writeFileSync(`${folder}${name}.txt`, `${lines.join('\n')}\n`)
}
