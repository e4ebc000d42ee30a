import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OwnerReport } from '../../src/energy/report/owner-report.ts'
import { sleepyModel } from '../fixtures/models/make.ts'
import { openSandbox, type Sandbox } from './command.ts'

let sandbox: Sandbox
const at = (name: string): string => join(sandbox.folder, name)

beforeAll(async () => {
  sandbox = openSandbox()
  writeFileSync(at('sleepy.onnx'), sleepyModel(100))
  writeFileSync(at('input.json'), JSON.stringify({ inputs: [{ name: 'x', shape: [1], datatype: 'FP32', data: [1] }] }))
  writeFileSync(at('grid.json'), JSON.stringify({ gramsPerKwh: 250, kind: 'marginal', at: new Date().toISOString() }))
  const added = await sandbox.run('model', 'add', at('sleepy.onnx'), '--name', 'sleepy')
  expect(added.code, added.stderr).toBe(0)
  writeFileSync(at('home/policy.yaml'), 'carbon: {embodied: {kilograms: 50, lifetimeYears: 8}}\n')
})
afterAll(() => {
  const left = sandbox.left()
  sandbox.close()
  expect(left).toEqual([])
})

async function report(): Promise<OwnerReport> {
  const { stdout, stderr, code } = await sandbox.run('report', '--json')
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout) as OwnerReport
}

test('what a car does stands in its owner’s report while it runs, and after it was killed', async () => {
  const car = sandbox.start('up', '--json', '--core-watts', '10', '--intensity', at('grid.json'))
  await car.firstLine
  for (let task = 0; task < 2; task++) {
    const { code, stderr } = await sandbox.run('run', 'sleepy', '--input', at('input.json'))
    expect(code, stderr).toBe(0)
  }
  await expect.poll(async () => (await report()).tasks.done, { timeout: 60_000 }).toBe(2)
  car.process.kill('SIGKILL')
  await car.finished

  const told = await report()
  expect(told).toMatchObject({ daysPresent: 1, stays: 1, tasks: { done: 2, failed: 0, handedBack: 0 }, earned: {}, costs: { unit: 'EUR' } })
  expect(told.hours).toBeGreaterThan(0)
  expect(['measured', 'estimated']).toContain(told.energy.by)
  expect(told.energy.attributedKwh).toBeGreaterThan(0)
  expect(told.costs.electricity).toBeGreaterThan(0)
  const [carbon, ...others] = told.carbon
  expect(others).toEqual([])
  expect(carbon).toMatchObject({ kind: 'marginal', tasks: 2, forecastTasks: 0 })
  expect(carbon?.grams).toBeCloseTo(250 * (carbon?.ofKwh ?? 0), 9)
  expect(carbon?.sciGramsPerTask).toBeGreaterThan(carbon?.operationalGramsPerTask ?? 0)
  expect(statSync(at('home/report.json')).mode & 0o777).toBe(0o600)
  expect(readFileSync(at('home/report.json'), 'utf8').length).toBeLessThan(2000)

  const again = sandbox.start('up', '--json')
  await again.firstLine
  expect((await sandbox.run('down')).code).toBe(0)
  await again.finished
  expect(await report()).toMatchObject({ stays: 2, tasks: { done: 2 } })
})
