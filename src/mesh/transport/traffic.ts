import type { Socket } from 'node:net'

/** Counts what passes through sockets, as the network sees it: TLS, multiplexing and gossip included. */
export interface Traffic {
  readonly watch: (socket: Socket) => void
  /** Sent and received so far. */
  readonly bytes: () => number
}

export function createTraffic(): Traffic {
  const open = new Set<Socket>()
  let ended = 0
  const bytesOf = ({ bytesRead, bytesWritten }: Socket): number => bytesRead + bytesWritten
  return {
    watch: socket => {
      open.add(socket)
      socket.once('close', () => {
        open.delete(socket)
        ended += bytesOf(socket)
      })
    },
    bytes: () => {
      let sum = ended
      for (const socket of open) sum += bytesOf(socket)
      return sum
    }
  }
}
