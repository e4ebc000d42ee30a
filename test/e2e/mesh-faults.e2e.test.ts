import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runChurn } from '../../bench/churn.ts'
import { addModel } from '../fixtures/models/make.ts'
import { openSandbox, type Sandbox } from './command.ts'

let sandbox: Sandbox
beforeEach(() => {
  sandbox = openSandbox()
})
afterEach(() => sandbox.close())

test('when the peer that all joined through is killed, others still take tasks', async () => {
  const testnet = join(sandbox.folder, 'testnet')
  const model = join(sandbox.folder, 'add.onnx')
  const input = join(sandbox.folder, 'input.json')
  writeFileSync(model, addModel())
  writeFileSync(input, '{"inputs":[{"name":"a","shape":[2],"datatype":"FP32","data":[1,2]},{"name":"b","shape":[2],"datatype":"FP32","data":[0.1,5]}]}')
  const up = await sandbox.run('testnet', 'up', '-n', '4', '--no-ocr', '--model', model, '--dir', testnet, '--detach', '--json')
  expect(up.code, up.stderr).toBe(0)
  const { cars } = JSON.parse(up.stdout) as { cars: { addresses: string[] }[] }
  expect((await sandbox.run('testnet', 'kill', 'car-1', '--dir', testnet)).code).toBe(0)
  for (const car of [2, 3, 4]) {
    const run = await sandbox.run('run', 'add', '--input', input, '--join', cars[car - 1]?.addresses[0] ?? '', '--models', join(testnet, 'models'))
    expect(run.code, run.stderr).toBe(0)
    expect(JSON.parse(run.stdout)).toMatchObject({ outputs: [{ name: 'sum', shape: [2], datatype: 'FP32', data: [1.1, 7] }] })
  }
  const park = await sandbox.run('testnet', 'park', 'car-1', '--dir', testnet)
  expect(park.code, park.stderr).toBe(0)
  expect((await sandbox.run('testnet', 'down', '--dir', testnet)).code).toBe(0)
  expect(sandbox.left()).toEqual([])
})

test('200 tasks give 200 results, each once with a valid receipt, while a random car is killed every 3 s and started again', async () => {
  const seed = 7
  const report = await runChurn({ cars: 8, tasks: 200, killEveryMs: 3_000, taskMs: 250, seed }, line => console.error(line))
  console.error(JSON.stringify({ seed, ...report }))
  expect(report).toMatchObject({ results: 200, failed: [], wrong: 0, validReceipts: 200 })
  expect(report.kills).toBeGreaterThan(0)
}, 420_000)
