import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { connectionStack } from '../src/mesh/host/connection-stack.ts'
import { createFrameReader, frameHead } from '../src/protocol/frames.ts'

export const LONE_PROTOCOL = '/motorpool-bench/lone/1'
const LIMIT = 1024 * 1024

/** Streams to a worker, a new one for each run, over one connection that stays. */
export interface LoneStreams {
  /** Opens a stream, sends the input, waits for the output; milliseconds. */
  readonly run: (input: Uint8Array) => Promise<number>
  readonly stop: () => Promise<void>
}

export async function openLoneStreams(address: string): Promise<LoneStreams> {
  const host = await createLibp2p({ ...connectionStack() })
  const connection = await host.dial(multiaddr(address))
  return {
    run: async input => {
      const startedMs = performance.now()
      const stream = await connection.newStream(LONE_PROTOCOL)
      const answered = new Promise<void>((resolve, reject) => {
        onFrame(stream, () => resolve())
        stream.addEventListener('close', () => reject(new Error('the lone stream ended before it answered')))
      })
      sendFrame(stream, input)
      await answered
      const tookMs = performance.now() - startedMs
      await stream.close()
      return tookMs
    },
    stop: async () => {
      await host.stop()
    }
  }
}

export function onFrame(stream: Stream, hear: (body: Uint8Array) => void): void {
  const read = createFrameReader({ limit: LIMIT, onFrame: parts => hear(parts.length === 1 ? parts[0]! : Buffer.concat(parts)) })
  stream.addEventListener('message', ({ data }) => {
    for (const chunk of data instanceof Uint8Array ? [data] : data) read(chunk)
  })
}

export function sendFrame(stream: Stream, body: Uint8Array): void {
  stream.send(Buffer.concat([frameHead(body.byteLength), body]))
}
