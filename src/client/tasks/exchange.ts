import { checkResult, createFlushCache, type ReadLeaf } from '../../ledger/check-result.ts'
import { decodeLeaf } from '../../ledger/leaf.ts'
import { treeProofs } from '../../ledger/merkle.ts'
import type { Price } from '../../ledger/price.ts'
import type { Receipt } from '../../ledger/receipt.ts'
import type { Link } from '../../mesh/mesh.ts'
import { saltedDigest, valueDigest } from '../../protocol/digest.ts'
import { MotorpoolError } from '../../protocol/errors.ts'
import type { PeerId, TaskId } from '../../protocol/ids.ts'
import type { Tensor, Value } from '../../protocol/tensor.ts'
import { type ResultHead, readTensors } from '../../protocol/transfer.ts'

/** One sending of a task to one car. */
export interface Attempt {
  readonly task: TaskId
  readonly taskBytes: Uint8Array
  readonly attempt: number
  readonly leaseBytes: Uint8Array
  readonly car: PeerId
  readonly salt: Uint8Array
  /** The input's salted digest. */
  readonly input: Uint8Array
}

/** Sends a task's input; resolves when the connection has taken it. */
export function sendAttempt(link: Link, attempt: Attempt, value: Value, timeLeftMs: number, signal: AbortSignal): Promise<void> {
  const tensors = Object.entries(value.tensors)
  return link.transfer(
    {
      type: 'task',
      lease: attempt.leaseBytes,
      task: attempt.taskBytes,
      attempt: attempt.attempt,
      salt: attempt.salt,
      input: attempt.input,
      deadlineMs: Math.max(1, Math.floor(timeLeftMs)),
      kind: value.kind,
      parameters: { ...value.parameters },
      tensors: tensors.map(([name, { type, dims, data }]) => [name, type, [...dims], data.byteLength])
    },
    tensors.map(([, { data }]) => data),
    { signal }
  )
}

/** Outputs as they came, before anything is known of their receipt. */
export interface ArrivedResult {
  readonly part: number
  readonly outputs: Readonly<Record<string, Tensor>>
  /** Salted digest that this side computed. */
  readonly output: Uint8Array
}

/** Reads a result's outputs, on memory of their own. Throws `ERR_BAD_ENCODING` when they are not what the head says. */
export function readResult(head: ResultHead, payload: readonly Uint8Array[], salt: Uint8Array): ArrivedResult {
  const outputs = readTensors(head.tensors, payload, 'own')
  const output = saltedDigest('output', salt, valueDigest({ kind: head.kind, parameters: head.parameters, tensors: outputs }))
  return { part: head.part, outputs, output }
}

export interface ExpectedResult {
  readonly attempt: Attempt
  readonly carAccount: Uint8Array
  readonly clientAccount: Uint8Array
  /** CID bytes. */
  readonly model: Uint8Array
  readonly binding: Uint8Array
  readonly price: Price
}

/** A proof as it came, and what is known of its leaf when it came with a whole flush. */
export type ResultProof = NonNullable<ResultHead['proof']> & { readonly read?: ReadLeaf }
export type FlushProof = ResultProof & { readonly read: ReadLeaf }

/** What a proof that holds gives. */
export interface ProvenResult {
  readonly receipt: Receipt
  /** As the car declares them. */
  readonly queuedUs: number
  readonly ranUs: number
}

const flushes = createFlushCache()

/** Checks a result against its receipt. Throws `ERR_BAD_RESULT` that names what is wrong. */
export function proveResult(proof: ResultProof, arrived: ArrivedResult, expected: ExpectedResult): ProvenResult {
  const { attempt } = expected
  const verdict = checkResult(
    proof,
    {
      car: expected.carAccount,
      client: expected.clientAccount,
      lease: attempt.leaseBytes,
      model: expected.model,
      task: attempt.taskBytes,
      attempt: attempt.attempt,
      part: arrived.part,
      input: attempt.input,
      output: arrived.output,
      price: expected.price
    },
    flushes,
    proof.read
  )
  if (!verdict.accepted) throw new MotorpoolError('ERR_BAD_RESULT', `${verdict.reason}; the task goes to another car`)
  const receipt: Receipt = {
    flush: proof.flush,
    leaf: proof.leaf,
    proof: { index: proof.index, path: proof.path },
    binding: expected.binding,
    opening: { salt: attempt.salt }
  }
  return { receipt, queuedUs: verdict.leaf.times.queuedUs, ranUs: verdict.leaf.times.ranUs }
}

/** The proof of each leaf of a flush that came after its results. Throws when a leaf can't be read. */
export function proofsOf(flush: Uint8Array, leaves: readonly Uint8Array[]): FlushProof[] {
  const { root, proofs } = treeProofs(leaves)
  const ofLeaves: FlushProof[] = []
  for (const [position, leaf] of leaves.entries()) {
    const proof = proofs[position]
    if (proof !== undefined)
      ofLeaves.push({ flush, leaf, index: proof.index, path: [...proof.path], read: { leaf: decodeLeaf(leaf), root, size: leaves.length } })
  }
  return ofLeaves
}
