import { expect, it } from 'vitest'
import { isAllowed } from '../../src/models/model-policy.ts'
import { cidOf, toHex } from '../../src/protocol/ids.ts'

const publisher = new Uint8Array(32).fill(1)
const cid = cidOf(new Uint8Array(1))
const model = { cid, publisher }

it('allows nothing by an empty policy', () => {
  expect(isAllowed({}, model)).toBe(false)
  expect(isAllowed({ publishers: [], models: [] }, model)).toBe(false)
})

it('allows a listed model of any publisher', () => {
  expect(isAllowed({ models: [cid] }, model)).toBe(true)
  expect(isAllowed({ models: [cidOf(new Uint8Array(2))] }, model)).toBe(false)
})

it('allows every model of a listed publisher', () => {
  expect(isAllowed({ publishers: [toHex(publisher)] }, model)).toBe(true)
  expect(isAllowed({ publishers: [toHex(new Uint8Array(32))] }, model)).toBe(false)
})
