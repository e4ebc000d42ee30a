// Sends back each frame (u32 length, body) that comes on descriptor 4: what a round trip between two processes costs at least.
import { Socket } from 'node:net'
import { createFrameReader, frameHead } from '../../src/protocol/frames.ts'

const socket = new Socket({ fd: 4, readable: true, writable: true })
const read = createFrameReader({
  limit: 2 ** 30,
  onFrame: (parts, length) => {
    socket.cork()
    socket.write(frameHead(length))
    for (const part of parts) socket.write(part)
    socket.uncork()
  }
})
socket.on('data', read)
socket.on('close', () => process.exit(0))
