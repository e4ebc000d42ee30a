import { Redis } from 'ioredis'
import { redisConnection } from './redis-connection.ts'
import type { Transport } from './transport.ts'

const ID_BYTES = 4
/** Replies that the client takes at once. */
const REPLIES_AT_ONCE = 64

/** Redis lists: the client pushes to one and the workers block on it (BLMPOP); replies come over another, with the call's number in front. */
export const redisList: Transport = {
  serve: async (handler, options) => {
    const output = new Redis(redisConnection(options))
    void forEachItem(new Redis(redisConnection(options)), options.queue, options.jobsAtOnce, async item => {
      const result = await handler(item.subarray(ID_BYTES))
      void output.rpush(`${options.queue}-replies`, Buffer.concat([item.subarray(0, ID_BYTES), result]))
    })
    await output.ping()
    return 0
  },
  connect: async (_ports, options) => {
    const output = new Redis({ ...redisConnection(options), enableAutoPipelining: true })
    const waiting = new Map<number, (result: Uint8Array) => void>()
    let next = 0
    void forEachItem(new Redis(redisConnection(options)), `${options.queue}-replies`, REPLIES_AT_ONCE, async item => {
      const id = item.readUInt32BE(0)
      waiting.get(id)?.(item.subarray(ID_BYTES))
      waiting.delete(id)
    })
    await output.ping()
    return input =>
      new Promise((resolve, reject) => {
        const id = Buffer.alloc(ID_BYTES)
        id.writeUInt32BE(++next)
        waiting.set(next, resolve)
        output.rpush(options.queue, Buffer.concat([id, input])).catch(reject)
      })
  }
}

/** Takes items off a list for ever; the next ones are asked for before these are worked on. */
async function forEachItem(redis: Redis, key: string, most: number, work: (item: Buffer) => Promise<void>): Promise<void> {
  let asked = redis.blmpopBuffer(0, 1, key, 'LEFT', 'COUNT', most)
  for (;;) {
    const items = (await asked)?.[1] ?? []
    asked = redis.blmpopBuffer(0, 1, key, 'LEFT', 'COUNT', most)
    for (const item of items) await work(item)
  }
}
