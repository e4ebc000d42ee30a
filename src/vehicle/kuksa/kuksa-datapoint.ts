import { z } from 'zod'
import type { SignalPath } from '../../protocol/vehicle/signals.ts'
import type { ToldSignal } from '../signal-board.ts'

/** A `kuksa.val.v2.Datapoint` as the wire gives it: without `value` the signal is unset, `typed_value` names the one that is there. */
export const datapointSchema = z.object({
  timestamp: z.object({ seconds: z.number().default(0), nanos: z.number().default(0) }).nullish(),
  value: z.looseObject({ typed_value: z.string().optional() }).nullish()
})

export type Datapoint = z.infer<typeof datapointSchema>

/** What a datapoint says of a path. Whether the type fits is checked where all sources' values are. */
export function decodeDatapoint(path: SignalPath, { timestamp, value }: Datapoint): ToldSignal {
  const stated = timestamp == null ? Number.NaN : timestamp.seconds * 1000 + Math.round(timestamp.nanos / 1e6)
  const head = { path, ...(Number.isFinite(stated) ? { statedUnixMs: stated } : {}) }
  if (value == null) return { ...head, value: null }
  if (value.typed_value === undefined) return { ...head, value: null, problem: `${path} came in a type that no such signal has` }
  return { ...head, value: value[value.typed_value] }
}
