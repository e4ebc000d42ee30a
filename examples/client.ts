/**
 * Has a page read by some car: `node examples/client.ts ADDRESS MODEL [IMAGE]`, with what `examples/car.ts` prints.
 * In a project of your own, import from 'motorpool'.
 */
import { readFile } from 'node:fs/promises'
import { createPeer } from '../src/index.ts'

const [address = '', model = '', image = `${import.meta.dirname}/pages/01-pride.png`] = process.argv.slice(2)
const peer = await createPeer({ join: [address] })
const { outputs, car } = await peer.run(model, { image: await readFile(image) })
console.log(`${car} read: ${Buffer.from(outputs.text?.data ?? []).toString()}`)
await peer.stop()
