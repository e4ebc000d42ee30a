import { afterEach, expect, it } from 'vitest'
import { createShardFinder } from '../../src/client/shard-finder.ts'
import type { HostedMesh } from '../../src/mesh/create-mesh.ts'
import { answersRound, firstTheta, nextTheta } from '../../src/placement/suppression.ts'
import { cidOf, equalBytes, peerIdToBytes } from '../../src/protocol/ids.ts'
import { freshAnnouncement, type ShardCar, startAsker, startShardCar } from '../car/shard-cars.ts'
import { until } from '../mesh/peers.ts'

const CARS = 10
const ASKS = 15
const ENOUGH = 3
const model = cidOf(new Uint8Array([8]))
const cars: ShardCar[] = []
let asker: HostedMesh | undefined

afterEach(async () => {
  await Promise.all([...cars.splice(0).map(car => car.leave()), asker?.stop()])
})

it(`${CARS} cars that announcements reach answer with 3 to 8 offers mostly, in the first round or the second`, { timeout: 180_000 }, async () => {
  cars.push(await startShardCar(model, [], {}))
  const join = cars[0]!.mesh.addresses().slice(0, 1)
  for (let count = 1; count < CARS; count++) {
    const car = await startShardCar(model, join, {})
    cars.push(car)
    await until(() => car.mesh.connections().length > 0, 'the car is connected')
  }
  asker = await startAsker(join)
  const mesh = asker
  const signal = AbortSignal.timeout(120_000)
  const finder = createShardFinder({ mesh, model, nowMs: () => performance.now(), stopped: signal })
  const hearers = (task: Uint8Array, round: number): readonly ShardCar[] =>
    cars.filter(car => car.heard.some(heard => heard.round === round && equalBytes(heard.task, task)))

  const offers: number[] = []
  for (let ask = 0; ask < ASKS; ask++) {
    const { shard, idleCars } = (await finder.find(signal))!
    const offered = new Set<ShardCar>()
    const thetas: number[] = []
    for (let round = 0; round < 2 && offered.size < ENOUGH; round++) {
      const theta = round === 0 ? firstTheta(1, idleCars) : nextTheta(thetas[0]!)
      thetas.push(theta)
      const { task, message } = freshAnnouncement(model, shard.bits, { round, theta })
      await mesh.publish(shard.topic, message)
      await until(() => hearers(task, round).length === CARS, 'all cars have heard the announcement')
      for (const car of hearers(task, round)) if (answersRound(task, round, peerIdToBytes(car.mesh.peerId), theta)) offered.add(car)
    }
    offers.push(offered.size)
    finder.note({ shard, thetas, offers: offered.size })
  }
  const late = offers.slice(3)
  expect(late.filter(count => count >= 3 && count <= 8).length, offers.join(' ')).toBeGreaterThanOrEqual(late.length * 0.6)
})
