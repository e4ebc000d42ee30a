import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { AdminStatus } from '../../src/cli/admin/methods.ts'
import { addModel } from '../fixtures/models/make.ts'
import { openSandbox, type Sandbox } from './command.ts'

const ADD = '{"inputs":[{"name":"a","shape":[2],"datatype":"FP32","data":[1,2]},{"name":"b","shape":[2],"datatype":"FP32","data":[3,4]}]}'
interface Car {
  readonly name: string
  readonly running: boolean
  readonly status: AdminStatus | null
}

let sandbox: Sandbox
let testnet: string
beforeEach(() => {
  sandbox = openSandbox()
  testnet = join(sandbox.folder, 'testnet')
  writeFileSync(join(sandbox.folder, 'add.onnx'), addModel())
  writeFileSync(join(sandbox.folder, 'add.json'), ADD)
})
afterEach(() => sandbox.close())

const upArguments = (cars: number) =>
  ['testnet', 'up', '-n', String(cars), '--no-ocr', '--model', join(sandbox.folder, 'add.onnx'), '--dir', testnet, '--json'] as const
const onTestnet = async (...args: readonly string[]) => {
  const done = await sandbox.run('testnet', ...args, '--dir', testnet)
  expect(done.code, done.stderr).toBe(0)
  return done.stdout
}
const carsNow = async (): Promise<readonly Car[]> => (JSON.parse(await onTestnet('status', '--json')) as { cars: Car[] }).cars

test('cars drive away, come back under a new peer id, are killed and start again', async () => {
  const up = await sandbox.run(...upArguments(2), '--detach')
  expect(up.code, up.stderr).toBe(0)
  const before = await carsNow()
  expect(before.map(car => [car.running, car.status?.car?.state])).toEqual([
    [true, 'parked'],
    [true, 'parked']
  ])
  await onTestnet('drive', 'car-1')
  await onTestnet('kill', 'car-2')
  expect((await carsNow()).map(car => [car.running, car.status?.car?.state])).toEqual([
    [true, 'away'],
    [false, undefined]
  ])
  await onTestnet('park', 'car-1')
  await onTestnet('park', 'car-2')
  const after = await carsNow()
  expect(after.map(car => car.status?.car?.state)).toEqual(['parked', 'parked'])
  for (const [index, car] of after.entries()) expect(car.status?.peerId).not.toBe(before[index]?.status?.peerId)
  const run = await sandbox.run('run', 'add', '--input', join(sandbox.folder, 'add.json'), '--dir', testnet)
  expect(run.code, run.stderr).toBe(0)
  await onTestnet('down')
  expect([sandbox.left(), existsSync(testnet)]).toEqual([[], false])
})

test('a car that runs tells of its peers, and takes its owner’s tasks without being told where it is', async () => {
  const home = join(sandbox.folder, 'home')
  const added = await sandbox.run('model', 'add', join(sandbox.folder, 'add.onnx'), '--name', 'add')
  expect(added.code, added.stderr).toBe(0)
  const first = sandbox.start('up', '--json')
  const ready = JSON.parse(await first.firstLine) as AdminStatus
  expect(ready).toMatchObject({ dataFolder: home, pid: first.process.pid, car: { state: 'parked', models: [{ name: 'add' }] } })
  const second = sandbox.start('up', '--json', '--data-dir', join(sandbox.folder, 'second'), '--join', ready.addresses[0] ?? '')
  const { peerId } = JSON.parse(await second.firstLine) as AdminStatus
  await expect.poll(async () => (await sandbox.run('peer', 'ls', '--json')).stdout, { timeout: 30_000, interval: 200 }).toContain(peerId ?? 'a peer id')
  expect((await sandbox.run('peer', 'show', peerId ?? '')).stdout).toContain('address')
  expect((await sandbox.run('peer', 'ping', peerId ?? '')).stdout).toMatch(/^\d+\.\d\d ms\n$/)
  const run = await sandbox.run('run', 'add', '--input', join(sandbox.folder, 'add.json'))
  expect(run.code, run.stderr).toBe(0)
  expect(JSON.parse(run.stdout)).toMatchObject({ parameters: { car: ready.peerId }, outputs: [{ data: [4, 6] }] })
  for (const car of [first, second]) {
    car.process.kill('SIGINT')
    expect((await car.finished).code).toBe(0)
  }
  expect(sandbox.left()).toEqual([])
})

test('a testnet in the foreground ends with Ctrl-C, and when another command takes it down', async () => {
  const interrupted = sandbox.start(...upArguments(1))
  await interrupted.firstLine
  interrupted.process.kill('SIGINT')
  expect((await interrupted.finished).code).toBe(0)
  expect([sandbox.left(), existsSync(testnet)]).toEqual([[], false])

  const takenDown = sandbox.start(...upArguments(1))
  await takenDown.firstLine
  await onTestnet('down')
  expect((await takenDown.finished).code).toBe(0)
  expect([sandbox.left(), existsSync(testnet)]).toEqual([[], false])
})

test('a testnet that is stopped while it starts leaves nothing', async () => {
  const starting = sandbox.start(...upArguments(4).filter(argument => argument !== '--json'))
  await new Promise<void>(resolve => starting.process.stderr?.on('data', (text: string) => (text.includes('car-1 is ready') ? resolve() : undefined)))
  starting.process.kill('SIGTERM')
  expect((await starting.finished).code).toBe(143)
  expect([sandbox.left(), existsSync(testnet)]).toEqual([[], false])
})

test('an endless file is refused at the limit', async () => {
  const up = await sandbox.run(...upArguments(1), '--detach')
  expect(up.code, up.stderr).toBe(0)
  const models = join(testnet, 'models')
  const endless = sandbox.start('run', 'add', '--models', models, '--dir', testnet, '--input', '/dev/zero')
  const { code, stderr } = await endless.finished
  expect([code, stderr]).toEqual([1, expect.stringMatching(/\(ERR_INPUT_TOO_LARGE\)\n$/)])
  await onTestnet('down')
  expect(sandbox.left()).toEqual([])
})
