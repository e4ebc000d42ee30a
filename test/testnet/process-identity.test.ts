import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { identifyProcess, isAlive, signalProcess, waitUntilGone } from '../../src/testnet/process-identity.ts'

async function sleeper() {
  const child = spawn(process.execPath, ['-e', 'process.stdout.write("."); setInterval(() => {}, 1000)'], { stdio: ['ignore', 'pipe', 'ignore'] })
  await once(child.stdout, 'data')
  return child
}

test('a process is alive until it is killed', async () => {
  const child = await sleeper()
  const identity = identifyProcess(child.pid ?? 0)
  expect(isAlive(identity)).toBe(true)
  expect(await waitUntilGone(identity, 50)).toBe(false)
  expect(signalProcess(identity, 'SIGKILL')).toBe(true)
  expect(await waitUntilGone(identity, 5_000)).toBe(true)
  expect(signalProcess(identity, 'SIGKILL')).toBe(false)
})

test('a later process with the same number is not taken for it', async context => {
  const child = await sleeper()
  const identity = identifyProcess(child.pid ?? 0)
  try {
    if (identity.startTicks === undefined) context.skip('this system does not tell when a process began')
    expect(isAlive({ ...identity, startTicks: '1' })).toBe(false)
    expect(signalProcess({ ...identity, startTicks: '1' }, 'SIGKILL')).toBe(false)
    expect(isAlive(identity)).toBe(true)
  } finally {
    child.kill('SIGKILL')
  }
})
