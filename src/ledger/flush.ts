import { z } from 'zod'
import { bytes, bytesUpTo, extension } from '../protocol/announcement.ts'
import { byteString, literal, record, seldom, text as textThat, unsigned } from '../protocol/encoding/shape.ts'
import { type Opened, openEnvelope, sealEnvelope } from '../protocol/envelope.ts'
import { MotorpoolError } from '../protocol/errors.ts'
import { equalBytes } from '../protocol/ids.ts'
import { LIMITS } from '../protocol/limits.ts'
import type { Signer } from '../protocol/signer.ts'
import { encodeLeaf, type Leaf } from './leaf.ts'
import { type InclusionProof, treeProofs } from './merkle.ts'

const LONGEST_TEXT = 64
const LARGEST_TREE = 2 ** 31
const text = z.string().max(LONGEST_TEXT)

/** The hardware and software that decide a result's bits; equal but for `threads` means bit-equal results. */
export const numericsClassSchema = z.strictObject({ ep: text, ort: text, arch: text, isa: text, opt: text, device: text, threads: z.int().nonnegative() })

/** What a car signs over one or many leaves of one lease. Payload type `motorpool/flush/1`, signed by the car account. */
export const flushSchema = z.strictObject({
  v: z.literal(1),
  /** Raw account keys. */
  client: bytes(32),
  car: bytes(32),
  /** sha256 of the signed award. */
  lease: bytes(32),
  /** The model's CID. */
  model: bytesUpTo(64),
  class: numericsClassSchema,
  /** Root of the tree over `size` leaves. */
  root: bytes(32),
  size: z.int().min(1).max(LARGEST_TREE),
  ext: extension
})
export type Flush = z.infer<typeof flushSchema>

const word = textThat(value => value.length <= LONGEST_TEXT)
const hash = byteString(32)
export const flushShape = record<Flush>({
  v: literal(1),
  client: hash,
  car: hash,
  lease: hash,
  model: byteString(0, 64),
  class: record<Flush['class']>({ ep: word, ort: word, arch: word, isa: word, opt: word, device: word, threads: unsigned() }),
  root: hash,
  size: unsigned(1, LARGEST_TREE),
  ext: seldom
})

/** What is the same in all of a lease's flushes. */
export type FlushHeader = Pick<Flush, 'client' | 'lease' | 'model' | 'class'>

export interface SignedFlush {
  /** The envelope. */
  readonly flush: Uint8Array
  /** Each leaf's dag-cbor, in the order given. */
  readonly leaves: readonly Uint8Array[]
  readonly proofs: readonly InclusionProof[]
}

/** Signs leaves, or what `encodeLeaf` made of them, as one tree. Journal each leaf before. Throws `ERR_SCHEMA` when there is none or one doesn't fit. */
export function signFlush(carSigner: Signer, header: FlushHeader, leaves: readonly (Leaf | Uint8Array)[]): SignedFlush {
  if (leaves.length === 0) throw new MotorpoolError('ERR_SCHEMA', 'a flush holds no leaf; sign at least one')
  const encoded = leaves.map(leaf => (leaf instanceof Uint8Array ? leaf : encodeLeaf(leaf)))
  const { root, proofs } = treeProofs(encoded)
  const { client, lease, model, class: numerics } = header
  const flush: Flush = { v: 1, client, car: carSigner.publicKey, lease, model, class: numerics, root, size: leaves.length }
  return { flush: sealEnvelope(carSigner, 'flush', flush, flushShape), leaves: encoded, proofs }
}

/** A flush, signed by the account that it names as car; throws as `openEnvelope`. */
export function openFlush(envelope: Uint8Array): Opened<Flush> {
  const opened = openEnvelope(envelope, { object: 'flush', schema: flushSchema, limit: LIMITS.signedMessage, shape: flushShape })
  if (!equalBytes(opened.value.car, opened.publicKey))
    throw new MotorpoolError('ERR_BAD_SIGNATURE', 'a flush is signed by another account than the car that it names; ask its car for the right one')
  return opened
}
