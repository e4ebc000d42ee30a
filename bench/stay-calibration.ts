// Draws docs/stay-calibration.svg from the held-out fleets of the measure `stays`. Run: node bench/stay-calibration.ts
import { writeFileSync } from 'node:fs'
import { runTrials } from './stay-trials.ts'

const SERIES = [
  { way: 'plans', label: 'knows habits and plans', colour: '#0b6e4f', shift: -5 },
  { way: 'habits', label: 'knows habits alone', colour: '#c8553d', shift: 5 }
] as const
const [WIDTH, HEIGHT, LEFT, TOP, SIDE] = [520, 470, 70, 40, 360]
const LEAST = 0.4

const x = (share: number): number => LEFT + ((share - LEAST) / (1 - LEAST)) * SIDE
const y = (share: number): number => TOP + SIDE - ((share - LEAST) / (1 - LEAST)) * SIDE
const round = (value: number): string => value.toFixed(1)

function axes(): string {
  const ticks = [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
  return ticks
    .map(
      tick => `<path d="M${LEFT} ${round(y(tick))}h${SIDE}M${round(x(tick))} ${TOP}v${SIDE}" stroke="#e4e4e4"/>
<text x="${LEFT - 8}" y="${round(y(tick) + 4)}" text-anchor="end">${Math.round(tick * 100)} %</text>
<text x="${round(x(tick))}" y="${TOP + SIDE + 18}" text-anchor="middle">${tick}</text>`
    )
    .join('\n')
}

/** A step's tasks as a point, with the range of ± 2 standard errors. */
function point(told: number, { accepted, finished }: { readonly accepted: number; readonly finished: number }, colour: string, shift: number): string {
  const share = finished / accepted
  const error = 2 * Math.sqrt((share * (1 - share)) / accepted)
  const at = x(told) + shift
  const title = `told ${told}: ${(share * 100).toFixed(1)} % of ${accepted} tasks finished undisturbed`
  return `<g stroke="${colour}" fill="${colour}"><title>${title}</title><path d="M${round(at)} ${round(y(Math.max(LEAST, share - error)))}V${round(y(Math.min(1, share + error)))}" stroke-width="2"/><circle cx="${round(at)}" cy="${round(y(share))}" r="4" stroke="none"/></g>`
}

const band = `<path d="M${round(x(LEAST))} ${round(y(LEAST + 0.03))}L${round(x(0.97))} ${round(y(1))}H${round(x(1))}V${round(y(0.97))}L${round(x(LEAST + 0.03))} ${round(y(LEAST))}H${round(x(LEAST))}Z" fill="#dfe9f5"/>`
const points = SERIES.map(({ way, colour, shift, label }, index) => {
  const { byStep } = runTrials(way, { quick: false, takesAll: true })
  const drawn = [...byStep].filter(([step]) => step > 0).sort(([left], [right]) => left - right)
  for (const [step, { accepted, finished }] of drawn)
    process.stdout.write(`${label}: told ${step / 1e6}, ${accepted} tasks, ${((100 * finished) / accepted).toFixed(1)} % finished\n`)
  const legend = `<circle cx="${LEFT + 20}" cy="${TOP + 20 + index * 20}" r="4" fill="${colour}"/><text x="${LEFT + 32}" y="${TOP + 24 + index * 20}">${label}</text>`
  return `${drawn.map(([step, tasks]) => point(step / 1_000_000, tasks, colour, shift)).join('\n')}\n${legend}`
}).join('\n')

const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12" role="img" aria-label="Odds of staying as told against the share of tasks that finished undisturbed">
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
${band}
${axes()}
<path d="M${round(x(LEAST))} ${round(y(LEAST))}L${round(x(1))} ${round(y(1))}" stroke="#7a8ca3" stroke-dasharray="4 3"/>
${points}
<text x="${LEFT + SIDE / 2}" y="${TOP + SIDE + 42}" text-anchor="middle">odds of staying that the car told</text>
<text transform="translate(20 ${TOP + SIDE / 2}) rotate(-90)" text-anchor="middle">tasks that finished undisturbed</text>
<text x="${LEFT}" y="24" font-weight="bold">Do cars stay as often as they say? (band: ± 3 %)</text>
</svg>
`
writeFileSync(new URL('../docs/stay-calibration.svg', import.meta.url), svg)
