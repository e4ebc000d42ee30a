import type { z } from 'zod'
import { type Announcement, announcementSchema, type Beacon, beaconSchema, type Capacity, capacitySchema } from './announcement.ts'
import { decodeCbor, encodeCbor } from './cbor.ts'
import { type Award, awardSchema, type Binding, bindingSchema, type Offer, offerSchema } from './control.ts'
import type { Shape } from './encoding/shape.ts'
import { decodeShaped, encodeShape } from './encoding/shape-codec.ts'
import { MotorpoolError } from './errors.ts'
import { equalBytes, fromHex, peerIdOfKey, peerIdToBytes } from './ids.ts'
import { LIMITS } from './limits.ts'
import { type Signer, verifySignature } from './signer.ts'

/** What an envelope held: the value, and the raw Ed25519 key (32 bytes) that signed it. */
export interface Opened<T> {
  readonly value: T
  readonly publicKey: Uint8Array
}

export interface OpenOptions<T> {
  readonly object: string
  readonly schema: z.ZodType<T>
  readonly limit: number
  /** Reads what comes often. */
  readonly shape?: Shape
}

/** Protobuf tags of libp2p's `Envelope` (RFC 0002, signed envelopes), and the key field up to the raw key. */
const PUBLIC_KEY_HEAD = fromHex('0a2408011220')
const PAYLOAD_TYPE_TAG = 0x12
const PAYLOAD_TAG = 0x1a
const SIGNATURE_HEAD = fromHex('2a40')

/**
 * Signs dag-cbor of `value` in a libp2p envelope (the bytes of `RecordEnvelope`), domain and payload type
 * `motorpool/<object>/1`. A `shape` writes what is sealed often.
 */
export function sealEnvelope(signer: Signer, object: string, value: unknown, shape?: Shape): Uint8Array {
  const type = payloadType(object)
  const payload = (shape === undefined ? undefined : encodeShape(shape, value)) ?? encodeCbor(value)
  const signature = signer.sign(signedBytes(type, payload))
  return concat([
    PUBLIC_KEY_HEAD,
    signer.publicKey,
    Uint8Array.of(PAYLOAD_TYPE_TAG),
    varint(type.length),
    type,
    Uint8Array.of(PAYLOAD_TAG),
    varint(payload.length),
    payload,
    SIGNATURE_HEAD,
    signature
  ])
}

/**
 * Opens what `sealEnvelope` wrote, and no other spelling of it. `limit` counts the whole envelope. Throws `ERR_TOO_LARGE`,
 * `ERR_BAD_ENCODING`, `ERR_BAD_SIGNATURE` (another object's domain, an unusable key, a wrong signature) and `ERR_SCHEMA`.
 */
export function openEnvelope<T>(bytes: Uint8Array, options: OpenOptions<T>): Opened<T> {
  const { object, schema, limit, shape } = options
  if (bytes.byteLength > limit)
    throw new MotorpoolError('ERR_TOO_LARGE', `the signed ${object} has ${bytes.byteLength} bytes, at most ${limit} are allowed; send less`)
  const fields = readEnvelope(bytes, object)
  const type = payloadType(object)
  if (!equalBytes(fields.type, type)) throw new MotorpoolError('ERR_BAD_SIGNATURE', `the signed object is not a ${object}; send one of type ${type.toString()}`)
  if (!verifySignature(fields.publicKey, signedBytes(type, fields.payload), fields.signature))
    throw new MotorpoolError('ERR_BAD_SIGNATURE', `the signature of the ${object} is wrong; it was changed or signed by another key`)
  const value = shape === undefined ? decodeCbor(fields.payload, schema, limit) : decodeShaped(fields.payload, shape, schema, limit)
  return { value, publicKey: fields.publicKey }
}

/** An announcement, signed by the peer that it names as client. */
export function openAnnouncement(bytes: Uint8Array): Opened<Announcement> {
  return ownedBy(openEnvelope(bytes, { object: 'announcement', schema: announcementSchema, limit: LIMITS.announcement }), value => value.client)
}

/** A presence beacon; the key that signed it is the car's. */
export function openBeacon(bytes: Uint8Array): Opened<Beacon> {
  return openEnvelope(bytes, { object: 'beacon', schema: beaconSchema, limit: LIMITS.beacon })
}

/** Whether bytes claim to be a presence beacon, unchecked: tells how to open what came on a shard topic. */
export function looksLikeBeacon(bytes: Uint8Array): boolean {
  const type = payloadType('beacon')
  const at = PUBLIC_KEY_HEAD.length + 32 + 2
  return bytes.byteLength <= LIMITS.beacon && bytes[at - 1] === type.length && equalBytes(bytes.subarray(at, at + type.length), type)
}

/** A capacity record, signed by the peer that it names. */
export function openCapacity(bytes: Uint8Array): Opened<Capacity> {
  return ownedBy(openEnvelope(bytes, { object: 'capacity', schema: capacitySchema, limit: LIMITS.capacityRecord }), value => value.peer)
}

/** An offer, signed by the peer that it names as car. */
export function openOffer(bytes: Uint8Array): Opened<Offer> {
  return ownedBy(openEnvelope(bytes, { object: 'offer', schema: offerSchema, limit: LIMITS.signedMessage }), value => value.car)
}

/** A binding, signed by the account that it names. */
export function openBinding(bytes: Uint8Array): Opened<Binding> {
  return ownedBy(openEnvelope(bytes, { object: 'binding', schema: bindingSchema, limit: LIMITS.signedMessage }), value => value.account)
}

/** An award, signed by the account that it names as client. */
export function openAward(bytes: Uint8Array): Opened<Award> {
  return ownedBy(openEnvelope(bytes, { object: 'award', schema: awardSchema, limit: LIMITS.signedMessage }), value => value.client)
}

/** `owner` names the signer: a raw account key (32 bytes) or a peer id. */
function ownedBy<T>(opened: Opened<T>, owner: (value: T) => Uint8Array): Opened<T> {
  const named = owner(opened.value)
  const signer = named.length === 32 ? opened.publicKey : peerIdToBytes(peerIdOfKey(opened.publicKey))
  if (!equalBytes(named, signer))
    throw new MotorpoolError('ERR_BAD_SIGNATURE', 'a message is signed by another key than the one that it names; sign it with its own')
  return opened
}

function payloadType(object: string): Buffer {
  return Buffer.from(`motorpool/${object}/1`, 'utf8')
}

/** What is signed: domain, payload type and payload, each after its length (RFC 0002). Our domain equals the payload type. */
function signedBytes(type: Uint8Array, payload: Uint8Array): Uint8Array {
  return concat([varint(type.length), type, varint(type.length), type, varint(payload.length), payload])
}

interface EnvelopeFields {
  readonly publicKey: Uint8Array
  readonly type: Uint8Array
  readonly payload: Uint8Array
  readonly signature: Uint8Array
}

function readEnvelope(bytes: Uint8Array, object: string): EnvelopeFields {
  let at = 0
  const refuse = (): never => {
    throw new MotorpoolError('ERR_BAD_ENCODING', `the signed ${object} is cut off or not a libp2p envelope in its one encoding; send it whole and unchanged`)
  }
  const take = (length: number): Uint8Array => {
    if (at + length > bytes.byteLength) refuse()
    at += length
    return bytes.subarray(at - length, at)
  }
  const expect = (head: Uint8Array): void => {
    if (!equalBytes(take(head.length), head)) refuse()
  }
  const takeField = (tag: number): Uint8Array => {
    expect(Uint8Array.of(tag))
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = take(1)[0] ?? 0
      // Four bytes reach 2²⁸, far above every limit; a last byte of zero would be a second spelling of the same length.
      if (shift > 21 || (byte === 0 && shift > 0)) refuse()
      length += (byte & 0x7f) << shift
      if (byte < 0x80) return take(length)
    }
  }
  expect(PUBLIC_KEY_HEAD)
  const publicKey = take(32)
  const type = takeField(PAYLOAD_TYPE_TAG)
  const payload = takeField(PAYLOAD_TAG)
  expect(SIGNATURE_HEAD)
  const signature = take(64)
  if (at !== bytes.byteLength) refuse()
  return { publicKey: new Uint8Array(publicKey), type, payload, signature }
}

/** Unsigned LEB128, as protobuf writes lengths. */
function varint(value: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Uint8Array.from([...bytes, rest])
    bytes.push((rest & 0x7f) | 0x80)
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}
