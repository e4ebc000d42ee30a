import type { Binding } from '../protocol/control.ts'
import { saltedDigest, type ValueParts, valueDigest } from '../protocol/digest.ts'
import { openBinding } from '../protocol/envelope.ts'
import { isMotorpoolError, MotorpoolError } from '../protocol/errors.ts'
import { type AccountId, cidFromBytes, equalBytes, type LeaseId, type ModelCid, type PeerId, peerIdFromBytes, type TaskId, toHex } from '../protocol/ids.ts'
import { type Flush, openFlush } from './flush.ts'
import { decodeLeaf, type Leaf } from './leaf.ts'
import { isIncluded } from './merkle.ts'
import { type Receipt, readReceipt } from './receipt.ts'

/** What a receipt file says, parted into what its signatures and hashes prove and what its car merely declared. */
export interface ReceiptReport {
  readonly carAccount: AccountId
  /** The car's peer id on that day. */
  readonly carPeer: PeerId
  readonly clientAccount: AccountId
  readonly lease: LeaseId
  readonly model: ModelCid
  readonly task: TaskId
  readonly attempt: number
  readonly part: number
  readonly seq: number
  /** Whether the salt was removed, so that input and output can't be checked. */
  readonly redacted: boolean
  /** Sentences for a reader. */
  readonly proved: readonly string[]
  /** Only the car's word. */
  readonly declared: Pick<Flush, 'class'> & Pick<Leaf, 'together' | 'tokens' | 'units' | 'times' | 'energy' | 'price'>
}

export interface ReceiptValues {
  readonly input?: ValueParts
  readonly output?: ValueParts
}

/**
 * Verifies a receipt file with nothing but the file and the keys in it; with `input` or `output` also that it is about
 * them. Throws `ERR_BAD_RECEIPT` naming the part that is wrong: the frame, the flush, the leaf, the proof, the binding, the
 * opening, the input or the output.
 */
export function verifyReceipt(file: Uint8Array, values: ReceiptValues = {}): ReceiptReport {
  const { receipt, intact } = readReceipt(file)
  const flush = within('the flush', () => openFlush(receipt.flush).value)
  const leaf = within('the leaf', () => decodeLeaf(receipt.leaf))
  if (!isIncluded(receipt.leaf, receipt.proof, flush.size, flush.root)) throw bad('the leaf or its proof was changed: the signed tree does not hold it')
  const binding = within('the binding', () => openBinding(receipt.binding).value)
  if (!equalBytes(binding.account, flush.car)) throw bad("the binding is another account's than the one that signed the flush")
  if (!equalBytes(binding.client, flush.client)) throw bad('the binding is for another client than the flush')
  if (!intact) throw bad('the opening (the salt) or the checksum was changed: the checksum does not fit, though every signature does')
  const proved = [
    `car account ${toHex(flush.car)} signed it, for client account ${toHex(flush.client)}`,
    `the signature covers this task, attempt, model, input, output and price (leaf ${receipt.proof.index + 1} of ${flush.size})`,
    `that account bound itself to peer ${nameOfPeer(binding)} for that client`,
    ...provedValues(receipt, leaf, values)
  ]
  return { ...reportIds(flush, binding, leaf), redacted: receipt.opening === null, proved, declared: declarations(flush, leaf) }
}

function provedValues(receipt: Receipt, leaf: Leaf, values: ReceiptValues): string[] {
  const sides = (['input', 'output'] as const).filter(side => values[side] !== undefined)
  return sides.map(side => {
    const value = values[side]
    if (receipt.opening === null || value === undefined)
      throw bad(`the opening was removed, so the ${side} cannot be checked; ask for the receipt with its salt`)
    const digest = within(`the ${side} given`, () => saltedDigest(side, receipt.opening?.salt ?? new Uint8Array(), valueDigest(value)))
    if (!equalBytes(digest, leaf[side])) throw bad(`the ${side} given is not the one that the receipt is about`)
    return side === 'input' ? 'the input given is what the car was asked to run' : 'the output given is what the car answered'
  })
}

function reportIds(
  flush: Flush,
  binding: Binding,
  leaf: Leaf
): Pick<ReceiptReport, 'carAccount' | 'carPeer' | 'clientAccount' | 'lease' | 'model' | 'task' | 'attempt' | 'part' | 'seq'> {
  return {
    carAccount: toHex(flush.car) as AccountId,
    carPeer: nameOfPeer(binding),
    clientAccount: toHex(flush.client) as AccountId,
    lease: toHex(flush.lease) as LeaseId,
    model: within('the flush', () => cidFromBytes(flush.model)),
    task: toHex(leaf.task) as TaskId,
    attempt: leaf.attempt,
    part: leaf.part,
    seq: leaf.seq
  }
}

function declarations(flush: Flush, leaf: Leaf): ReceiptReport['declared'] {
  const { together, tokens, units, times, energy, price } = leaf
  return { class: flush.class, together, tokens, units, times, energy, price }
}

function nameOfPeer(binding: Binding): PeerId {
  return within('the binding', () => peerIdFromBytes(binding.peer))
}

function within<T>(part: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!isMotorpoolError(cause)) throw cause
    throw bad(`${part} is wrong: ${cause.message}`, cause)
  }
}

function bad(what: string, cause?: Error): MotorpoolError {
  const advice = what.includes(';') ? '' : '; get the receipt again from its client'
  return new MotorpoolError('ERR_BAD_RECEIPT', `${what}${advice}`, { cause })
}
