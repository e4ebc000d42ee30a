import { expect, test } from 'vitest'
import { KUKSA_METHODS } from '../../src/vehicle/kuksa/kuksa-schema.ts'
import { VAL_METHODS } from './kuksa-broker.ts'

const hex = (bytes: Buffer) => bytes.toString('hex')
const ascii = (text: string) => Buffer.from(text).toString('hex')

test('requests have the bytes that the field numbers of kuksa.val.v2 give', () => {
  const { GetValues, Subscribe } = KUKSA_METHODS
  expect(GetValues.path).toBe('/kuksa.val.v2.VAL/GetValues')
  expect(Subscribe.path).toBe('/kuksa.val.v2.VAL/Subscribe')
  // signal_ids = 1 (length 7): path = 2 (length 5)
  expect(hex(GetValues.requestSerialize({ signal_ids: [{ path: 'A.B.C' }] }))).toBe(`0a07${'1205'}${ascii('A.B.C')}`)
  expect(hex(Subscribe.requestSerialize({ signal_paths: ['A', 'B'] }))).toBe(`0a01${ascii('A')}0a01${ascii('B')}`)
})

test.each([
  ['string', '5a024f4e', 'ON'],
  ['bool', '6000', false],
  // sint32 and sint64 are zigzag: −1 is 1.
  ['int32', '6801', -1],
  ['int64', '7001', -1],
  ['uint32', '787e', 126],
  ['uint64', '80017e', 126],
  ['float', '8d010000c03f', 1.5],
  ['double', '9101000000000000f83f', 1.5]
])('a %s is read from its own field', (type, value, expected) => {
  // data_points = 1 { timestamp = 1 { seconds = 1: 5, nanos = 2: 1000 }, value = 2 }
  const stamp = '0a05080510e807'
  const datapoint = `${stamp}12${(value.length / 2).toString(16).padStart(2, '0')}${value}`
  const bytes = Buffer.from(`0a${(datapoint.length / 2).toString(16).padStart(2, '0')}${datapoint}`, 'hex')
  const read = { timestamp: { seconds: 5, nanos: 1000 }, value: { [type]: expected, typed_value: type } }
  expect(KUKSA_METHODS.GetValues.responseDeserialize(bytes)).toEqual({ data_points: [read] })
})

test('updates are a map of paths, as the broker of the tests writes it from the published .proto', () => {
  const bytes = VAL_METHODS['Subscribe']!.responseSerialize({ entries: { 'A.B': { value: { int32: -3 } } } })
  // entries = 1 { key = 1, value = 2 { value = 2 { int32 = 13 } } }
  expect(hex(bytes)).toBe(`0a0b0a03${ascii('A.B')}120412026805`)
  expect(KUKSA_METHODS.Subscribe.responseDeserialize(bytes)).toEqual({ entries: { 'A.B': { value: { int32: -3, typed_value: 'int32' } } } })
})
