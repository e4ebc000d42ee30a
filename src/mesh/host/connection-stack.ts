import type { Socket } from 'node:net'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import type { Libp2pOptions } from 'libp2p'
import { socketTls } from '../transport/socket-tls.ts'
import { socketTransport } from '../transport/socket-transport.ts'

/** How bytes travel between two hosts: the one place to change transport, encryption or multiplexing. */
export type ConnectionStack = Required<Pick<Libp2pOptions, 'transports' | 'connectionEncrypters' | 'streamMuxers'>>

/** Links have their own rule for silence, so nothing below them may end them for being idle. */
const NEVER_IDLE_MS = 24 * 60 * 60 * 1000

/**
 * A beat waits behind at most one window of every large transfer under way. Measured on a line of 20 Mbit/s with one and
 * three of them: 0.1 and 0.4 s with this, 0.2 and 0.6 s with twice as much, seconds with yamux's own 16 MiB.
 */
const MOST_WINDOW_BYTES = 256 * 1024

/** TCP, TLS before noise (native TLS costs a third less CPU; peers in other languages have both), and yamux. */
export function connectionStack(onSocket?: (socket: Socket) => void): ConnectionStack {
  return {
    transports: [socketTransport({ idleMs: NEVER_IDLE_MS, ...(onSocket === undefined ? {} : { onSocket }) })],
    connectionEncrypters: [socketTls(), noise()],
    streamMuxers: [
      yamux({
        maxInboundStreams: 256,
        maxOutboundStreams: 256,
        streamOptions: { maxStreamWindowSize: MOST_WINDOW_BYTES, inactivityTimeout: NEVER_IDLE_MS }
      })
    ]
  }
}
