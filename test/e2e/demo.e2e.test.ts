import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { castDemo } from '../../src/cli/demo/demo-cast.ts'
import type { DemoSummary } from '../../src/cli/demo/demo-summary.ts'
import { openSandbox, type Sandbox } from './command.ts'

let sandbox: Sandbox
beforeEach(() => {
  sandbox = openSandbox()
})
afterEach(() => sandbox.close())

test('the demo reads every page though cars drive away and one is killed, tells why each came and went, and leaves receipts but no process', async () => {
  const { code, stdout, stderr } = await sandbox.run('demo', '--json', '--out', join(sandbox.folder, 'out'))
  expect(code, stderr).toBe(0)
  const summary = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as DemoSummary
  expect(summary).toMatchObject({ pages: 24, receipts: 24, output: join(sandbox.folder, 'out') })
  expect(summary.characterErrorRate).toBeLessThanOrEqual(0.03)
  expect(summary.moved).toBeGreaterThanOrEqual(1)
  expect(summary.cars.filter(car => car.fate === 'killed')).toHaveLength(1)
  const cast = castDemo(summary.seed)
  const leftFor = (number: number) => summary.cars[number - 1]?.turns.find(({ type }) => type === 'left')?.reason
  expect(leftFor(cast.announced)).toMatch(/^charging is timed to end at \d\d:\d\d|^the battery is conditioned for \d\d:\d\d/)
  expect(summary.cars[cast.announced - 1]?.turns.map(({ type }) => type).slice(0, 3)).toEqual(['joined', 'left', 'joined'])
  expect(leftFor(cast.unannounced)).toMatch(/^the driver’s door is|^the charging cable/)
  for (const car of summary.cars) {
    expect(car.turns[0]).toMatchObject({ type: 'joined', reason: expect.stringMatching(/^parked and fit, plugged in, battery at \d+ %$/) })
    expect(car.tasks).toBeGreaterThanOrEqual(car.pages)
    if (car.tasks > 0) expect(car.energy).toMatchObject({ by: 'estimated', attributedMj: expect.toSatisfy((energy: number) => energy > 0) })
  }
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
