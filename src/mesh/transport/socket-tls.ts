import { connect, TLSSocket } from 'node:tls'
import { type ConnectionEncrypter, InvalidCryptoExchangeError, type SecureConnectionOptions, type SecuredConnection } from '@libp2p/interface'
import { type TLSComponents, tls } from '@libp2p/tls'
import { verifyPeerCertificate } from '@libp2p/tls/utils'
import { withSignal } from '../with-signal.ts'
import { createHostCertificate } from './host-certificate.ts'
import { hasSocket, type SocketConnection } from './socket-connection.ts'
import { TlsConnection } from './tls-connection.ts'

/** What may wait in a socket before a sender hears that it is full: one window of a bulk stream. */
const MOST_WAITING_BYTES = 512 * 1024
/** Stands for no muxer in particular: that is then negotiated after the handshake. */
const NO_MUXER = 'libp2p'

/**
 * libp2p's TLS 1.3 (https://github.com/libp2p/specs/blob/master/tls/tls.md) on the socket itself, with early negotiation of the
 * muxer. `@libp2p/tls` speaks the same, but every record passes through JavaScript twice; it serves connections without a socket.
 */
export function socketTls(): (components: TLSComponents) => ConnectionEncrypter {
  return components => {
    const stock = tls()(components)
    const certificate = createHostCertificate(components.privateKey)

    const secure = async (connection: SocketConnection, isServer: boolean, options: SecureConnectionOptions): Promise<SecuredConnection> => {
      // What arrives meanwhile is for the handshake.
      connection.pause()
      const secureContext = await withSignal(certificate(), options.signal)
      if (connection.status !== 'open') throw closedEarly()
      const muxers = options.skipStreamMuxerNegotiation === true ? new Map() : components.upgrader.getStreamMuxers()
      const choices = [...muxers.keys(), NO_MUXER]
      const settings = { secureContext, rejectUnauthorized: false, highWaterMark: MOST_WAITING_BYTES }
      const choose = (offered: readonly string[]) => offered.find(protocol => muxers.has(protocol)) ?? offered.find(protocol => protocol === NO_MUXER)
      const socket = connection.handOn(raw =>
        isServer
          ? new TLSSocket(raw, { ...settings, isServer, requestCert: true, ALPNCallback: ({ protocols }) => choose(protocols) })
          : connect({ ...settings, socket: raw, ALPNProtocols: choices })
      )
      try {
        await withSignal(whenSecure(socket), options.signal)
        const remotePeer = await withSignal(verifyPeerCertificate(socket.getPeerCertificate().raw, options.remotePeer, connection.log), options.signal)
        if (socket.destroyed) throw closedEarly()
        const streamMuxer = typeof socket.alpnProtocol === 'string' ? muxers.get(socket.alpnProtocol) : undefined
        return { remotePeer, connection: new TlsConnection(connection, socket), ...(streamMuxer !== undefined && { streamMuxer }) }
      } catch (error) {
        socket.on('error', () => {})
        connection.abort(error instanceof Error ? error : new Error(String(error)))
        throw error
      }
    }
    return {
      protocol: stock.protocol,
      secureInbound: (connection, options) => (hasSocket(connection) ? secure(connection, true, options ?? {}) : stock.secureInbound(connection, options)),
      secureOutbound: (connection, options) => (hasSocket(connection) ? secure(connection, false, options ?? {}) : stock.secureOutbound(connection, options))
    }
  }
}

function whenSecure(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('secure', resolve)
    socket.once('error', reject)
    socket.once('close', () => reject(closedEarly()))
  })
}

function closedEarly(): InvalidCryptoExchangeError {
  return new InvalidCryptoExchangeError('the connection was closed before the handshake was over')
}
