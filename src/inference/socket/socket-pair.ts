import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'

/** What one read takes: a socket holds some 200 KB, and more than this falls out of the processor's cache before it is copied. */
const READ_BYTES = 64 * 1024

/** Options of a socket all of whose reads go into one buffer, which `onChunk` sees until it returns; the default allocates one for each. */
export function readInto(onChunk: (chunk: Uint8Array) => void): {
  readonly buffer: Uint8Array
  readonly callback: (length: number, buffer: Uint8Array) => boolean
} {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  return {
    buffer,
    callback: (length, bytes) => {
      onChunk(bytes.subarray(0, length))
      return true
    }
  }
}

/** Two ends of one connection; `theirs` is for a child process, and paused here. */
export interface SocketPair {
  readonly ours: Socket
  readonly theirs: Socket
}

/**
 * Two connected sockets, through a name in a folder that nobody else can reach, which is gone again afterwards. The pair that
 * `spawn` makes cannot be told to read into one buffer, and takes twice the CPU for large results. Rejects with the system's
 * error, such as for a path longer than socket names may be.
 */
export async function openSocketPair(folder: string, onChunk: (chunk: Uint8Array) => void): Promise<SocketPair> {
  const path = join(folder, 'socket')
  const server = createServer({ pauseOnConnect: true })
  try {
    server.listen(path)
    await once(server, 'listening')
    const ours = connect({ path, onread: readInto(onChunk) })
    const [[theirs]] = await Promise.all([once(server, 'connection'), once(ours, 'connect')])
    return { ours, theirs }
  } finally {
    server.close()
  }
}
