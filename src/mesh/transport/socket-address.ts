import type { IpcNetConnectOpts, TcpNetConnectOpts } from 'node:net'
import { getNetConfig } from '@libp2p/utils'
import { CODE_UNIX, type Multiaddr } from '@multiformats/multiaddr'
import { TCP } from '@multiformats/multiaddr-matcher'

/** Whether a multiaddr is for plain TCP, or a Unix socket. */
export function isSocketAddress(address: Multiaddr): boolean {
  return TCP.exactMatch(address) || unixPath(address) !== undefined
}

/** What `net.connect` and `server.listen` want to know of it. */
export function socketAddress(address: Multiaddr): IpcNetConnectOpts | (TcpNetConnectOpts & { readonly ipv6Only: boolean }) {
  const path = unixPath(address)
  if (path !== undefined) return { path }
  const { host, port, type } = getNetConfig(address)
  return { host, port: port ?? 0, ipv6Only: type === 'ip6' }
}

export function unixPath(address: Multiaddr): string | undefined {
  return address.getComponents().find(({ code }) => code === CODE_UNIX)?.value
}
