import type { Profiler } from 'node:inspector/promises'
import { isWork, placeOf } from './profiler.ts'

const WIDTH = 1400
const ROW = 17
const CHARACTER = 6.5
/** Narrower boxes can't be seen. */
const LEAST_WIDTH = 0.4
/** Ours, what we depend on, and Node with V8. */
const COLOURS = { ours: '#f2a65a', dependency: '#f6d186', engine: '#c9d6df' } as const

interface Box {
  readonly where: string
  readonly colour: string
  readonly us: number
  readonly children: readonly Box[]
}

/** A profile's calls as an SVG: each box is a function, as wide as its share of the busy time, above its caller. Pointing at one names it. */
export function flameGraph(title: string, { nodes, samples = [], timeDeltas = [] }: Profiler.Profile): string {
  const byId = new Map(nodes.map(node => [node.id, node]))
  const selfUs = new Map<number, number>()
  samples.forEach((id, at) => void selfUs.set(id, (selfUs.get(id) ?? 0) + (timeDeltas[at] ?? 0)))
  const boxOf = ({ id, callFrame, children = [] }: Profiler.ProfileNode): Box => {
    const boxes = children.flatMap(child => byId.get(child) ?? []).map(boxOf)
    const own = isWork(callFrame) ? (selfUs.get(id) ?? 0) : 0
    const us = own + boxes.reduce((sum, box) => sum + box.us, 0)
    return { where: placeOf(callFrame.functionName, callFrame.url, callFrame.lineNumber), colour: colourOf(callFrame.url), us, children: boxes }
  }
  const [first] = nodes
  if (first === undefined) return ''
  const root = boxOf(first)
  const drawn: string[] = []
  let deepest = 0
  const draw = (box: Box, x: number, depth: number): void => {
    const width = (box.us / root.us) * WIDTH
    if (!(width >= LEAST_WIDTH)) return
    deepest = Math.max(deepest, depth)
    const share = `${((box.us / root.us) * 100).toFixed(1)} %, ${(box.us / 1000).toFixed(1)} ms`
    const text = box.where.slice(0, Math.max(0, Math.floor(width / CHARACTER) - 1))
    const y = -depth * ROW
    drawn.push(
      `<g><title>${escaped(box.where)}: ${share}</title><rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${box.colour}"/>${text === '' ? '' : `<text x="${(x + 3).toFixed(1)}" y="${y + ROW - 5}">${escaped(text)}</text>`}</g>`
    )
    let left = x
    for (const child of [...box.children].sort((one, other) => other.us - one.us)) {
      draw(child, left, depth + 1)
      left += (child.us / root.us) * WIDTH
    }
  }
  draw(root, 0, 0)
  const top = -(deepest + 2) * ROW
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 ${top} ${WIDTH} ${ROW - top}" font-family="sans-serif" font-size="11"><text x="3" y="${top + ROW}">${escaped(title)}</text>${drawn.join('\n')}</svg>\n`
}

function colourOf(url: string): string {
  if (url === '' || url.startsWith('node:')) return COLOURS.engine
  return url.includes('node_modules') ? COLOURS.dependency : COLOURS.ours
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
