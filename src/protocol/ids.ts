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

/** Ids have at most so many bytes. */
const MOST_ID_BYTES = 64
/** Short arrays lie in V8's heap; a view of one's memory would first move it out, which costs more than a copy. */
const id = new Uint8Array(MOST_ID_BYTES)
const idBuffer = Buffer.from(id.buffer)

/** Lower-case hex of bytes; the text form of task, account and lease ids. */
export function toHex(bytes: Uint8Array): string {
  const { length } = bytes
  if (length > MOST_ID_BYTES) return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('hex')
  for (let at = 0; at < length; at++) id[at] = bytes[at] ?? 0
  return idBuffer.toString('hex', 0, length)
}

/** Bytes of lower-case hex. */
export function fromHex(hex: string): Uint8Array {
  if (hex.length > 2 * MOST_ID_BYTES) return new Uint8Array(Buffer.from(hex, 'hex'))
  return id.slice(0, idBuffer.write(hex, 'hex'))
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
  const [first] = parts
  if (parts.length === 1 && first !== undefined) return bytesOfDigest(hash('sha256', first, 'binary'))
  let length = 0
  for (const part of parts) length += part.length
  if (length <= ONE_PIECE_BYTES) return bytesOfDigest(hash('sha256', joined(parts, length), 'binary'))
  const hasher = createHash('sha256')
  for (const part of parts) hasher.update(part)
  return bytesOfDigest(hasher.digest('binary'))
}

/** Up to here a copy and one call cost less than a hash object that is fed part by part. */
const ONE_PIECE_BYTES = 4096
const piece = new Uint8Array(ONE_PIECE_BYTES)

/** Parts as one, until the next call. */
function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  let at = 0
  for (const part of parts) {
    if (part.length > MOST_ID_BYTES) piece.set(part, at)
    else for (let index = 0; index < part.length; index++) piece[at + index] = part[index] ?? 0
    at += part.length
  }
  return piece.subarray(0, length)
}

/** Node makes a text of one character a byte in a third of the time that a Buffer takes. */
function bytesOfDigest(text: string): Uint8Array {
  const bytes = new Uint8Array(32)
  for (let at = 0; at < 32; at++) bytes[at] = text.charCodeAt(at)
  return bytes
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
