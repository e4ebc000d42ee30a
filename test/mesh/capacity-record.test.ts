import { expect, test } from 'vitest'
import { capacityKey, capacitySelectors, capacityValidators, checkCapacity, newestCapacity } from '../../src/mesh/capacity-record.ts'
import type { Capacity } from '../../src/protocol/announcement.ts'
import { sealEnvelope } from '../../src/protocol/envelope.ts'
import { peerIdOfKey, peerIdToBytes } from '../../src/protocol/ids.ts'
import { signerFromSeed } from '../../src/protocol/signer.ts'

const signer = signerFromSeed(new Uint8Array(32).fill(1))
const stranger = signerFromSeed(new Uint8Array(32).fill(2))
const peer = peerIdOfKey(signer.publicKey)
const record = (issued: number, expires: number, by = signer, change: Partial<Capacity> = {}) =>
  sealEnvelope(by, 'capacity', {
    v: 1,
    peer: peerIdToBytes(peerIdOfKey(by.publicKey)),
    hardware: 'cpu-2',
    accelerator: 'none',
    slots: 1,
    models: [],
    away: false,
    issued,
    expires,
    ...change
  } satisfies Capacity)
const now = 1_800_000_000

test('a record holds from two minutes before it was issued to two minutes after it expires', () => {
  expect(checkCapacity(peer, record(now, now + 60), now)).toBe(now)
  expect(checkCapacity(peer, record(now + 120, now + 200), now)).toBe(now + 120)
  expect(checkCapacity(peer, record(now - 500, now - 120), now)).toBe(now - 500)
  expect(() => checkCapacity(peer, record(now + 121, now + 200), now)).toThrow(expect.objectContaining({ code: 'ERR_EXPIRED' }))
  expect(() => checkCapacity(peer, record(now - 500, now - 121), now)).toThrow(expect.objectContaining({ code: 'ERR_EXPIRED' }))
})

test('a record of another peer does not hold', () => {
  expect(() => checkCapacity(peer, record(now, now + 60, stranger), now)).toThrow(expect.objectContaining({ code: 'ERR_BAD_SIGNATURE' }))
  const claimed = record(now, now + 60, stranger, { peer: peerIdToBytes(peer) })
  expect(() => checkCapacity(peer, claimed, now)).toThrow(expect.objectContaining({ code: 'ERR_BAD_SIGNATURE' }))
})

test('the newest record that holds is chosen, in any order', () => {
  const [old, young, dead] = [record(now - 10, now + 60), record(now, now + 60), record(now - 900, now - 600)]
  const forged = record(now + 5, now + 60, stranger)
  for (const records of [
    [old, young, dead, forged],
    [forged, dead, young, old]
  ]) {
    expect(newestCapacity(peer, records, now)).toBe(young)
  }
  expect(newestCapacity(peer, [dead, forged, new Uint8Array(9)], now)).toBeUndefined()
})

test('the DHT asks the same questions', () => {
  const seconds = Math.floor(Date.now() / 1000)
  const [namespace, validator] = Object.entries(capacityValidators)[0] as [string, (typeof capacityValidators)[string]]
  const key = capacityKey(peer)
  expect(new TextDecoder().decode(key)).toBe(`/${namespace}/${peer}`)
  const [old, young] = [record(seconds - 10, seconds + 60), record(seconds, seconds + 60)]
  validator?.(key, young)
  expect(() => validator?.(capacityKey(peerIdOfKey(stranger.publicKey)), young)).toThrow()
  expect(capacitySelectors[namespace]?.(key, [old, young])).toBe(1)
  expect(capacitySelectors[namespace]?.(key, [young, old])).toBe(0)
})
