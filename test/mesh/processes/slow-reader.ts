import { randomBytes } from 'node:crypto'
import { createMesh } from '../../../src/mesh/create-mesh.ts'

/** Reads what is sent to it at about argv[2] bytes a second, after a quick start; tells its own figures when asked. */
const bytesPerSecond = Number(process.argv[2])
let read = 0
let widestSilenceMs = 0

const mesh = await createMesh({
  seed: randomBytes(32),
  listen: ['/ip4/127.0.0.1/tcp/0'],
  join: [],
  mdns: false,
  dht: 'server',
  hello: () => ({ type: 'hello', v: 1, agent: 'slow reader' }),
  validate: () => 'accept',
  handlers: {
    onMessage: () => {},
    onClose: (_, error) => {
      process.send?.({ ended: error?.message ?? 'in order' })
    },
    onTransfer: async (_, head, body) => {
      if (head.type !== 'result') return
      const start = performance.now()
      let own = 0
      for await (const chunk of body) {
        read += chunk.length
        own += chunk.length
        const due = start + (own / bytesPerSecond) * 1000 - performance.now()
        if (due > 1) await new Promise(resolve => setTimeout(resolve, due))
      }
    }
  }
})
setInterval(() => {
  for (const link of mesh.links()) widestSilenceMs = Math.max(widestSilenceMs, link.silenceMs())
}, 20)
process.on('message', () => {
  const link = mesh.links()[0]
  process.send?.({ rssBytes: process.memoryUsage.rss(), read, widestSilenceMs, p99GapMs: link?.p99GapMs(), longestRoundTripMs: link?.roundTripMs() })
  widestSilenceMs = 0
})
process.on('disconnect', () => process.exit(0))
process.send?.(mesh.addresses()[0])
