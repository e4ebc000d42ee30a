import { readFile } from 'node:fs/promises'
import { MotorpoolError } from '../../protocol/errors.ts'
import type { Clock } from '../../protocol/signer.ts'
import { createSignalBoard } from '../signal-board.ts'
import { REFRESH_MS, SYSTEM_SURROUNDINGS, type VehicleSource } from '../vehicle-source.ts'
import { readCsv } from './read-csv.ts'
import { readJsonl } from './read-jsonl.ts'
import { badTrace, type TraceLine } from './trace-line.ts'

export type TraceFormat = 'jsonl' | 'csv'

export type TraceOptions = ({ readonly path: string } | { readonly text: string }) & {
  /** @default by the file's name, else by its first character */
  readonly format?: TraceFormat
  /** Seconds of the trace in a second of the car's clock, above 0 and up to 100000. @default 1 */
  readonly speed?: number
  /** Where in the trace's time to begin, s; what was said before holds. @default the first line's */
  readonly fromS?: number
  /** Where to end, s. @default the last line's */
  readonly untilS?: number
  /** When it was at `fromS`, ms since 1970 UTC: cars that are given the same share one day, whenever each is started. @default now */
  readonly startUnixMs?: number
  /** What 0 s stands for in the times that its signals tell, ms since 1970 UTC. @default TRACE_EPOCH_MS */
  readonly epochUnixMs?: number
  readonly refreshMs?: number
}

/** A recorded vehicle that is played. */
export interface TraceSource extends VehicleSource {
  readonly name: 'trace'
  /** The vehicle's time of day, which runs as fast as the trace is played. */
  readonly clock: Clock & { readonly rate: number }
  /** Goes on from a later second of the trace at once; what is told in between is told. Throws `ERR_INVALID_OPTION` for an earlier one. */
  readonly skipTo: (toS: number) => void
}

/** What 0 s stands for unless told: the midnight before a Monday, UTC. */
const TRACE_EPOCH_MS = Date.UTC(2024, 0, 1)
const FASTEST = 100_000
/** A week of 40 signals every second in the wide form. */
const MOST_BYTES = 128 << 20

/**
 * Plays a recorded vehicle. A line says at which second of the trace's own time what changed; values hold until they change, and
 * are re-sent as a live vehicle does. Readings arrive on the car's own clock, at every speed. `"source": "lost"` cuts the
 * vehicle off: values grow old until `"source": "live"`. With its last line the trace has `ended`.
 *
 * JSONL: `{"t": 0, "Vehicle.Speed": 0, "Vehicle.IsMoving": false}`; CSV: `timeS,path,value`, or `timeS` and a column per signal.
 * Values have VSS's types and units; null says that there is none.
 * Throws `ERR_BAD_TRACE` (the line, what is wrong, what to do) and `ERR_INVALID_OPTION`.
 */
export async function openTrace(options: TraceOptions, surroundings = SYSTEM_SURROUNDINGS): Promise<TraceSource> {
  const { speed = 1, refreshMs = REFRESH_MS } = options
  if (!(speed > 0 && speed <= FASTEST))
    throw new MotorpoolError('ERR_INVALID_OPTION', `the speed of a trace must be above 0 and up to ${FASTEST}; 1 is real time`)
  const lines =
    'text' in options ? readTrace(options.text, options.format) : readTrace(await readTraceFile(options.path), options.format ?? formatOfName(options.path))

  const [first, last] = [lines[0]!.t, lines.at(-1)!.t]
  const { fromS = first, untilS = last } = options
  if (!(fromS >= 0 && untilS >= fromS && untilS < Number.POSITIVE_INFINITY))
    throw new MotorpoolError('ERR_INVALID_OPTION', `the trace would play from ${fromS} s to ${untilS} s; it has ${first} s to ${last} s`)
  const { clock } = surroundings
  const board = createSignalBoard(clock, { state: 'lost', why: 'the trace has not begun' })
  const openedMs = clock.monotonicMs()
  const { startUnixMs = clock.unixMs(), epochUnixMs = TRACE_EPOCH_MS } = options
  // What a system clock does after this doesn't matter.
  let openedS = fromS + ((clock.unixMs() - startUnixMs) / 1000) * speed
  const playedS = (): number => openedS + ((clock.monotonicMs() - openedMs) / 1000) * speed
  let next = 0
  let timer: NodeJS.Timeout | undefined
  let isStopped = false
  let isLost = false
  let confirmedMs = openedMs
  const play = (): void => {
    const nowS = playedS()
    for (let line = lines[next]; line !== undefined && line.t <= Math.min(nowS, untilS) && !isStopped; line = lines[next]) {
      next++
      if (line.source !== undefined) isLost = line.source === 'lost'
      if (isLost) board.become('lost', 'the trace says that the vehicle cannot be heard')
      else board.tell(line.told, { state: 'live' })
    }
    if (isStopped) return
    if (nowS >= untilS) return board.become('ended', 'the trace has ended; give a longer one, or another source')
    const nowMs = clock.monotonicMs()
    if (nowMs - confirmedMs >= refreshMs) {
      confirmedMs = nowMs
      if (next > 0 && !isLost) board.confirm()
    }
    const nextS = Math.min(lines[next]?.t ?? untilS, untilS)
    timer = setTimeout(play, Math.max(1, Math.min(refreshMs, ((nextS - nowS) / speed) * 1000)))
  }
  play()
  return {
    name: 'trace',
    ...board.face,
    clock: { rate: speed, monotonicMs: () => playedS() * 1000, unixMs: () => epochUnixMs + playedS() * 1000 },
    skipTo: toS => {
      const nowS = playedS()
      if (!(toS >= nowS && toS < Number.POSITIVE_INFINITY))
        throw new MotorpoolError('ERR_INVALID_OPTION', `the trace is at ${Math.floor(nowS)} s and cannot skip to ${toS} s; give a later second`)
      openedS += toS - nowS
      clearTimeout(timer)
      if (!isStopped && board.face.state() !== 'ended') play()
    },
    stop: async () => {
      isStopped = true
      clearTimeout(timer)
      board.close()
    }
  }
}

/** A whole trace, checked. Throws `ERR_BAD_TRACE`. */
export function readTrace(text: string, format?: TraceFormat): readonly TraceLine[] {
  if (text.trim() === '') throw badTrace(undefined, 'is empty; give at least one line')
  const lines = (format ?? (text.trimStart().startsWith('{') ? 'jsonl' : 'csv')) === 'jsonl' ? readJsonl(text) : readCsv(text)
  if (lines.length === 0) throw badTrace(undefined, 'has a header and no lines; give at least one')
  return lines
}

function formatOfName(path: string): TraceFormat | undefined {
  return /\.csv$/i.test(path) ? 'csv' : /\.(jsonl|ndjson)$/i.test(path) ? 'jsonl' : undefined
}

async function readTraceFile(path: string): Promise<string> {
  const bytes = await readFile(path).catch(error => {
    throw badTrace(undefined, `cannot be read (${error.code}); name a file that is there and that you may read`)
  })
  if (bytes.length > MOST_BYTES) throw badTrace(undefined, `has ${bytes.length} bytes, more than ${MOST_BYTES}; split it`)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw badTrace(undefined, 'is not text in UTF-8; give JSONL or CSV')
  }
}
