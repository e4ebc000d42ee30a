import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

const names = ['motorpool-a', 'motorpool-b'].map(name => `${name}-${process.pid}`)
const [first, second] = names as [string, string]
const addresses = ['10.87.0.1', '10.87.0.2']
const run = (...args: string[]) => spawnSync('ip', args, { encoding: 'utf8' })

/** Two network namespaces that only a virtual cable joins: a garage of two cars. */
function makeGarage(): string | undefined {
  const cable = [`mp${process.pid}a`, `mp${process.pid}b`] as const
  const steps = [
    ['netns', 'add', first],
    ['netns', 'add', second],
    ['link', 'add', cable[0], 'netns', first, 'type', 'veth', 'peer', 'name', cable[1], 'netns', second],
    ...names.flatMap((name, index) => [
      ['-n', name, 'addr', 'add', `${addresses[index]}/24`, 'dev', cable[index] as string],
      ['-n', name, 'link', 'set', 'lo', 'up'],
      ['-n', name, 'link', 'set', cable[index] as string, 'up'],
      ['-n', name, 'route', 'add', '224.0.0.0/4', 'dev', cable[index] as string]
    ])
  ]
  for (const step of steps) {
    const { status, stderr, error } = run(...step)
    if (status !== 0) return `ip ${step.join(' ')}: ${(error?.message ?? stderr).trim()}`
  }
  return undefined
}

const children: ChildProcess[] = []
const obstacle = makeGarage()
if (obstacle !== undefined) console.log(`mDNS is not tested here, it needs network namespaces (root and iproute2): ${obstacle}`)

afterAll(async () => {
  for (const child of children) {
    if (child.exitCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  for (const name of names) run('netns', 'del', name)
})

test.skipIf(obstacle !== undefined)('two cars in one garage find each other with no list to join by', { timeout: 90_000 }, async () => {
  const file = fileURLToPath(new URL('./processes/mdns-peer.ts', import.meta.url))
  const cars = names.map((name, index) => {
    const child = spawn('ip', ['netns', 'exec', name, process.execPath, file, `/ip4/${addresses[index]}/tcp/0`], { stdio: ['pipe', 'pipe', 'inherit'] })
    children.push(child)
    const told = Promise.withResolvers<string>()
    const met = Promise.withResolvers<string>()
    createInterface({ input: child.stdout }).on('line', line => {
      if (line.startsWith('self ')) told.resolve(line.slice(5))
      if (line.startsWith('met ')) met.resolve(line.slice(4))
    })
    return { child, self: told.promise, met: met.promise }
  })
  const [left, right] = cars
  expect(await left?.met).toBe(await right?.self)
  expect(await right?.met).toBe(await left?.self)
  for (const { child } of cars) {
    child.stdin.end()
    if (child.exitCode === null) await once(child, 'exit')
    expect(child.exitCode).toBe(0)
  }
})
