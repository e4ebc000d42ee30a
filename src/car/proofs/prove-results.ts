import type { TaskEnergy } from '../../energy/task-energy.ts'
import type { NumericsClass, RunResult } from '../../inference/runner.ts'
import { signFlush } from '../../ledger/flush.ts'
import { encodeLeaf, type Leaf, wholeMinute } from '../../ledger/leaf.ts'
import { type Price, priceOf } from '../../ledger/price.ts'
import type { CarJournal } from '../../ledger/store/car-journal.ts'
import type { Link } from '../../mesh/mesh.ts'
import { saltedDigest } from '../../protocol/digest.ts'
import { isMotorpoolError, MotorpoolError } from '../../protocol/errors.ts'
import { cidToBytes, fromHex, type LeaseId, type ModelCid } from '../../protocol/ids.ts'
import type { Clock, Signer } from '../../protocol/signer.ts'
import type { ResultHead, TaskHead } from '../../protocol/transfer.ts'
import { proofDueMs } from './proof-due.ts'

/** What all receipts of a lease share. */
export interface LeaseContext {
  readonly link: Link
  readonly lease: LeaseId
  readonly model: ModelCid
  /** The client's account, raw. */
  readonly client: Uint8Array
  readonly account: Signer
  readonly numerics: NumericsClass
  readonly price: Price
}

export interface ProvableResult {
  readonly head: TaskHead
  readonly result: RunResult
  /** Microseconds from admission until the run began, the runner's own queue included. */
  readonly queuedUs: number
  readonly energy: TaskEnergy
}

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
   * Sends a result. Where `proofDueMs` says that it is to be proven at once its receipt goes along; else the result goes first and
   * one signature covers it and those that come until then. Rejects when the connection fails or the receipt can't be given.
   */
  send: (context: LeaseContext, provable: ProvableResult) => Promise<void>
  /** Signs what is waiting, of all leases, for a departure. */
  flush: () => void
  /** A lease that is over. */
  forget: (lease: LeaseId) => void
}

/** The part of a result that comes in one. */
const WHOLE = 0
/** What each task counts as. */
export const UNITS = { items: 1, tokensIn: 0, tokensOut: 0 } as const
/** A client that had more tasks at once is taken to do so for this long. */
const LATELY_MS = 250
/** A root's cost before one was measured, ms, and each one's share in the running mean. */
const USUAL_COST_MS = 0.5
const MEAN_SHARE = 0.1

/** A lease's results on their way to a proof. */
interface Proving {
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

  function leafOf({ lease, price }: LeaseContext, { head, result, queuedUs, energy }: ProvableResult): Uint8Array {
    const leaf: Leaf = {
      seq: journal.nextSeq(fromHex(lease)),
      task: head.task,
      attempt: head.attempt,
      part: WHOLE,
      input: head.input,
      output: saltedDigest('output', head.salt, result.digest),
      tokens: null,
      together: result.together,
      units: UNITS,
      times: { at: wholeMinute(clock.unixMs() / 1000), queuedUs, ranUs: result.ranUs },
      energy,
      price: priceOf(price, UNITS)
    }
    return encodeLeaf(leaf)
  }

  const headerOf = ({ client, lease, model, numerics }: LeaseContext) => ({ client, lease: fromHex(lease), model: cidToBytes(model), class: numerics })

  function provingOf(lease: LeaseId): Proving {
    const known = provings.get(lease)
    if (known !== undefined) return known
    const never = Number.NEGATIVE_INFINITY
    const proving: Proving = {
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
    const here = proving.leaves.length + open(lease) + 1
    proving.cameMs = nowMs
    if (here < proving.most && nowMs - proving.mostMs <= LATELY_MS) return
    proving.most = here
    proving.mostMs = nowMs
  }

  const dueMs = (lease: LeaseId, proving: Proving, waiting: number, nowMs: number): number =>
    proofDueMs({ ...proving, waiting, open: open(lease), enough: enough(), costMs }, nowMs)

  async function send(context: LeaseContext, provable: ProvableResult): Promise<void> {
    const { head, result } = provable
    const { lease } = context
    const leaf = leafOf(context, provable)
    const proving = provingOf(lease)
    const nowMs = clock.monotonicMs()
    if (proving.leaves.length === 0) {
      proving.firstMs = nowMs
      proving.gapMs = nowMs - proving.lastMs
    }
    proving.lastMs = nowMs
    if (proving.leaves.length === 0 && dueMs(lease, proving, 1, nowMs) <= nowMs) {
      journal.recordLeaf(context.account.publicKey, head.task, WHOLE, head.attempt, leaf)
      const { flush, leaves, proofs } = signFlush(context.account, headerOf(context), [leaf])
      noteProven(proving, nowMs)
      const [bytes] = leaves
      const [proof] = proofs
      if (bytes === undefined || proof === undefined) throw new MotorpoolError('ERR_BAD_RECEIPT', 'a flush came out empty; this is a defect, report it')
      return sendTensors(context, head, result, { flush, leaf: bytes, index: proof.index, path: [...proof.path] })
    }
    await sendTensors(context, head, result, undefined)
    proving.leaves.push({ context, leaf, head })
    proveWhenDue(lease)
  }

  function sendTensors({ link, lease }: LeaseContext, { task, attempt }: TaskHead, { output }: RunResult, proof: ResultHead['proof']): Promise<void> {
    const tensors = Object.entries(output.tensors)
    const head: ResultHead = {
      type: 'result',
      lease: fromHex(lease),
      task,
      attempt,
      part: 0,
      kind: output.kind,
      parameters: { ...output.parameters },
      tensors: tensors.map(([name, { type, dims, data }]) => [name, type, [...dims], data.byteLength]),
      ...(proof === undefined ? {} : { proof })
    }
    return link.transfer(
      head,
      tensors.map(([, { data }]) => data),
      { signal }
    )
  }

  function proveWhenDue(lease: LeaseId): void {
    const proving = provings.get(lease)
    if (proving === undefined || proving.leaves.length === 0) return
    const nowMs = clock.monotonicMs()
    const atMs = dueMs(lease, proving, proving.leaves.length, nowMs)
    if (atMs <= nowMs) return prove(lease, proving)
    if (proving.timer !== undefined && proving.timerAtMs <= atMs) return
    clearTimeout(proving.timer)
    proving.timerAtMs = atMs
    proving.timer = setTimeout(
      () => {
        proving.timer = undefined
        proveWhenDue(lease)
      },
      Math.ceil(atMs - nowMs)
    )
  }

  function prove(lease: LeaseId, proving: Proving): void {
    clearTimeout(proving.timer)
    proving.timer = undefined
    const startedMs = clock.monotonicMs()
    const due = proving.leaves
    proving.leaves = []
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

  function flush(): void {
    for (const [lease, proving] of provings) prove(lease, proving)
  }

  function forget(lease: LeaseId): void {
    const proving = provings.get(lease)
    if (proving === undefined) return
    prove(lease, proving)
    provings.delete(lease)
  }

  return { came, send, flush, forget }
}
