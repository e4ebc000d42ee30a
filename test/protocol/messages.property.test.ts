import { describe, expect, it } from 'vitest'
import type { z } from 'zod'
import { decodeCbor, encodeCbor } from '../../src/protocol/cbor.ts'
import { controlSchema, decodeControl, encodeControl } from '../../src/protocol/control.ts'
import { openAnnouncement, openAward, openBeacon, openBinding, openCapacity, openOffer, sealEnvelope } from '../../src/protocol/envelope.ts'
import { equalBytes } from '../../src/protocol/ids.ts'
import { LIMITS } from '../../src/protocol/limits.ts'
import { signerFromSeed } from '../../src/protocol/signer.ts'
import { decodeTransferHead, encodeTransferHead, transferSchema } from '../../src/protocol/transfer.ts'
import { expectGolden, expectRefused, refusalOf } from '../fixtures/wire/golden.ts'
import { control, seed, signed, transfers } from '../fixtures/wire/samples.ts'

const REFUSALS = ['ERR_BAD_ENCODING', 'ERR_BAD_SIGNATURE', 'ERR_SCHEMA', 'ERR_TOO_LARGE']
const openers = { announcement: openAnnouncement, capacity: openCapacity, offer: openOffer, binding: openBinding, award: openAward, beacon: openBeacon }
const objects = Object.entries(signed).map(([object, { value, signer }]) => ({ object, value, signer, open: openers[object as keyof typeof signed] }))

describe.each(objects)('a signed $object', ({ object, value, signer, open }) => {
  const sealed = sealEnvelope(signer, object, value)

  it('opens as it was sealed', () => {
    expect(open(sealed)).toEqual({ value, publicKey: signer.publicKey })
  })

  it('is refused when cut off anywhere', () => {
    for (let length = 0; length < sealed.length; length++) expectRefused(() => open(sealed.subarray(0, length)), 'ERR_BAD_ENCODING')
  })

  it('is refused when a bit of any byte flips', () => {
    for (let at = 0; at < sealed.length; at++) {
      const flipped = sealed.map((byte, index) => (index === at ? byte ^ (1 << (at % 8)) : byte))
      expectRefused(() => open(flipped), ...REFUSALS)
    }
  })

  it('is refused with an unknown key, an unknown version or a missing field', () => {
    expectRefused(() => open(sealEnvelope(signer, object, { ...value, extra: 1 })), 'ERR_SCHEMA')
    for (const v of [0, 2, '1', null]) expectRefused(() => open(sealEnvelope(signer, object, { ...value, v })), 'ERR_SCHEMA')
    for (const field of Object.keys(value))
      expectRefused(() => open(sealEnvelope(signer, object, Object.fromEntries(Object.entries(value).filter(([name]) => name !== field)))), 'ERR_SCHEMA')
  })

  it('carries ext unread', () => {
    const ext = { x: [1, { y: null }] }
    expect(open(sealEnvelope(signer, object, { ...value, ext })).value.ext).toEqual(ext)
  })

  it('is refused when signed by another key than the one that it names; a beacon names nobody but its key', () => {
    const stranger = signerFromSeed(seed('stranger'))
    if (object === 'beacon') expect(open(sealEnvelope(stranger, object, value)).publicKey).toEqual(stranger.publicKey)
    else expectRefused(() => open(sealEnvelope(stranger, object, value)), 'ERR_BAD_SIGNATURE')
  })

  it('is refused as any other object', () => {
    for (const other of objects) {
      if (other.object !== object) expectRefused(() => other.open(sealed), 'ERR_BAD_SIGNATURE', 'ERR_TOO_LARGE')
    }
  })
})

describe.each([
  ...Object.entries(control).map(([name, value]) => ({
    name: `control ${name}`,
    value,
    schema: controlSchema as z.ZodType<unknown>,
    limit: LIMITS.controlFrame
  })),
  ...Object.entries(transfers).map(([name, value]) => ({
    name: `transfer ${name}`,
    value,
    schema: transferSchema as z.ZodType<unknown>,
    limit: LIMITS.transferHead
  }))
])('$name', ({ value, schema, limit }) => {
  const bytes = encodeCbor(value)

  it('decodes as it was encoded', () => {
    expect(decodeCbor(bytes, schema, limit)).toEqual(value)
  })

  it('is refused when cut off anywhere, and answered with a value or a typed error when a bit flips', () => {
    for (let at = 0; at < bytes.length; at++) {
      expectRefused(() => decodeCbor(bytes.subarray(0, at), schema, limit), 'ERR_BAD_ENCODING')
      const flipped = bytes.map((byte, index) => (index === at ? byte ^ (1 << (at % 8)) : byte))
      let read: unknown
      const refusal = refusalOf(() => {
        read = decodeCbor(flipped, schema, limit)
      })
      if (refusal === undefined) expect(equalBytes(encodeCbor(read), flipped)).toBe(true)
      else expect(REFUSALS).toContain(refusal.code)
    }
  })

  it('is refused with an unknown key, an unknown type or without a field', () => {
    expectRefused(() => decodeCbor(encodeCbor({ ...value, extra: 1 }), schema, limit), 'ERR_SCHEMA')
    expectRefused(() => decodeCbor(encodeCbor({ ...value, type: 'later' }), schema, limit), 'ERR_SCHEMA')
    const optional = ['account', 'nonce', 'capacity', 'shards', 'ext', 'proof']
    for (const field of Object.keys(value).filter(name => !optional.includes(name))) {
      expectRefused(() => decodeCbor(encodeCbor(Object.fromEntries(Object.entries(value).filter(([name]) => name !== field))), schema, limit), 'ERR_SCHEMA')
    }
  })
})

describe('on the wire', () => {
  it('announcements fit their limit', () => {
    expect(sealEnvelope(signed.announcement.signer, 'announcement', signed.announcement.value).length).toBeLessThanOrEqual(LIMITS.announcement)
  })

  it('beacons fit their limit at any depth, with the longest addresses', () => {
    const longest = [new Uint8Array(128), new Uint8Array(128)]
    const deepest = { ...signed.beacon.value, shard: 32, leaf: 32, away: true, addresses: longest, issued: 2 ** 32 }
    expect(sealEnvelope(signed.beacon.signer, 'beacon', deepest).length).toBeLessThanOrEqual(LIMITS.beacon)
  })

  it('signed objects have the golden bytes', () => {
    expectGolden('signed', Object.fromEntries(objects.map(({ object, value, signer }) => [object, sealEnvelope(signer, object, value)])))
  })

  it('control frames have the golden bytes', () => {
    expectGolden('control', Object.fromEntries(Object.entries(control).map(([name, value]) => [name, encodeCbor(value)])))
  })

  it('transfer heads have the golden bytes', () => {
    expectGolden('transfer', Object.fromEntries(Object.entries(transfers).map(([name, value]) => [name, encodeCbor(value)])))
  })
})

describe('what has a shape', () => {
  const room = new Uint8Array(8)

  it.each(Object.entries(transfers))('is sent and read as the library does: transfer %s', (_, head) => {
    const encoded = encodeTransferHead(head, room)
    expect(encoded).toStrictEqual(new Uint8Array([...room, ...encodeCbor(head)]))
    expect(decodeTransferHead(encoded.subarray(room.length))).toEqual(head)
  })

  it.each(Object.entries(control))('is sent and read as the library does: control %s', (_, message) => {
    const encoded = encodeControl(message)
    expect(encoded).toStrictEqual(encodeCbor(message))
    expect(decodeControl(encoded)).toEqual(message)
  })

  it('is refused by size, encoding and field with the errors of the library', () => {
    const { task } = transfers
    if (task?.type !== 'task') throw new Error('no sample of a task')
    const bytes = encodeCbor(task)
    expectRefused(() => decodeTransferHead(new Uint8Array(LIMITS.transferHead + 1)), 'ERR_TOO_LARGE')
    expectRefused(() => decodeTransferHead(new Uint8Array()), 'ERR_BAD_ENCODING')
    expectRefused(() => decodeTransferHead(Uint8Array.from([...bytes, 0])), 'ERR_BAD_ENCODING')
    expect(() => decodeTransferHead(encodeCbor({ ...task, salt: new Uint8Array(31) }))).toThrow(/field salt .*32 bytes/)
    expect(() => encodeTransferHead({ ...task, salt: new Uint8Array(31) }, room)).toThrow(/field salt of a transfer .*32 bytes/)
    expectRefused(() => encodeTransferHead({ ...task, kind: '\uD800' }, room), 'ERR_BAD_ENCODING')
    expectRefused(() => decodeControl(encodeCbor({ ...control.receipts, leaves: [] })), 'ERR_SCHEMA')
    expectRefused(() => decodeControl(new Uint8Array(LIMITS.controlFrame + 1).fill(0xa4)), 'ERR_TOO_LARGE')
  })
})
