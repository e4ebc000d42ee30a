import type { TaskEnergy } from '../../energy/task-energy.ts'
import type { NumericsClass, RunResult } from '../../inference/runner.ts'
import type { FlushHeader } from '../../ledger/flush.ts'
import { encodeLeaf, type Leaf, wholeMinute } from '../../ledger/leaf.ts'
import { type Price, priceOf } from '../../ledger/price.ts'
import type { Link } from '../../mesh/mesh.ts'
import { saltedDigest } from '../../protocol/digest.ts'
import { cidToBytes, fromHex, type LeaseId, type ModelCid } from '../../protocol/ids.ts'
import type { Signer } from '../../protocol/signer.ts'
import type { ResultHead, TaskHead } from '../../protocol/transfer.ts'

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

/** The part of a result that comes in one. */
export const WHOLE = 0
/** What each task counts as. */
export const UNITS = { items: 1, tokensIn: 0, tokensOut: 0 } as const

/** What a car states of a result, as dag-cbor. @param seq - rises within the lease */
export function encodedLeaf({ price }: LeaseContext, { head, result, queuedUs, energy }: ProvableResult, seq: number, unixMs: number): Uint8Array {
  const leaf: Leaf = {
    seq,
    task: head.task,
    attempt: head.attempt,
    part: WHOLE,
    input: head.input,
    output: saltedDigest('output', head.salt, result.digest),
    tokens: null,
    together: result.together,
    units: UNITS,
    times: { at: wholeMinute(unixMs / 1000), queuedUs, ranUs: result.ranUs },
    energy,
    price: priceOf(price, UNITS)
  }
  return encodeLeaf(leaf)
}

export function headerOf({ client, lease, model, numerics }: LeaseContext): FlushHeader {
  return { client, lease: fromHex(lease), model: cidToBytes(model), class: numerics }
}

/** Resolves when it has been handed to the connection. */
export function sendResult(
  { link, lease }: LeaseContext,
  { head: { task, attempt }, result: { output } }: ProvableResult,
  proof: ResultHead['proof'],
  signal: AbortSignal
): Promise<void> {
  const tensors = Object.entries(output.tensors)
  const head: ResultHead = {
    type: 'result',
    lease: fromHex(lease),
    task,
    attempt,
    part: WHOLE,
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
