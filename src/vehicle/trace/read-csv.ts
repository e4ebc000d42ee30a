import { CsvError, parse } from 'csv-parse/sync'
import { type SignalPath, VEHICLE_SIGNALS } from '../../protocol/vehicle/signals.ts'
import type { ToldSignal } from '../signal-board.ts'
import { badTrace, checkMoment, checkPath, checkSource, checkTold, SOURCE_KEY, type TraceLine } from './trace-line.ts'

interface Row {
  readonly record: readonly string[]
  readonly line: number
}

/**
 * CSV with a header (RFC 4180), in either of two forms: `timeS,path,value`, one signal a line; or `timeS` and a column per
 * signal, where an empty cell says nothing. `null` says that there is no value. Throws `ERR_BAD_TRACE`.
 */
export function readCsv(text: string): TraceLine[] {
  // A number that lost its last digits can't be told from a whole one; a line that lost its end can.
  if (!text.endsWith('\n')) throw badTrace(text.split('\n').length, 'has no line end, so it may be cut off; complete it, or remove it')
  const [head, ...rows] = parseRows(text)
  if (head === undefined) return []
  const [time, ...columns] = head.record
  if (time !== 'timeS') throw badTrace(1, 'is no header; begin with timeS,path,value or with timeS and a column for each signal')
  const isLong = columns.length === 2 && columns[0] === 'path' && columns[1] === 'value'
  const places = isLong ? [] : columns.map(column => (column === SOURCE_KEY ? SOURCE_KEY : checkPath(1, column)))
  const twice = places.find((place, index) => places.indexOf(place) !== index)
  if (twice !== undefined) throw badTrace(1, `has the column ${twice} twice; keep one`)

  const found: TraceLine[] = []
  for (const { record, line } of rows) {
    const [timeText = '', ...cells] = record
    const t = checkMoment(line, toNumber(timeText), found.at(-1)?.t ?? 0)
    const pairs: [string, string][] = isLong
      ? [[cells[0]!, cells[1]!]]
      : places.flatMap((place, index) => (cells[index] === '' ? [] : [[place, cells[index]!]]))
    if (isLong && cells[1] === '') throw badTrace(line, 'has no value; write null where there is none')
    const told: ToldSignal[] = []
    let source: TraceLine['source']
    for (const [place, cell] of pairs) {
      if (place === SOURCE_KEY) source = checkSource(line, cell)
      else {
        const path = checkPath(line, place)
        told.push(checkTold(line, path, toValue(path, cell)))
      }
    }
    found.push({ t, told, ...(source === undefined ? {} : { source }) })
  }
  return found
}

function parseRows(text: string): Row[] {
  const rows: Row[] = []
  const keep = (record: string[], { lines }: { readonly lines: number }) => {
    rows.push({ record, line: lines })
    return null
  }
  try {
    parse(text, { bom: true, trim: true, skip_empty_lines: true, on_record: keep })
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const line = typeof error['lines'] === 'number' ? error['lines'] : undefined
    throw badTrace(line, `is not CSV as its header says (${error.code}); give each line as many cells as the header, and close quotes`)
  }
  return rows
}

/** The value that a cell stands for; what fits no kind stays a text and is refused as such. */
function toValue(path: SignalPath, cell: string): unknown {
  if (cell === 'null') return null
  const { kind } = VEHICLE_SIGNALS[path]
  if (kind === 'boolean') return cell === 'true' ? true : cell === 'false' ? false : cell
  return kind === 'float' || kind === 'integer' ? (toNumber(cell) ?? cell) : cell
}

function toNumber(cell: string): number | undefined {
  if (cell === 'NaN') return Number.NaN
  return /^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(cell) ? Number(cell) : undefined
}
