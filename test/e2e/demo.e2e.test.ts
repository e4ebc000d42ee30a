import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { DemoSummary } from '../../src/cli/demo/demo-summary.ts'
import { openSandbox, type Sandbox } from './command.ts'

let sandbox: Sandbox
beforeEach(() => {
  sandbox = openSandbox()
})
afterEach(() => sandbox.close())

test('the demo reads every page though one car drives away and one is killed, and leaves receipts but no process', async () => {
  const { code, stdout, stderr } = await sandbox.run('demo', '--json', '--out', join(sandbox.folder, 'out'))
  expect(code, stderr).toBe(0)
  const summary = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as DemoSummary
  expect(summary).toMatchObject({ pages: 24, receipts: 24, output: join(sandbox.folder, 'out') })
  expect(summary.characterErrorRate).toBeLessThanOrEqual(0.03)
  expect(summary.moved).toBeGreaterThanOrEqual(1)
  expect(summary.cars.map(car => car.fate).sort()).toEqual(['driven away', 'killed', 'parked', 'parked', 'parked', 'parked'])
  expect(summary.cars.reduce((sum, car) => sum + car.pages, 0)).toBe(24)
  expect(readdirSync(join(summary.output, 'texts'))).toHaveLength(24)
  const verified = await sandbox.run('verify', '--json', join(summary.output, 'receipts'))
  expect(verified.code, verified.stderr).toBe(0)
  expect((JSON.parse(verified.stdout) as { receipts: unknown[] }).receipts).toHaveLength(24)
  expect(sandbox.left()).toEqual([])
  expect(readdirSync(sandbox.folder).filter(name => name !== 'out' && name !== 'home')).toEqual([])
})

test('Ctrl-C in the middle of the demo leaves no process and no file', async () => {
  const demo = sandbox.start('demo', '--json')
  await new Promise<void>(resolve => demo.process.stderr?.on('data', (text: string) => (text.includes('of 24 pages') ? resolve() : undefined)))
  demo.process.kill('SIGINT')
  expect((await demo.finished).code).toBe(130)
  expect(sandbox.left()).toEqual([])
  expect(readdirSync(sandbox.folder)).toEqual([])
})

test('a demo that is killed takes its cars with it', async () => {
  const demo = sandbox.start('demo', '--json')
  await new Promise<void>(resolve => demo.process.stderr?.on('data', (text: string) => (text.includes('of 24 pages') ? resolve() : undefined)))
  demo.process.kill('SIGKILL')
  await demo.finished
  await expect.poll(sandbox.left, { timeout: 20_000, interval: 100 }).toEqual([])
})
