import { setTimeout } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import { createShardFinder } from '../../src/client/shard-finder.ts'
import type { HostedMesh } from '../../src/mesh/create-mesh.ts'
import { cidOf, toHex } from '../../src/protocol/ids.ts'
import { until } from '../mesh/peers.ts'
import { freshAnnouncement, type ShardCar, startAsker, startShardCar } from './shard-cars.ts'

const CARS = 24
/** Thresholds small enough for one process; the hold is the real one. */
const SETTINGS = { splitAbove: 8, mergeBelow: 3, beaconMs: 200, entryMs: 300 }
const ANNOUNCE_EVERY_MS = 100
const model = cidOf(new Uint8Array([7]))
const cars: ShardCar[] = []
let asker: HostedMesh | undefined

afterEach(async () => {
  await Promise.all([...cars.splice(0).map(car => car.leave()), asker?.stop()])
})

interface Asked {
  readonly task: string
  readonly bits: string
  readonly recipients: number
  readonly atMs: number
}

/** Announces on and on as a client does that has no lease, until `stopped`. */
async function keepAsking(mesh: HostedMesh, stopped: AbortSignal): Promise<Asked[]> {
  const finder = createShardFinder({ mesh, model, nowMs: () => performance.now(), stopped })
  const asked: Asked[] = []
  while (!stopped.aborted) {
    const found = await finder.find(stopped)
    if (found === undefined) break
    const { bits, topic } = found.shard
    const { task, message } = freshAnnouncement(model, bits)
    asked.push({ task: toHex(task), bits, recipients: await mesh.publish(topic, message), atMs: performance.now() })
    await setTimeout(ANNOUNCE_EVERY_MS)
  }
  return asked
}

const shards = (): [string, number][] => [...Map.groupBy(cars, car => car.member.bits())].map(([bits, members]) => [bits, members.length])

const start = async (join: readonly string[]): Promise<void> => {
  const car = await startShardCar(model, join, SETTINGS)
  cars.push(car)
  await until(() => join.length === 0 || car.mesh.connections().length > 0, 'the car is connected')
}

it(`${CARS} cars split and merge their topics while announcements go on, and none of these is lost`, { timeout: 300_000 }, async () => {
  await start([])
  const join = cars[0]!.mesh.addresses().slice(0, 1)
  asker = await startAsker(join)
  const stopAsking = new AbortController()
  const asking = keepAsking(asker, stopAsking.signal)

  for (let count = 1; count < CARS; count++) await start(join)
  await until(() => shards().every(([, size]) => size <= SETTINGS.splitAbove), 'no shard has more than 8 cars', 120_000)
  expect(cars.some(car => car.moves.some(({ from, to }) => from === '' && to.length > 0))).toBe(true)

  const leavingMs = performance.now()
  const gone = cars.splice(4)
  await Promise.all(gone.map(car => car.leave()))
  const leftMs = performance.now()
  // The root has nothing to merge into, however few it has.
  const haveMerged = (): boolean => shards().every(([bits, size]) => bits === '' || size >= SETTINGS.mergeBelow)
  await until(haveMerged, 'the four that stay have merged', 120_000).catch(error => {
    throw new Error(`${error.message}: ${JSON.stringify(cars.map(car => [car.member.bits(), car.member.cars(), car.mesh.connections().length]))}`)
  })
  stopAsking.abort()
  const asked = await asking
  const everybody = [...cars, ...gone]
  const isHeard = ({ task, bits }: Asked): boolean =>
    everybody.some(car => car.heard.some(announcement => toHex(announcement.task) === task && announcement.bits === bits))
  // Those that leave at this moment may take what they have just heard of with them; its client asks again.
  const settled = asked.filter(({ atMs }) => atMs < leavingMs || atMs > leftMs)
  await until(
    () => settled.every(each => each.recipients === 0 || isHeard(each)),
    'every announcement that went to somebody is heard by a car of its shard',
    10_000
  )
  const nowhere = settled.filter(each => each.recipients === 0)
  expect(new Set(asked.map(({ bits }) => bits)).size).toBeGreaterThan(1)
  expect(nowhere.length, `of ${settled.length}`).toBeLessThan(settled.length / 20)
})
