import { signFlush } from '../../ledger/flush.ts'
import type { CarJournal } from '../../ledger/store/car-journal.ts'
import { isMotorpoolError, MotorpoolError } from '../../protocol/errors.ts'
import { fromHex, type LeaseId } from '../../protocol/ids.ts'
import type { Clock } from '../../protocol/signer.ts'
import type { TaskHead } from '../../protocol/transfer.ts'
import { LEAVES_MOST, proofDueMs } from './proof-due.ts'
import { encodedLeaf, headerOf, type LeaseContext, type ProvableResult, sendResult, WHOLE } from './provable-result.ts'
import { resultsDueMs } from './results-due.ts'

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
   * Sends a result when `resultsDueMs` says so. Where `proofDueMs` says that it is to be proven at once its receipt goes along; else
   * the result goes first and one signature covers it and those that come until then. Resolves when it is sent; rejects when the
   * connection fails or the receipt can't be given.
   */
  send: (context: LeaseContext, provable: ProvableResult) => Promise<void>
  /** Sends and signs what is waiting, of all leases, for a departure. */
  flush: () => void
  /** A lease that is over. */
  forget: (lease: LeaseId) => void
}

/** A client that had more tasks at once is taken to do so for this long. */
const LATELY_MS = 250
/** A root's cost before one was measured, ms, and each one's share in the running mean. */
const USUAL_COST_MS = 0.5
const MEAN_SHARE = 0.1

/** A lease's results on their way to a proof. */
interface Proving {
  /** Ready to go. */
  held: { readonly context: LeaseContext; readonly provable: ProvableResult; readonly sent: PromiseWithResolvers<void> }[]
  heldBytes: number
  heldMs: number
  /** Gone, and not proven. */
  leaves: { readonly context: LeaseContext; readonly leaf: Uint8Array; readonly head: TaskHead }[]
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
  let costMs = USUAL_COST_MS

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
    proofDueMs({ ...proving, waiting, open: open(lease), enough: enough(), costMs }, nowMs)

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

  async function sendHeld(lease: LeaseId, proving: Proving): Promise<void> {
    const { held } = proving
    proving.held = []
    proving.heldBytes = 0
    const nowMs = clock.monotonicMs()
    if (proving.leaves.length === 0) {
      proving.firstMs = nowMs
      proving.gapMs = nowMs - proving.lastMs
    }
    proving.lastMs = nowMs
    const [first] = held
    if (first !== undefined && held.length + proving.leaves.length === 1 && dueMs(lease, proving, 1, nowMs) <= nowMs) {
      return settleAs(first.sent, () => sendProven(first.context, first.provable, proving))
    }
    const gone = held.map(async ({ context, provable, sent }) => {
      await settleAs(sent, async () => {
        const leaf = leafOf(context, provable)
        await sendResult(context, provable, undefined, signal)
        proving.leaves.push({ context, leaf, head: provable.head })
      })
    })
    await Promise.all(gone)
    goOn(lease, proving)
  }

  async function sendProven(context: LeaseContext, provable: ProvableResult, proving: Proving): Promise<void> {
    const { head } = provable
    const startedMs = clock.monotonicMs()
    const leaf = leafOf(context, provable)
    journal.recordLeaf(context.account.publicKey, head.task, WHOLE, head.attempt, leaf)
    const { flush, leaves, proofs } = signFlush(context.account, headerOf(context), [leaf])
    noteProven(proving, startedMs)
    const [bytes] = leaves
    const [proof] = proofs
    if (bytes === undefined || proof === undefined) throw new MotorpoolError('ERR_BAD_RECEIPT', 'a flush came out empty; this is a defect, report it')
    await sendResult(context, provable, { flush, leaf: bytes, index: proof.index, path: [...proof.path] }, signal)
  }

  /** Sends and proves what is due, and comes back when more will be. */
  function goOn(lease: LeaseId, proving: Proving): void {
    const nowMs = clock.monotonicMs()
    if (proving.held.length > 0) {
      const sendMs = resultsDueMs({ ...proving, held: proving.held.length, open: open(lease), enough: enough() }, nowMs)
      if (sendMs <= nowMs) void sendHeld(lease, proving)
      else comeBack(lease, proving, sendMs, nowMs)
    }
    if (proving.leaves.length > 0) {
      const proveMs = dueMs(lease, proving, proving.leaves.length, nowMs)
      if (proveMs <= nowMs) prove(lease, proving)
      else comeBack(lease, proving, proveMs, nowMs)
    }
  }

  function comeBack(lease: LeaseId, proving: Proving, atMs: number, nowMs: number): void {
    if (proving.timer !== undefined && proving.timerAtMs <= atMs) return
    clearTimeout(proving.timer)
    proving.timerAtMs = atMs
    proving.timer = setTimeout(
      () => {
        proving.timer = undefined
        goOn(lease, proving)
      },
      Math.ceil(atMs - nowMs)
    )
  }

  function prove(lease: LeaseId, proving: Proving): void {
    while (proving.leaves.length > 0) proveSome(lease, proving, proving.leaves.splice(0, LEAVES_MOST))
  }

  function proveSome(lease: LeaseId, proving: Proving, due: Proving['leaves']): void {
    const startedMs = clock.monotonicMs()
    const context = due[0]?.context
    if (context === undefined) return
    const sound = journalled(due)
    if (sound.length === 0 || context.link.closed) return
    const { flush, leaves } = signFlush(context.account, headerOf(context), sound)
    noteProven(proving, startedMs)
    try {
      context.link.send({ type: 'receipts', lease: fromHex(lease), flush, leaves: [...leaves] })
    } catch (error) {
      if (!isMotorpoolError(error, 'ERR_LINK_CLOSED')) throw error
    }
  }

  function noteProven(proving: Proving, startedMs: number): void {
    proving.provenMs = clock.monotonicMs()
    costMs += (proving.provenMs - startedMs - costMs) * MEAN_SHARE
  }

  /** The leaves that are on disk now: all by one write, or each by itself when one of them may not be signed. */
  function journalled(leaves: Proving['leaves']): Uint8Array[] {
    const recordOf = ({ context, leaf, head: { task, attempt } }: Proving['leaves'][number]) => ({
      account: context.account.publicKey,
      task,
      part: WHOLE,
      attempt,
      leaf
    })
    try {
      journal.recordLeaves(leaves.map(recordOf))
      return leaves.map(({ leaf }) => leaf)
    } catch {
      return leaves.flatMap(each => {
        try {
          journal.recordLeaves([recordOf(each)])
          return [each.leaf]
        } catch (error) {
          if (!isMotorpoolError(error)) throw error
          onRefused(each.context, each.head, error)
          return []
        }
      })
    }
  }

  function finish(lease: LeaseId, proving: Proving): void {
    if (proving.held.length > 0) void sendHeld(lease, proving)
    prove(lease, proving)
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
