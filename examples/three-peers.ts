/** A mesh in one process: two cars and a client, which has numbers added while one of the cars drives away. `node examples/three-peers.ts` */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPeer, openModelStore, signerFromSeed, type Tensor } from '../src/index.ts'

const folder = await mkdtemp(join(tmpdir(), 'motorpool-three-'))
const modelFolder = join(folder, 'models')
const publisher = signerFromSeed(new Uint8Array(32).fill(1))

// Any ONNX model will do; this one adds two vectors. Both cars find it in the store that they share.
const { cid } = await (await openModelStore(modelFolder)).add(join(import.meta.dirname, 'add.onnx'), { publisher })
const first = await createPeer({ modelFolder, car: { policy: { models: [cid] } } })
const second = await createPeer({ modelFolder, car: { policy: { models: [cid] } }, join: first.addresses() })
// The client has no model, only its name.
const client = await createPeer({ join: second.addresses() })

const vector = (...values: number[]): Tensor => ({ type: 'float32', dims: [values.length], data: new Uint8Array(Float32Array.from(values).buffer) })
const tasks = Array.from({ length: 20 }, (_, at) => ({ key: `${at} + ${at}`, inputs: { a: vector(at, 0), b: vector(at, 0) } }))
let done = 0
for await (const outcome of client.submit({ model: cid, tasks })) {
  if (outcome.status === 'failed') throw outcome.error
  const { outputs, car, attempt } = outcome.result
  const sum = new Float32Array(new Uint8Array(outputs.sum?.data ?? []).buffer)
  console.log(`${outcome.key} = ${sum[0]}, by ${car === first.peerId ? 'the first car' : 'the second car'}, attempt ${attempt}`)
  if (++done === 5) void second.car?.depart({ reason: 'the driver is here' })
}
await Promise.all([client.stop(), first.stop(), second.stop()])
await rm(folder, { recursive: true })
