import { shardTopic } from '../../src/placement/shards.ts'
import type { ModelCid } from '../../src/protocol/ids.ts'
import { type ShardCar, startShardCar } from '../../test/car/shard-cars.ts'

/** Cars that share this process: real libp2p hosts that hear announcements, without workers. */
export interface GossipCarsInit {
  readonly model: ModelCid
  readonly cars: number
  readonly join: readonly string[]
  readonly splitAbove: number
  /** How many of them answer queries of the DHT: with all, each would be connected to all others, and that is what would be measured. */
  readonly servers: number
}

/** What it answers to `report`. */
export interface GossipCarsReport {
  /** Announcements that each car has heard. */
  readonly heard: readonly number[]
  /** Cars of the shard that each can send to. */
  readonly neighbours: readonly number[]
  /** User and system CPU of the process since its start, microseconds. */
  readonly cpuUs: number
}

const init = JSON.parse(process.argv[2] ?? '{}') as GossipCarsInit
process.on('disconnect', () => process.exit())

const topic = shardTopic(init.model, '')
const cars: ShardCar[] = []
for (let index = 0; index < init.cars; index++) {
  const near = cars.slice(-2).flatMap(({ mesh }) => mesh.addresses().slice(0, 1))
  cars.push(await startShardCar(init.model, [...init.join, ...near], { splitAbove: init.splitAbove }, index < init.servers ? 'server' : 'client'))
}
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  const report: GossipCarsReport = {
    heard: cars.map(({ heard }) => heard.length),
    neighbours: cars.map(({ mesh }) => mesh.subscribers(topic).length),
    cpuUs: user + system
  }
  process.send?.(report)
})
process.send?.({ addresses: cars.slice(0, 2).flatMap(({ mesh }) => mesh.addresses().slice(0, 1)) })
