import type { Handler } from './handler.ts'

/** What a baseline's processes are told. */
export interface TransportOptions {
  /** Where the broker listens, for transports that have one. */
  readonly brokerPort: number
  /** Null: plain. Else everything goes over TLS, and clients check the certificate. */
  readonly certificate: Certificate | null
  /** Names the queue or subject. */
  readonly queue: string
  /** Jobs that a worker may take from a broker at once, so that it never waits for the next. */
  readonly jobsAtOnce: number
}

export interface Certificate {
  /** Paths of PEM files. */
  readonly certificateFile: string
  readonly keyFile: string
}

/** Sends one input and resolves with its output. */
export type Call = (input: Buffer) => Promise<Uint8Array>

/** One way to reach ORT workers, written as its library's documentation shows it. */
export interface Transport {
  /** In a worker process; resolves with the port that it listens on, or 0 when it takes its work from a broker. */
  readonly serve: (handler: Handler, options: TransportOptions) => Promise<number>
  /** In the client process. */
  readonly connect: (ports: readonly number[], options: TransportOptions) => Promise<Call>
}

/** For point-to-point transports: each call goes to the worker with the fewest in flight. */
export function toLeastBusy(calls: readonly Call[]): Call {
  const inFlight = calls.map(() => 0)
  return async input => {
    let pick = 0
    for (let at = 1; at < calls.length; at++) if (inFlight[at]! < inFlight[pick]!) pick = at
    inFlight[pick]!++
    try {
      return await calls[pick]!(input)
    } finally {
      inFlight[pick]!--
    }
  }
}
