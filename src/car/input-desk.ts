import type { Link, TransferBody } from '../mesh/mesh.ts'
import { MotorpoolError } from '../protocol/errors.ts'
import { type LeaseId, type TaskId, toHex } from '../protocol/ids.ts'
import type { Clock } from '../protocol/signer.ts'
import type { Value } from '../protocol/tensor.ts'
import type { TaskHead } from '../protocol/transfer.ts'
import type { CarWork } from './car-state.ts'
import { readTask } from './read-task.ts'

/** What names an attempt on a car. */
export interface NamedAttempt {
  readonly lease: LeaseId
  readonly task: TaskId
  readonly attempt: number
}

/** A task whose input is being taken. */
interface IncomingTask extends NamedAttempt {
  readonly link: Link
  readonly head: TaskHead
  readonly key: string
  readonly arrivedMs: number
  /** Ends what is done for it. */
  readonly stop: AbortController
}

/** A task whose input is here and is what its digest says. */
export interface TakenInput extends IncomingTask {
  readonly value: Value
}

export interface InputDeskInit {
  readonly clock: Clock
  /** The step's state now. */
  readonly work: () => CarWork
  /** Whether an attempt is here already, by its key. */
  readonly has: (key: string) => boolean
  /** Results of a lease that are on their way. */
  readonly sending: (lease: LeaseId) => number
  /** The tasks of a lease whose inputs are here. */
  readonly headsOf: (lease: LeaseId) => Iterable<TaskHead>
  readonly onTaken: (input: TakenInput) => void
  /** The client is to be told. */
  readonly refuse: (attempt: NamedAttempt & { readonly link: Link }, error: unknown) => void
}

/** Takes inputs off the network: nothing that its lease doesn't allow, and nothing twice. */
export interface InputDesk {
  admit: (link: Link, head: TaskHead, body: TransferBody) => void
  /** Stops reading an input that its client cancels. */
  cancel: (named: NamedAttempt) => void
  /** Stops reading all. */
  close: () => void
}

/** Bytes of inputs that one lease may have here beyond its first two tasks: twice what a client sends ahead. */
const LEASE_BYTES = 128 * 1024 * 1024
/** A lease's inputs below this never come to that. */
const SMALL_BYTES = 128 * 1024

export const keyOf = ({ lease, task, attempt }: NamedAttempt): string => `${lease}/${task}/${attempt}`

export function createInputDesk({ clock, work, has, sending, headsOf, onTaken, refuse }: InputDeskInit): InputDesk {
  const reading = new Map<string, AbortController>()

  function admit(link: Link, head: TaskHead, body: TransferBody): void {
    const named: NamedAttempt = { lease: toHex(head.lease) as LeaseId, task: toHex(head.task) as TaskId, attempt: head.attempt }
    const key = keyOf(named)
    if (reading.has(key) || has(key)) return body.discard()
    const flaw = flawOf(link, named.lease, body.byteLength)
    if (flaw !== undefined) {
      body.discard()
      return refuse({ ...named, link }, flaw)
    }
    const incoming: IncomingTask = { ...named, link, head, key, arrivedMs: clock.monotonicMs(), stop: new AbortController() }
    const payload = body.whole()
    if (payload === undefined) return void takeRest(incoming, body)
    try {
      take(incoming, payload)
    } catch (error) {
      refuse(incoming, error)
    }
  }

  /** Why a car doesn't take a task of this lease now. */
  function flawOf(link: Link, lease: LeaseId, byteLength: number): MotorpoolError | undefined {
    const because = (code: MotorpoolError['code'], message: string): MotorpoolError => new MotorpoolError(code, message, { retryable: true })
    const held = work().leases.get(lease)
    if (work().phase !== 'parked') return because('ERR_LEAVING', 'the vehicle departs; another car will do it')
    if (held?.client !== link.remote) return because('ERR_EXPIRED', 'no such lease is open here; ask for a new one')
    if (sending(lease) >= held.slots) return because('ERR_BUSY', 'results of earlier tasks wait to be read; read them first')
    if (!hasRoomFor(lease, byteLength)) return because('ERR_BUSY', `inputs of ${LEASE_BYTES} bytes wait here already; wait for a result`)
    return undefined
  }

  /** Takes an input whose last bytes are still to come. */
  async function takeRest(incoming: IncomingTask, body: TransferBody): Promise<void> {
    const { link, key, stop } = incoming
    reading.set(key, stop)
    try {
      const payload = await body.all({ signal: stop.signal })
      if (!stop.signal.aborted) take(incoming, payload)
    } catch (error) {
      if (!stop.signal.aborted && !link.closed) refuse(incoming, error)
    } finally {
      reading.delete(key)
    }
  }

  function take(incoming: IncomingTask, payload: readonly Uint8Array[]): void {
    onTaken({ ...incoming, value: readTask(incoming.head, payload) })
  }

  /** Bounds the memory that the waiting inputs of one client take; two tasks of any size always have room. */
  function hasRoomFor(lease: LeaseId, byteLength: number): boolean {
    if (byteLength < SMALL_BYTES) return true
    let bytes = byteLength
    let tasks = 0
    for (const { tensors } of headsOf(lease)) {
      tasks++
      for (const [, , , length] of tensors) bytes += length
    }
    return tasks < 2 || bytes <= LEASE_BYTES
  }

  return {
    admit,
    cancel: named => reading.get(keyOf(named))?.abort(),
    close: () => {
      for (const stop of reading.values()) stop.abort()
    }
  }
}
