import { numberedHead, startPeer } from '../peers.ts'

/** Sends pieces without end to the peer at argv[2] until its parent hangs up; tells its own figures when asked. */
const peer = await startPeer()
const address = process.argv[2] ?? ''
const link = await peer.link(await peer.connect(address))

async function* pieces(): AsyncGenerator<Uint8Array> {
  // One buffer again and again: what grows is what the mesh keeps.
  const piece = new Uint8Array(256 * 1024)
  for (let left = 256; left > 0; left--) yield piece
}

let sent = 0
let longestRoundTripMs = 0
setInterval(() => {
  longestRoundTripMs = Math.max(longestRoundTripMs, link.roundTripMs() ?? 0)
}, 50)
process.on('message', () => {
  process.send?.({ rssBytes: process.memoryUsage.rss(), sent, longestRoundTripMs, p99GapMs: link.p99GapMs(), closed: link.closed })
  longestRoundTripMs = 0
})
process.on('disconnect', () => process.exit(0))
process.send?.('ready')

for (let id = 0; !link.closed; id++) {
  await link.transfer(numberedHead(id), { byteLength: 256 * 256 * 1024, parts: pieces() })
  sent++
}
