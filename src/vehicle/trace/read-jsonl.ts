import { badTrace, checkMoment, checkPath, checkSource, checkTold, SOURCE_KEY, type TraceLine } from './trace-line.ts'

/** `{"t": 12.5, "Vehicle.Speed": 0, "Vehicle.IsMoving": null, "source": "live"}`, one a line. Throws `ERR_BAD_TRACE`. */
export function readJsonl(text: string): TraceLine[] {
  const lines = text.split('\n')
  const found: TraceLine[] = []
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue
    const number = index + 1
    const entries = Object.entries(parseLine(number, line, index === lines.length - 1))
    const t = checkMoment(number, entries.find(([key]) => key === 't')?.[1], found.at(-1)?.t ?? 0)
    const source = entries.find(([key]) => key === SOURCE_KEY)?.[1]
    const told = entries.filter(([key]) => key !== 't' && key !== SOURCE_KEY).map(([path, value]) => checkTold(number, checkPath(number, path), value))
    found.push({ t, told, ...(source === undefined ? {} : { source: checkSource(number, source) }) })
  }
  return found
}

function parseLine(number: number, line: string, isUnended: boolean): object {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    if (/\b(NaN|Infinity)\b/.test(line))
      throw badTrace(number, 'has NaN or Infinity, which JSON has not; write null for no value, or "NaN" where the vehicle sent no number')
    throw badTrace(number, isUnended ? 'is cut off; remove it, or record the trace again' : 'is not JSON; give one object a line')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badTrace(number, 'is not an object; write {"t": seconds, "Vehicle.Speed": 0}')
  return value
}
