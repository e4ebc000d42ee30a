import type { ToldSignal } from '../signal-board.ts'
import { decodeTeslaField, isRecord, parseJson } from './tesla-fields.ts'

/** 17 characters, without I, O and Q (ISO 3779). */
export const VIN_FORM = /^[A-HJ-NPR-Z0-9]{17}$/

const CONNECTIVITY = 'Vehicle.Connectivity.IsConnectivityAvailable'

/** What is known of the car's own connection to Tesla's telemetry. */
export interface TeslaSession {
  readonly isConnected: boolean
  readonly connectionId?: string
  /** Fields told since the car connected. */
  readonly told: ReadonlySet<string>
}

export type TeslaMessage =
  | { readonly type: 'field'; readonly field: string; readonly payload: string }
  | { readonly type: 'connectivity'; readonly payload: string }
  /** Nothing came for so long that the word that it disconnected may be lost. */
  | { readonly type: 'silence' }

export type TeslaEffect =
  /** `isFresh`: it connected anew, so that what it told before counts no longer. */
  | { readonly type: 'tell'; readonly told: readonly ToldSignal[]; readonly isFresh: boolean }
  | { readonly type: 'lose'; readonly why: string }
  | { readonly type: 'ignore' }

export const UNHEARD: TeslaSession = { isConnected: false, told: new Set() }

/**
 * One message of the car. Messages are unordered and may be lost: any value shows that the car is connected, and the first sign
 * of a new connection forgets what was told before, since changes in between weren't heard.
 */
export function teslaStep(session: TeslaSession, message: TeslaMessage): [TeslaSession, TeslaEffect] {
  switch (message.type) {
    case 'silence':
      return [UNHEARD, { type: 'lose', why: 'the car has told nothing for too long; set resend_interval_seconds in its telemetry configuration' }]
    case 'connectivity': {
      const { isConnected, connectionId } = readConnectivity(message.payload)
      if (isConnected === undefined) return [UNHEARD, { type: 'lose', why: "the car's connectivity came in an unknown form" }]
      if (isConnected) {
        const isSame = session.isConnected && (session.connectionId === undefined || connectionId === undefined || session.connectionId === connectionId)
        const told = [{ path: CONNECTIVITY, value: true }] as const
        return [
          { isConnected, connectionId: connectionId ?? (isSame ? session.connectionId : undefined), told: isSame ? session.told : new Set() },
          { type: 'tell', told, isFresh: !isSame }
        ]
      }
      // The end of an earlier connection, told after the beginning of this one.
      if (connectionId !== undefined && session.connectionId !== undefined && connectionId !== session.connectionId) return [session, { type: 'ignore' }]
      return [UNHEARD, { type: 'lose', why: "the car is not connected to Tesla's telemetry" }]
    }
    case 'field': {
      const told = decodeTeslaField(message.field, message.payload)
      const isFresh = !session.isConnected
      const next = { ...session, isConnected: true, told: new Set(isFresh ? [] : session.told).add(message.field) }
      // Both tell the charge; Soc is what the battery has, BatteryLevel what the screen shows of it.
      const isOutranked = message.field === 'BatteryLevel' && !isFresh && session.told.has('Soc')
      return [next, { type: 'tell', told: isOutranked ? [] : told, isFresh }]
    }
  }
}

/** `{"Status": "CONNECTED", "ConnectionId": "…"}`, or the status alone; names and case differ among versions. */
function readConnectivity(payload: string): { readonly isConnected?: boolean; readonly connectionId?: string } {
  const value = parseJson(payload)
  const find = (name: string): unknown =>
    isRecord(value) ? Object.entries(value).find(([key]) => key.toLowerCase().replace('_', '') === name)?.[1] : undefined
  const status = typeof value === 'string' ? value : find('status')
  const id = find('connectionid')
  const name = typeof status === 'string' ? status.toLowerCase() : ''
  const isConnected = name === 'connected' ? true : name === 'disconnected' ? false : undefined
  return { isConnected, ...(typeof id === 'string' ? { connectionId: id } : {}) }
}
