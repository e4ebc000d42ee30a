import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { removeTestnet } from '../../src/testnet/stop-testnet.ts'
import { carNamed, readTestnet, type TestnetState, testnetStateFile, writeTestnet } from '../../src/testnet/testnet-state.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'motorpool-test-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const state: TestnetState = {
  v: 1,
  command: ['node', 'motorpool.js'],
  slots: 1,
  publisher: 'ab'.repeat(32),
  models: [{ name: 'ocr', cid: 'bafy' }],
  cars: [{ name: 'car-1', pid: 4_000_000, startTicks: '7', peerId: '12D3', addresses: [], dataFolder: '/nowhere' }]
}

test('what was written is read', () => {
  writeTestnet(folder, state)
  expect(readTestnet(folder)).toEqual(state)
  expect(readdirSync(folder)).toEqual(['testnet.json'])
})

test.each([
  ['no file', undefined],
  ['half a file', '{"v":1,'],
  ['a later version', JSON.stringify({ ...state, v: 2 })],
  ['a car whose name leads elsewhere', JSON.stringify({ ...state, cars: [{ ...state.cars[0], name: '../car-1' }] })]
])('%s is no testnet', (_what, text) => {
  if (text !== undefined) writeFileSync(testnetStateFile(folder), text)
  expect(() => readTestnet(folder)).toThrow(expect.objectContaining({ code: 'ERR_NO_TESTNET' }))
})

test('a car is named in full or by its number', () => {
  expect([carNamed(state, 'car-1'), carNamed(state, '1')]).toEqual([state.cars[0], state.cars[0]])
  expect(() => carNamed(state, 'car-2')).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }))
})

test('removing a testnet leaves what is not its own', async () => {
  writeTestnet(folder, state)
  writeFileSync(join(folder, 'diary.txt'), 'Dear diary')
  await removeTestnet(folder)
  expect(readdirSync(folder)).toEqual(['diary.txt'])
})
