import { z } from 'zod'
import type { FoundPeer } from '../../mesh/mesh.ts'
import type { PeerStatus } from '../../peer.ts'
import { ERROR_CODES, MotorpoolError } from '../../protocol/errors.ts'

/** A request or reply on the administration socket is one line of JSON of at most this many bytes. */
export const ADMIN_LINE_LIMIT = 256 * 1024

/** What a running peer can be asked by its owner, with what each takes. */
export const ADMIN_METHODS = {
  status: z.strictObject({}),
  peers: z.strictObject({}),
  ping: z.strictObject({ peer: z.string().min(1).max(256) }),
  /** The vehicle is needed; work that can't end in `secondsLeft` is handed back. */
  drive: z.strictObject({ reason: z.string().max(128).optional(), secondsLeft: z.int().nonnegative().max(3600).optional() }),
  /** The vehicle is parked and fit again. */
  park: z.strictObject({}),
  /** A recorded vehicle goes on from a later second of its trace. */
  skip: z.strictObject({ toS: z.number().nonnegative().max(1e9) }),
  stop: z.strictObject({})
} as const

export type AdminMethod = keyof typeof ADMIN_METHODS
export type AdminParameters<M extends AdminMethod> = z.infer<(typeof ADMIN_METHODS)[M]>

/** What a running peer says of itself. */
export interface AdminStatus extends PeerStatus {
  /** The account that signs its awards, hex; null while its car is away. */
  readonly account: string | null
  readonly pid: number
  readonly dataFolder: string
  readonly story: CarStory
}

/** When a car last came and went, by its vehicle's clock, and why, in its owner's words. */
export interface CarStory {
  readonly joined: { readonly reason: string; readonly atUnixMs: number } | null
  readonly left: { readonly reason: string; readonly atUnixMs: number } | null
}

/** What each request is answered with. */
export interface AdminResults {
  readonly status: AdminStatus
  readonly peers: readonly FoundPeer[]
  readonly ping: { readonly roundTripMs: number }
  readonly drive: AdminStatus
  readonly park: AdminStatus
  readonly skip: null
  readonly stop: null
}

export const requestSchema = z.strictObject({ method: z.enum(Object.keys(ADMIN_METHODS) as [AdminMethod, ...AdminMethod[]]), parameters: z.unknown() })

export const replySchema = z.union([
  z.strictObject({ result: z.unknown() }),
  z.strictObject({ error: z.strictObject({ code: z.enum(ERROR_CODES), message: z.string() }) })
])

/** JSON of one line, or `ERR_BAD_FRAME`. */
export function parseLine(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (cause) {
    throw new MotorpoolError('ERR_BAD_FRAME', 'a line on the administration socket is not JSON; send one JSON object a line', { cause })
  }
}
