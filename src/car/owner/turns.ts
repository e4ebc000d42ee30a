import { MotorpoolError } from '../../protocol/errors.ts'

export interface Departure {
  /** In the owner's words; clients aren't told. */
  readonly reason: string
  readonly secondsLeft: number
}

export interface TurnsInit<Session> {
  /** Must give up soon after the signal aborts, and leave nothing behind then. */
  readonly start: (signal: AbortSignal) => Promise<Session>
  /** Closes admission at once and hands back what doesn't fit; called again when another departure leaves less time. */
  readonly hurry: (session: Session, departure: Departure) => void
  /** Resolves when the session is over. */
  readonly end: (session: Session, departure: Departure) => Promise<void>
}

/** A car's comings and goings, one after another. */
export interface Turns<Session> {
  readonly session: () => Session | undefined
  /** Rejects with `ERR_LEAVING` when a departure came before it was there. */
  readonly enter: () => Promise<void>
  /** Breaks off a join under way, and shortens a departure under way. */
  readonly leave: (departure: Departure) => Promise<void>
}

/** Departures never wait for anything to begin: what is there hears of them at once, what isn't there yet is broken off. */
export function createTurns<Session>({ start, hurry, end }: TurnsInit<Session>): Turns<Session> {
  let session: Session | undefined
  let turn: Promise<void> = Promise.resolve()
  let staying = new AbortController()

  const inTurn = (act: () => Promise<void>): Promise<void> => {
    turn = turn.catch(() => undefined).then(act)
    return turn
  }

  return {
    session: () => session,
    enter: () => {
      const { signal } = staying
      return inTurn(async () => {
        if (session !== undefined) return
        if (signal.aborted) throw neededMeanwhile(undefined)
        const started = await start(signal).catch((error: unknown) => {
          throw signal.aborted ? neededMeanwhile(error) : error
        })
        session = started
        // The departure that aborted it comes next, and ends it.
        if (signal.aborted) throw neededMeanwhile(undefined)
      })
    },
    leave: departure => {
      staying.abort()
      staying = new AbortController()
      if (session !== undefined) hurry(session, departure)
      return inTurn(async () => {
        if (session === undefined) return
        try {
          await end(session, departure)
        } finally {
          session = undefined
        }
      })
    }
  }
}

function neededMeanwhile(cause: unknown): MotorpoolError {
  return new MotorpoolError('ERR_LEAVING', 'the vehicle was needed before the car had joined; park it again', { cause })
}
