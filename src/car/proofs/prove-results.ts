import type { CarJournal } from '../../ledger/store/car-journal.ts'
import { isMotorpoolError, MotorpoolError } from '../../protocol/errors.ts'
import { fromHex, type LeaseId } from '../../protocol/ids.ts'
import type { Clock } from '../../protocol/signer.ts'
import type { TaskHead } from '../../protocol/transfer.ts'
import { proofDueMs } from './proof-due.ts'
import { encodedLeaf, type LeaseContext, type ProvableResult, sendResult } from './provable-result.ts'
import { resultsDueMs } from './results-due.ts'
import { createRootSigner, type SignedRoot, type Unproven } from './sign-roots.ts'

export interface ProverInit {
  readonly journal: CarJournal
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Tasks of a lease that the car has still to run. */
  readonly open: (lease: LeaseId) => number
  /** As many of them keep every worker busy, with one more ready in each. */
  readonly enough: () => number
  /** A receipt that can't be given: its task is to be told as failed. */
  readonly onRefused: (context: LeaseContext, head: TaskHead, error: MotorpoolError) => void
}

export interface Prover {
  /** Notes that a task of a lease came, before it counts as open. */
  came: (lease: LeaseId) => void
  /**
   * Sends a result when `resultsDueMs` says so. Where `proofDueMs` says that those which go are to be proven at once their receipts
   * go along; else the results go first and one signature covers them and those that come until then. Resolves when it is sent;
   * rejects when the connection fails or the receipt can't be given.
   */
  send: (context: LeaseContext, provable: ProvableResult) => Promise<void>
  /** Sends and signs what is waiting, of all leases, for a departure. */
  flush: () => void
  /** A lease that is over. */
  forget: (lease: LeaseId) => void
}

/** A client that had more tasks at once is taken to do so for this long. */
const LATELY_MS = 250

/** A result that is ready to go. */
interface Held {
  readonly context: LeaseContext
  readonly provable: ProvableResult
  readonly sent: PromiseWithResolvers<void>
}

/** A lease's results on their way to a proof. */
interface Proving {
  held: Held[]
  heldBytes: number
  heldMs: number
  /** Gone, and not proven. */
  leaves: Unproven[]
  firstMs: number
  gapMs: number
  lastMs: number
  most: number
  mostMs: number
  cameMs: number
  provenMs: number
  timer: NodeJS.Timeout | undefined
  timerAtMs: number
}

/** Journals each leaf before it is signed, and never signs two for one attempt. */
export function createProver({ journal, clock, signal, open, enough, onRefused }: ProverInit): Prover {
  const provings = new Map<LeaseId, Proving>()
  const signer = createRootSigner({ journal, clock })

  const leafOf = (context: LeaseContext, provable: ProvableResult): Uint8Array =>
    encodedLeaf(context, provable, journal.nextSeq(fromHex(context.lease)), clock.unixMs())

  function provingOf(lease: LeaseId): Proving {
    const known = provings.get(lease)
    if (known !== undefined) return known
    const never = Number.NEGATIVE_INFINITY
    const proving: Proving = {
      held: [],
      heldBytes: 0,
      heldMs: 0,
      leaves: [],
      firstMs: 0,
      gapMs: 0,
      lastMs: never,
      most: 0,
      mostMs: never,
      cameMs: never,
      provenMs: never,
      timer: undefined,
      timerAtMs: 0
    }
    provings.set(lease, proving)
    return proving
  }

  function came(lease: LeaseId): void {
    const proving = provingOf(lease)
    const nowMs = clock.monotonicMs()
    const here = proving.held.length + proving.leaves.length + open(lease) + 1
    proving.cameMs = nowMs
    if (here < proving.most && nowMs - proving.mostMs <= LATELY_MS) return
    proving.most = here
    proving.mostMs = nowMs
  }

  const dueMs = (lease: LeaseId, proving: Proving, waiting: number, nowMs: number): number =>
    proofDueMs({ ...proving, waiting, open: open(lease), enough: enough(), costMs: signer.costMs() }, nowMs)

  function send(context: LeaseContext, provable: ProvableResult): Promise<void> {
    const { lease } = context
    const proving = provingOf(lease)
    const sent = Promise.withResolvers<void>()
    if (proving.held.length === 0) proving.heldMs = clock.monotonicMs()
    proving.held.push({ context, provable, sent })
    for (const { data } of Object.values(provable.result.output.tensors)) proving.heldBytes += data.byteLength
    goOn(lease, proving)
    return sent.promise
  }

  function sendHeld(lease: LeaseId, proving: Proving): void {
    const { held } = proving
    proving.held = []
    proving.heldBytes = 0
    const nowMs = clock.monotonicMs()
    if (proving.leaves.length === 0) {
      proving.firstMs = nowMs
      proving.gapMs = nowMs - proving.lastMs
    }
    proving.lastMs = nowMs
    const waiting = held.length + proving.leaves.length
    const isDue = dueMs(lease, proving, waiting, nowMs) <= nowMs
    const [first] = held
    if (isDue && waiting === 1 && first !== undefined) void settleAs(first.sent, () => sendProven(first, proving))
    else if (isDue) sendWithProofs(proving, held)
    else void sendAhead(lease, proving, held)
  }

  /** The results go now, their proofs later. */
  async function sendAhead(lease: LeaseId, proving: Proving, held: readonly Held[]): Promise<void> {
    const gone = held.map(({ context, provable, sent }) =>
      settleAs(sent, async () => {
        const leaf = leafOf(context, provable)
        await sendResult(context, provable, undefined, signal)
        const { head } = provable
        proving.leaves.push({ context, leaf, head, refuse: error => onRefused(context, head, error) })
      })
    )
    await Promise.all(gone)
    goOn(lease, proving)
  }

  /** One turn, and so one write to the network, for several results and what proves them and those before them. */
  function sendWithProofs(proving: Proving, held: readonly Held[]): void {
    const due = new Map<Uint8Array, Held>()
    for (const each of held) {
      try {
        due.set(leafOf(each.context, each.provable), each)
      } catch (error) {
        each.sent.reject(error)
      }
    }
    const unproven = [...due].map(([leaf, { context, provable, sent }]): Unproven => ({ context, leaf, head: provable.head, refuse: sent.reject }))
    const roots = signAll(proving, [...proving.leaves.splice(0), ...unproven])
    for (const { leaves } of roots)
      for (const leaf of leaves) {
        const each = due.get(leaf)
        if (each !== undefined) void settleAs(each.sent, () => sendResult(each.context, each.provable, undefined, signal))
      }
    for (const root of roots) tell(root)
  }

  async function sendProven({ context, provable }: Held, proving: Proving): Promise<void> {
    const leaf = leafOf(context, provable)
    let refusal: MotorpoolError | undefined
    const [root] = signAll(proving, [{ context, leaf, head: provable.head, refuse: error => (refusal = error) }])
    if (root === undefined) throw refusal ?? new MotorpoolError('ERR_BAD_RECEIPT', 'a flush came out empty; this is a defect, report it')
    await sendResult(context, provable, { flush: root.flush, leaf, index: 0, path: [] }, signal)
  }

  /** Sends and proves what is due, and comes back when more will be. */
  function goOn(lease: LeaseId, proving: Proving): void {
    const nowMs = clock.monotonicMs()
    if (proving.held.length > 0) {
      const sendMs = resultsDueMs({ ...proving, held: proving.held.length, open: open(lease), enough: enough() }, nowMs)
      if (sendMs <= nowMs) sendHeld(lease, proving)
      else comeBack(lease, proving, sendMs, nowMs)
    }
    if (proving.leaves.length > 0) {
      const proveMs = dueMs(lease, proving, proving.leaves.length, nowMs)
      if (proveMs <= nowMs) prove(proving)
      else comeBack(lease, proving, proveMs, nowMs)
    }
    // Else the car would wake for nothing.
    if (proving.held.length === 0 && proving.leaves.length === 0) stopWaiting(proving)
  }

  function comeBack(lease: LeaseId, proving: Proving, atMs: number, nowMs: number): void {
    if (proving.timer !== undefined && proving.timerAtMs <= atMs) return
    stopWaiting(proving)
    proving.timerAtMs = atMs
    proving.timer = setTimeout(
      () => {
        proving.timer = undefined
        goOn(lease, proving)
      },
      Math.ceil(atMs - nowMs)
    )
  }

  function stopWaiting(proving: Proving): void {
    clearTimeout(proving.timer)
    proving.timer = undefined
  }

  function prove(proving: Proving): void {
    for (const root of signAll(proving, proving.leaves.splice(0))) tell(root)
  }

  function signAll(proving: Proving, due: readonly Unproven[]): readonly SignedRoot[] {
    const roots = signer.signAll(due)
    if (roots.length > 0) proving.provenMs = clock.monotonicMs()
    return roots
  }

  function tell({ context: { link, lease }, flush, leaves }: SignedRoot): void {
    try {
      link.send({ type: 'receipts', lease: fromHex(lease), flush, leaves: [...leaves] })
    } catch (error) {
      if (!isMotorpoolError(error, 'ERR_LINK_CLOSED')) throw error
    }
  }

  function finish(lease: LeaseId, proving: Proving): void {
    if (proving.held.length > 0) sendHeld(lease, proving)
    prove(proving)
  }

  function flush(): void {
    for (const [lease, proving] of provings) finish(lease, proving)
  }

  function forget(lease: LeaseId): void {
    const proving = provings.get(lease)
    if (proving === undefined) return
    finish(lease, proving)
    provings.delete(lease)
  }

  return { came, send, flush, forget }
}

async function settleAs(settled: PromiseWithResolvers<void>, work: () => Promise<void>): Promise<void> {
  try {
    await work()
    settled.resolve()
  } catch (error) {
    settled.reject(error)
  }
}
