import { encodeCbor } from './cbor.ts'
import { dictionary } from './encoding/dictionary.ts'
import { byteString, list, type Shape, text, tuple, unsigned } from './encoding/shape.ts'
import { viewEncoded } from './encoding/shape-codec.ts'
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

const domain = (name: string): Uint8Array => new Uint8Array(Buffer.from(`motorpool/${name}/1`, 'utf8'))
const TENSOR = domain('tensor')
const VALUE = domain('value')
const SALTED = { input: domain('input'), output: domain('output') } as const
const TOKENS = domain('tokens')

const anyText = text(() => true)
const tensorShape = tuple(anyText, list(unsigned(), 0, Number.MAX_SAFE_INTEGER))
const valueShape = tuple(
  anyText,
  dictionary(() => true, Number.MAX_SAFE_INTEGER),
  list(tuple(anyText, byteString(32)), 0, Number.MAX_SAFE_INTEGER)
)

/** sha256("motorpool/tensor/1" ‖ dag-cbor([type, dims]) ‖ data), data as in `Tensor`; 32 bytes. */
export function tensorDigest(tensor: TensorParts): Uint8Array {
  const head = headed(TENSOR, tensorShape, [tensor.type, tensor.dims])
  return tensor.data instanceof Uint8Array ? sha256(head, tensor.data) : sha256(head, ...tensor.data)
}

/**
 * sha256("motorpool/value/1" ‖ dag-cbor([kind, parameters, [[name, tensorDigest], …]])), names sorted by their UTF-8 bytes;
 * 32 bytes. Throws `ERR_BAD_ENCODING` when a parameter is a float.
 */
export function valueDigest(value: ValueParts): Uint8Array {
  const names = Object.keys(value.tensors)
  if (names.length > 1) names.sort((left, right) => Buffer.compare(Buffer.from(left, 'utf8'), Buffer.from(right, 'utf8')))
  const digests = names.map(name => [name, tensorDigest(value.tensors[name] as TensorParts)])
  return sha256(headed(VALUE, valueShape, [value.kind, value.parameters, digests]))
}

/** A domain and a value's dag-cbor, until the next call. */
function headed(before: Uint8Array, shape: Shape, value: unknown): Uint8Array {
  return viewEncoded(shape, value, before) ?? Buffer.concat([before, encodeCbor(value)])
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
  return sha256(previous, bytes)
}
