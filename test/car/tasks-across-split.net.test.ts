import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { ShardSettings } from '../../src/placement/shards.ts'
import { noopModel } from '../fixtures/models/make.ts'
import { type LocalMesh, openLocalMesh } from '../local-mesh.ts'

const CARS = 9
const SETTINGS: Partial<ShardSettings> = { splitAbove: 4, mergeBelow: 2, beaconMs: 200, entryMs: 300 }
/** Leases end at once, so that nearly every task is announced. */
const LEASE_IDLE_MS = 1
const BETWEEN_MS = 50
let mesh: LocalMesh

beforeEach(() => {
  mesh = openLocalMesh()
})
afterEach(() => mesh.close())

it(`${CARS} cars split their topic under the tasks of a client that asks anew for each, and none is lost`, { timeout: 180_000 }, async () => {
  await mesh.addModel('noop', noopModel())
  const moves: { readonly from: string; readonly to: string }[] = []
  const addCar = () =>
    mesh.addCar({
      shards: SETTINGS,
      onEvent: event => {
        if (event.type === 'shard-changed') moves.push(event)
      }
    })
  await addCar()
  const client = await mesh.addClient({ leaseIdleMs: LEASE_IDLE_MS })
  let running = true
  let done = 0
  const load = (async () => {
    while (running) {
      const input = new Uint8Array([done & 0xff])
      const { outputs } = await client.run('noop', { x: input }, { deadlineMs: 30_000 })
      expect(outputs.y?.data).toEqual(input)
      done++
      await setTimeout(BETWEEN_MS)
    }
  })()
  // A failure is told when the load is awaited.
  load.catch(() => undefined)
  for (let count = 1; count < CARS; count++) await addCar()
  await expect.poll(() => moves.filter(({ from, to }) => to.length > from.length).length, { timeout: 60_000 }).toBeGreaterThanOrEqual(4)
  // Over the time for which both topics are held, and after it.
  const before = done
  await setTimeout(7000)
  running = false
  await load
  expect(done - before).toBeGreaterThan(5)
  expect(client.status().client).toMatchObject({ done, failed: 0 })
})
