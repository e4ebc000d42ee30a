import type { TaskEnergy } from '../energy/task-energy.ts'
import type { NumericsClass, RunResult } from '../inference/runner.ts'
import { signFlush } from '../ledger/flush.ts'
import { encodeLeaf, type Leaf, wholeMinute } from '../ledger/leaf.ts'
import { type Price, priceOf } from '../ledger/price.ts'
import type { CarJournal } from '../ledger/store/car-journal.ts'
import type { Link } from '../mesh/mesh.ts'
import { saltedDigest } from '../protocol/digest.ts'
import { isMotorpoolError, MotorpoolError } from '../protocol/errors.ts'
import { cidToBytes, fromHex, type LeaseId, type ModelCid } from '../protocol/ids.ts'
import type { Signer } from '../protocol/signer.ts'
import type { ResultHead, TaskHead } from '../protocol/transfer.ts'

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
  readonly unixMs: () => number
  readonly signal: AbortSignal
  /** A receipt that can't be given: its task is to be told as failed. */
  readonly onRefused: (context: LeaseContext, head: TaskHead, error: MotorpoolError) => void
}

export interface Prover {
  /**
   * Sends a result. With nothing else of its lease under way its receipt goes along; else the result goes first and one
   * signature covers the receipts of the next 20 ms. Rejects when the connection fails or the receipt can't be given.
   */
  send: (context: LeaseContext, provable: ProvableResult, alone: boolean) => Promise<void>
  /** Signs what is waiting, for a departure. */
  flush: () => void
}

/** Receipts wait this long for others: a fiftieth of the CPU that single signatures cost under load, and no delay that a block would notice. */
const FLUSH_MS = 20
/** The part of a result that comes in one. */
const WHOLE = 0
/** What each task counts as. */
export const UNITS = { items: 1, tokensIn: 0, tokensOut: 0 } as const
/** Leaves of one flush: as many as fit a control frame. */
const LEAVES_MOST = 40

interface Waiting {
  readonly context: LeaseContext
  readonly leaves: { readonly leaf: Uint8Array; readonly head: TaskHead }[]
  readonly timer: NodeJS.Timeout
}

/** Journals each leaf before it is signed, and never signs two for one attempt. */
export function createProver({ journal, unixMs, signal, onRefused }: ProverInit): Prover {
  const waiting = new Map<LeaseId, Waiting>()

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
      times: { at: wholeMinute(unixMs() / 1000), queuedUs, ranUs: result.ranUs },
      energy,
      price: priceOf(price, UNITS)
    }
    return encodeLeaf(leaf)
  }

  const headerOf = ({ client, lease, model, numerics }: LeaseContext) => ({ client, lease: fromHex(lease), model: cidToBytes(model), class: numerics })

  async function send(context: LeaseContext, provable: ProvableResult, alone: boolean): Promise<void> {
    const { head, result } = provable
    const leaf = leafOf(context, provable)
    if (alone && !waiting.has(context.lease)) {
      journal.recordLeaf(context.account.publicKey, head.task, WHOLE, head.attempt, leaf)
      const { flush, leaves, proofs } = signFlush(context.account, headerOf(context), [leaf])
      const [bytes] = leaves
      const [proof] = proofs
      if (bytes === undefined || proof === undefined) throw new MotorpoolError('ERR_BAD_RECEIPT', 'a flush came out empty; this is a defect, report it')
      return sendTensors(context, head, result, { flush, leaf: bytes, index: proof.index, path: [...proof.path] })
    }
    await sendTensors(context, head, result, undefined)
    enqueue(context, leaf, head)
    if (alone || (waiting.get(context.lease)?.leaves.length ?? 0) >= LEAVES_MOST) flushLease(context.lease)
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

  function enqueue(context: LeaseContext, leaf: Uint8Array, head: TaskHead): void {
    const known = waiting.get(context.lease)
    if (known !== undefined) known.leaves.push({ leaf, head })
    else waiting.set(context.lease, { context, leaves: [{ leaf, head }], timer: setTimeout(() => flushLease(context.lease), FLUSH_MS) })
  }

  function flushLease(lease: LeaseId): void {
    const due = waiting.get(lease)
    if (due === undefined) return
    waiting.delete(lease)
    clearTimeout(due.timer)
    const { context } = due
    const sound = journalled(due)
    if (sound.length === 0 || context.link.closed) return
    const { flush, leaves } = signFlush(context.account, headerOf(context), sound)
    try {
      context.link.send({ type: 'receipts', lease: fromHex(lease), flush, leaves: [...leaves] })
    } catch (error) {
      if (!isMotorpoolError(error, 'ERR_LINK_CLOSED')) throw error
    }
  }

  /** The leaves that are on disk now: all by one write, or each by itself when one of them may not be signed. */
  function journalled({ context, leaves }: Waiting): Uint8Array[] {
    const recordOf = ({ leaf, head: { task, attempt } }: Waiting['leaves'][number]) => ({
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
          onRefused(context, each.head, error)
          return []
        }
      })
    }
  }

  return {
    send,
    flush: () => {
      for (const lease of [...waiting.keys()]) flushLease(lease)
    }
  }
}
