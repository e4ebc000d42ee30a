import { randomBytes } from 'node:crypto'
import { createMesh } from '../../../src/mesh/create-mesh.ts'

/** A peer with mDNS and nobody to join through; prints whom it is connected to, until told to stop. */
const mesh = await createMesh({
  seed: randomBytes(32),
  listen: [process.argv[2] ?? ''],
  join: [],
  mdns: true,
  dht: 'server',
  hello: () => ({ type: 'hello', v: 1, agent: 'garage' }),
  validate: () => 'accept',
  handlers: { onMessage: () => {}, onTransfer: (_, __, body) => body.discard(), onClose: () => {} },
  limits: { mdnsIntervalMs: 1000 }
})
process.stdout.write(`self ${mesh.peerId}\n`)
const timer = setInterval(() => {
  for (const { peer } of mesh.connections()) process.stdout.write(`met ${peer}\n`)
}, 100)
process.stdin.resume()
process.stdin.on('end', async () => {
  clearInterval(timer)
  await mesh.stop()
  process.exit(0)
})
