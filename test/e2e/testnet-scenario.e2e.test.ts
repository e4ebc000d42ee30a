import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { AdminStatus } from '../../src/cli/admin/methods.ts'
import { addModel } from '../fixtures/models/make.ts'
import { openSandbox, type Sandbox } from './command.ts'

const ADD = '{"inputs":[{"name":"a","shape":[2],"datatype":"FP32","data":[1,2]},{"name":"b","shape":[2],"datatype":"FP32","data":[3,4]}]}'
/** Of this fleet car-1 leaves home at 07:43 as its timer says, and is plugged in at work at 07:55; car-2 stays at home. */
const SEED = '206'

let sandbox: Sandbox
let testnet: string
beforeEach(() => {
  sandbox = openSandbox()
  testnet = join(sandbox.folder, 'testnet')
  writeFileSync(join(sandbox.folder, 'add.onnx'), addModel())
  writeFileSync(join(sandbox.folder, 'add.json'), ADD)
})
afterEach(() => sandbox.close())

const onTestnet = async (...args: readonly string[]) => {
  const done = await sandbox.run('testnet', ...args, '--dir', testnet)
  expect(done.code, done.stderr).toBe(0)
  return done.stdout
}
const carNow = async (name: string): Promise<AdminStatus | null> => {
  const { cars } = JSON.parse(await onTestnet('status', '--json')) as { cars: { name: string; status: AdminStatus | null }[] }
  return cars.find(car => car.name === name)?.status ?? null
}
const soon = { timeout: 60_000, interval: 100 }
const rowOf = async (name: string) => (await onTestnet('status')).split('\n').find(line => line.startsWith(name))

test('cars of a scenario come and go by themselves, say why, and take tasks meanwhile', async () => {
  const model = join(sandbox.folder, 'add.onnx')
  const scenario = ['--scenario', 'commute', '--speed', '300', '--seed', SEED, '--from', '06:50']
  const up = await sandbox.run('testnet', 'up', '-n', '2', '--no-ocr', '--model', model, ...scenario, '--dir', testnet, '--detach', '--json')
  expect(up.code, up.stderr).toBe(0)
  expect(JSON.parse(up.stdout)).toMatchObject({ day: { scenario: 'commute', seed: Number(SEED), speed: 300, fromS: 24_600 } })

  await expect.poll(async () => (await carNow('car-1'))?.story.joined?.reason, soon).toMatch(/^parked and fit, plugged in, battery at \d+ %$/)
  await expect.poll(() => rowOf('car-2'), soon).toMatch(/parked .* \d+ % +yes +parked and fit, plugged in/)
  const run = await sandbox.run('run', 'add', '--input', join(sandbox.folder, 'add.json'), '--dir', testnet)
  expect(run.code, run.stderr).toBe(0)

  await expect
    .poll(async () => (await carNow('car-1'))?.story.left?.reason, soon)
    .toMatch(/^charging is timed to end at 07:40|^the driver’s|^the charging cable/)
  await expect.poll(async () => (await carNow('car-1'))?.car?.joins, soon).toBeGreaterThanOrEqual(2)
  expect(await onTestnet('status')).toMatch(/^commute, seed 206, 300 times as fast as real time: it is \d\d:\d\d\n/)

  await onTestnet('drive', 'car-2')
  expect(await rowOf('car-2')).toMatch(/away .* the driver needs the vehicle$/)
  await onTestnet('park', 'car-2')
  await expect.poll(() => rowOf('car-2'), soon).toMatch(/parked /)
  await onTestnet('kill', 'car-2')
  expect(await rowOf('car-2')).toMatch(/killed .* its process has ended$/)
  expect(await onTestnet('park', 'car-2')).toContain('car-2 runs again')
  // It is as late for it as for the others: the day has gone on.
  await expect.poll(async () => (await carNow('car-2'))?.story.joined?.atUnixMs, soon).toBeGreaterThan(Date.UTC(2024, 0, 1, 7))
  await onTestnet('down')
  expect(sandbox.left()).toEqual([])
  expect(readdirSync(sandbox.folder)).not.toContain('testnet')
})
