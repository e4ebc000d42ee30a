import { createHash, hash } from 'node:crypto'
import { base32 } from 'multiformats/bases/base32'
import { base58btc } from 'multiformats/bases/base58'
import { MotorpoolError } from './errors.ts'

/** A libp2p peer id in its base58btc text form (`12D3Koo…`): a peer key, fresh at every join of a car. */
export type PeerId = string & { readonly brand: 'PeerId' }

/** CIDv1 (raw, sha2-256, base32) of a model's signed manifest. */
export type ModelCid = string & { readonly brand: 'ModelCid' }

/** A task's 16 bytes, 15 of them random, as 32 lower-case hex digits; ids that a client drew at once differ in the last byte alone, which counts them. */
export type TaskId = string & { readonly brand: 'TaskId' }

/** A raw Ed25519 account key (32 bytes), as 64 lower-case hex digits. */
export type AccountId = string & { readonly brand: 'AccountId' }

/** sha256 of a signed award, as 64 lower-case hex digits. */
export type LeaseId = string & { readonly brand: 'LeaseId' }

/** Lower-case hex of bytes; the text form of task, account and lease ids. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** Bytes of lower-case hex. */
export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'))
}

/** Whether two byte strings are equal. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && Buffer.compare(left, right) === 0
}

/** CIDv1, raw codec, sha2-256, 32 bytes (the multicodec table). */
const CID_HEAD = fromHex('01551220')
/** Identity multihash of 36 bytes: a protobuf key of type Ed25519 with 32 bytes (libp2p's peer id specification). */
const PEER_ID_HEAD = fromHex('002408011220')

/** sha256 of bytes, 32 bytes; parts are hashed as if they were one. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  if (length <= ONE_PIECE_BYTES)
    return ownBytes(hash('sha256', parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts, length), 'buffer'))
  const hasher = createHash('sha256')
  for (const part of parts) hasher.update(part)
  return ownBytes(hasher.digest())
}

/** Up to here a copy and one call cost less than a hash object that is fed part by part. */
const ONE_PIECE_BYTES = 4096

/** A plain view, because a Buffer in its place would be another type to those who compare or encode it. */
function ownBytes(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** CIDv1 of raw bytes with sha2-256, base32. */
export function cidOf(bytes: Uint8Array): ModelCid {
  return cidOfDigest(sha256(bytes))
}

/** The CID of bytes whose sha256 is known. */
export function cidOfDigest(digest: Uint8Array): ModelCid {
  return cidFromBytes(Buffer.concat([CID_HEAD, digest]))
}

/** A CID's text from its 36 bytes; throws `ERR_SCHEMA` unless it is CIDv1, raw, sha2-256. */
export function cidFromBytes(bytes: Uint8Array): ModelCid {
  if (!hasHead(bytes, CID_HEAD)) throw new MotorpoolError('ERR_SCHEMA', 'a CID is not CIDv1 raw sha2-256; use the CID that `motorpool model ls` shows')
  return base32.encode(bytes) as ModelCid
}

/** A CID's 36 bytes from its text; throws `ERR_SCHEMA` unless it is CIDv1, raw, sha2-256 in lower-case base32. */
export function cidToBytes(cid: string): Uint8Array {
  const bytes = decodeText(() => base32.decode(cid as `b${string}`))
  if (bytes === undefined || cidFromBytes(bytes) !== cid)
    throw new MotorpoolError('ERR_SCHEMA', 'a CID is not in lower-case base32; use the CID that `motorpool model ls` shows')
  return bytes
}

/** The peer id of a raw Ed25519 public key. */
export function peerIdOfKey(publicKey: Uint8Array): PeerId {
  return peerIdFromBytes(Buffer.concat([PEER_ID_HEAD, publicKey]))
}

/** The raw Ed25519 public key, 32 bytes, in a peer id; throws `ERR_SCHEMA` when it holds none. */
export function keyOfPeerId(peer: string): Uint8Array {
  return peerIdToBytes(peer).subarray(PEER_ID_HEAD.length)
}

/** A peer id's multihash, 38 bytes; throws `ERR_SCHEMA` unless it is an Ed25519 identity multihash. */
export function peerIdToBytes(peer: string): Uint8Array {
  const bytes = decodeText(() => base58btc.baseDecode(peer))
  if (bytes === undefined || peerIdFromBytes(bytes) !== peer) throw new MotorpoolError('ERR_SCHEMA', 'a peer id is not base58; use one like 12D3Koo…')
  return bytes
}

/** A peer id's text from its multihash; throws `ERR_SCHEMA` unless it is an Ed25519 identity multihash. */
export function peerIdFromBytes(bytes: Uint8Array): PeerId {
  if (!hasHead(bytes, PEER_ID_HEAD)) throw new MotorpoolError('ERR_SCHEMA', 'a peer id is not that of an Ed25519 key; use one like 12D3Koo…')
  return base58btc.baseEncode(bytes) as PeerId
}

/** Both ids end in 32 bytes of hash or key. */
function hasHead(bytes: Uint8Array, head: Uint8Array): boolean {
  return bytes.byteLength === head.length + 32 && equalBytes(bytes.subarray(0, head.length), head)
}

function decodeText(decode: () => Uint8Array): Uint8Array | undefined {
  try {
    return decode()
  } catch {
    return undefined
  }
}
