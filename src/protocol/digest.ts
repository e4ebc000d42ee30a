import { createHash } from 'node:crypto'
import { encodeCbor } from './cbor.ts'
import { sha256 } from './ids.ts'
import type { TensorType, Value } from './tensor.ts'

/** A tensor whose canonical bytes may come in parts, as they arrived. */
export interface TensorParts {
  readonly type: TensorType
  readonly dims: readonly number[]
  readonly data: Uint8Array | readonly Uint8Array[]
}

/** A value whose tensors may come in parts. */
export interface ValueParts extends Omit<Value, 'tensors'> {
  readonly tensors: Readonly<Record<string, TensorParts>>
}

const domain = (name: string): Uint8Array => Buffer.from(`motorpool/${name}/1`, 'utf8')
const TENSOR = domain('tensor')
const VALUE = domain('value')
const SALTED = { input: domain('input'), output: domain('output') } as const
const TOKENS = domain('tokens')

/** sha256("motorpool/tensor/1" ‖ dag-cbor([type, dims]) ‖ data), data as in `Tensor`; 32 bytes. */
export function tensorDigest(tensor: TensorParts): Uint8Array {
  const parts = tensor.data instanceof Uint8Array ? [tensor.data] : tensor.data
  return sha256(TENSOR, encodeCbor([tensor.type, tensor.dims]), ...parts)
}

/**
 * sha256("motorpool/value/1" ‖ dag-cbor([kind, parameters, [[name, tensorDigest], …]])), names sorted by their UTF-8 bytes;
 * 32 bytes. Throws `ERR_BAD_ENCODING` when a parameter is a float.
 */
export function valueDigest(value: ValueParts): Uint8Array {
  const names = Object.keys(value.tensors).sort((left, right) => Buffer.compare(Buffer.from(left, 'utf8'), Buffer.from(right, 'utf8')))
  const digests = names.map(name => [name, tensorDigest(value.tensors[name] as TensorParts)])
  return sha256(VALUE, encodeCbor([value.kind, value.parameters, digests]))
}

/** sha256("motorpool/input/1" or "motorpool/output/1" ‖ salt ‖ valueDigest): what receipts tell of a value; 32 bytes. */
export function saltedDigest(side: 'input' | 'output', salt: Uint8Array, digest: Uint8Array): Uint8Array {
  return sha256(SALTED[side], salt, digest)
}

/** The token chain's start: sha256("motorpool/tokens/1" ‖ salt ‖ valueDigest of the input); 32 bytes. */
export function tokensStart(salt: Uint8Array, digest: Uint8Array): Uint8Array {
  return sha256(TOKENS, salt, digest)
}

/** The token chain's next link: sha256(previous ‖ token as u32 little-endian); 32 bytes. */
export function tokensNext(previous: Uint8Array, token: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32LE(token)
  return new Uint8Array(createHash('sha256').update(previous).update(bytes).digest())
}
