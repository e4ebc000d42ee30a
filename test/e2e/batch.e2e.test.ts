import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sleepyModel } from '../fixtures/models/make.ts'
import { openSandbox, type Sandbox } from './command.ts'

const TASKS = 24
let sandbox: Sandbox
let testnet: string
let list: string

beforeAll(async () => {
  sandbox = openSandbox()
  testnet = join(sandbox.folder, 'testnet')
  const model = join(sandbox.folder, 'sleepy.onnx')
  writeFileSync(model, sleepyModel(200))
  list = join(sandbox.folder, 'tasks.jsonl')
  const lines = Array.from({ length: TASKS }, (_, index) =>
    JSON.stringify({ key: `k${index}`, inputs: [{ name: 'x', shape: [1], datatype: 'FP32', data: [index] }] })
  )
  writeFileSync(list, `${lines.join('\n')}\n`)
  const up = await sandbox.run('testnet', 'up', '-n', '2', '--no-ocr', '--model', model, '--dir', testnet, '--detach', '--json')
  expect(up.code, up.stderr).toBe(0)
})
afterAll(async () => {
  await sandbox.run('testnet', 'down', '--dir', testnet)
  const left = sandbox.left()
  sandbox.close()
  expect(left).toEqual([])
})

interface Line {
  readonly key: string
  readonly status: string
  readonly receipt: string
  readonly outputs: readonly { readonly data: readonly number[] }[]
}
const linesOf = (path: string): Line[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as Line)

test('a batch whose client is killed goes on where it was, and runs no recorded task again', async () => {
  const out = join(sandbox.folder, 'out.jsonl')
  const receipts = join(sandbox.folder, 'receipts')
  const batch = ['batch', 'sleepy', '--in', list, '--out', out, '--receipts', receipts, '--dir', testnet, '--json'] as const
  const first = sandbox.start(...batch)
  await expect.poll(() => linesIn(out), { timeout: 60_000, interval: 20 }).toBeGreaterThan(4)
  first.process.kill('SIGKILL')
  await first.finished
  const before = readFileSync(out, 'utf8')
  const recorded = linesOf(out)
  expect(recorded.length).toBeLessThan(TASKS)

  const second = await sandbox.run(...batch)
  expect(second.code, second.stderr).toBe(0)
  expect(JSON.parse(second.stdout)).toMatchObject({ total: TASKS, done: TASKS, skipped: recorded.length, failed: 0 })
  expect(readFileSync(out, 'utf8').startsWith(before.slice(0, before.lastIndexOf('\n') + 1))).toBe(true)
  const lines = linesOf(out)
  expect(new Set(lines.map(line => line.key)).size).toBe(TASKS)
  expect(lines).toHaveLength(TASKS)
  for (const { key, outputs } of lines) expect(outputs[0]?.data).toEqual([Number(key.slice(1))])
  const verified = await sandbox.run('verify', receipts)
  expect(verified.code, verified.stderr).toBe(0)

  const third = await sandbox.run(...batch)
  expect(JSON.parse(third.stdout)).toMatchObject({ done: TASKS, skipped: TASKS })
})

test('a task with a bad input fails alone, and is tried again the next time', async () => {
  const mixed = join(sandbox.folder, 'mixed.jsonl')
  const out = join(sandbox.folder, 'mixed-out.jsonl')
  const good = { key: 'good', inputs: [{ name: 'x', shape: [1], datatype: 'FP32', data: [1] }] }
  writeFileSync(mixed, `${JSON.stringify({ key: 'bad', inputs: [{ name: 'x', shape: [2], datatype: 'FP32', data: [1] }] })}\n${JSON.stringify(good)}\n`)
  const first = await sandbox.run('batch', 'sleepy', '--in', mixed, '--out', out, '--dir', testnet, '--json')
  expect(first.code).toBe(1)
  expect(linesOf(out)).toMatchObject([
    { key: 'bad', status: 'failed', error: { code: 'ERR_INVALID_INPUT' } },
    { key: 'good', status: 'done' }
  ])
  writeFileSync(mixed, `${JSON.stringify({ ...good, key: 'bad' })}\n${JSON.stringify(good)}\n`)
  const second = await sandbox.run('batch', 'sleepy', '--in', mixed, '--out', out, '--dir', testnet, '--json')
  expect(second.code, second.stderr).toBe(0)
  expect(JSON.parse(second.stdout)).toMatchObject({ done: 2, skipped: 1 })
})

function linesIn(path: string): number {
  try {
    return readFileSync(path, 'utf8').split('\n').length - 1
  } catch {
    return 0
  }
}
