import type { ControlMessage, Hello } from '../protocol/control.ts'
import type { PeerId } from '../protocol/ids.ts'
import type { Signer } from '../protocol/signer.ts'
import type { TransferHead } from '../protocol/transfer.ts'

export interface SignalOption {
  readonly signal?: AbortSignal
}

/** A peer found on the DHT, with the addresses known for it. */
export interface FoundPeer {
  readonly peer: PeerId
  readonly addresses: readonly string[]
}

/**
 * A transfer as it arrives. Read it by iterating (back-pressure reaches the sender) or whole with `all()`;
 * one left unread blocks its bulk stream, so end with `discard()` what is not wanted.
 */
export interface TransferBody extends AsyncIterable<Uint8Array> {
  /** Bytes that the payload has in all. */
  readonly byteLength: number
  /** What is left of the payload, if all of it is there: as `all()`, without waiting. Else undefined, and nothing is taken. */
  whole: () => readonly Uint8Array[] | undefined
  /** The whole payload, as the views it came in; at most `LIMITS.transferPayload` bytes. */
  all: (options?: SignalOption) => Promise<readonly Uint8Array[]>
  discard: () => void
}

/** What a role does with the traffic of a link. Handlers must not throw; a handler that does closes the link. */
export interface LinkHandlers {
  readonly onMessage: (link: Link, message: ControlMessage) => void
  readonly onTransfer: (link: Link, head: TransferHead, body: TransferBody) => void
  readonly onClose: (link: Link, error: Error | undefined) => void
  /** Every beat interval while it is open: the moment to look at its silence, when the process is awake anyway. */
  readonly onTick?: (link: Link) => void
}

/** One connection to another peer: a control stream that is never paused and reusable bulk streams. */
export interface Link {
  readonly remote: PeerId
  /** The other side's hello, already received. */
  readonly hello: Hello
  /** Our hello as this side sent it (its nonce is what the other side's binding must name). */
  readonly ownHello: Hello
  /** Multiaddr of the other side; tells whether it goes through a relay. */
  readonly remoteAddress: string
  readonly closed: boolean
  /** Sends a control frame; throws `ERR_LINK_CLOSED` on a closed link and `ERR_TOO_LARGE` above `LIMITS.controlFrame`. */
  send: (message: ControlMessage) => void
  /** Sends a transfer over an idle bulk stream (opens one, up to a few, else waits for its turn); resolves when the payload has been handed to the connection. Payload parts may come from an async iterable; `byteLength` is then required. */
  transfer: (
    head: TransferHead,
    payload: readonly Uint8Array[] | { byteLength: number; parts: AsyncIterable<Uint8Array> },
    options?: SignalOption
  ) => Promise<void>
  /** Milliseconds since any byte arrived (control or bulk). */
  silenceMs: () => number
  /** The 99th percentile of gaps between arrivals while beats were due, ms. */
  p99GapMs: () => number
  /** Round trip by heartbeat echo, ms; undefined until the first. */
  roundTripMs: () => number | undefined
  close: (error?: Error) => Promise<void>
}

/** libp2p as the roles see it. A fake of this drives their tests. */
export interface Mesh {
  readonly peerId: PeerId
  /** Signs with the peer key. */
  readonly signer: Signer
  /** Addresses that others can dial, with `/p2p/…`. */
  addresses: () => readonly string[]
  /** At most two of them as binary multiaddrs, the likeliest to work from elsewhere first; what announcements carry. */
  dialableAddresses: () => Uint8Array[]
  /** Dials a multiaddr (with or without `/p2p/…`); errors `ERR_PEER_UNREACHABLE`. */
  connect: (address: string, options?: SignalOption) => Promise<PeerId>
  /** Connects to a peer through any of these addresses, unless it is connected; errors `ERR_PEER_UNREACHABLE`. */
  dial: (peer: PeerId, options: SignalOption & { readonly addresses: readonly (string | Uint8Array)[] }) => Promise<void>
  /** Connections to these peers are the last to be closed when there are too many; replaces what was preferred under this name. */
  prefer: (name: string, peers: readonly PeerId[]) => void
  /** The link to a peer: the open one, else a new one (dialled by peer id, or by `addresses` when given), hello exchanged; errors `ERR_PEER_UNREACHABLE`. */
  link: (peer: PeerId, options?: SignalOption & { readonly addresses?: readonly (string | Uint8Array)[] }) => Promise<Link>
  links: () => readonly Link[]
  /** All connected peers, linked or not, with their addresses. */
  connections: () => readonly FoundPeer[]
  /** Round-trip time of libp2p ping, ms. */
  ping: (peer: PeerId, options?: SignalOption) => Promise<number>
  /** Publishes bytes without subscribing; resolves with how many peers they went to (0: nobody, retry as a new message). */
  publish: (topic: string, message: Uint8Array) => Promise<number>
  /** Peers known to subscribe to a topic now. */
  subscribers: (topic: string) => readonly PeerId[]
  /** Resolves as soon as at least `count` subscribers of a topic are known, those in `besides` not counted. */
  waitForSubscribers: (topic: string, count: number, options?: SignalOption & { readonly besides?: ReadonlySet<PeerId> }) => Promise<void>
  /** Hears a topic; returns what ends it. Invalid messages (size, schema, signature, expiry, rate per sender) never reach the listener nor are forwarded. */
  subscribe: (topic: string, listener: (message: Uint8Array) => void) => () => void
  /** Announces on the DHT that this peer serves `key` (any string; hashed to a CID), and keeps it renewed until `unprovide`. */
  provide: (key: string, options?: SignalOption) => Promise<void>
  unprovide: (key: string) => Promise<void>
  /** Peers that provide `key`, as they are found; ends when the DHT has no more. */
  findProviders: (key: string, options?: SignalOption) => AsyncIterable<FoundPeer>
  /** Puts this peer's signed capacity record on the DHT, under its own peer id. */
  putCapacity: (envelope: Uint8Array, options?: SignalOption) => Promise<void>
  /** The capacity record of a peer, checked (signature, owner, expiry); undefined when there is none. */
  getCapacity: (peer: PeerId, options?: SignalOption) => Promise<Uint8Array | undefined>
  /** Bytes by CID (a signed manifest or a block of a model) from one linked peer after another, unchecked; errors `ERR_MODEL_UNKNOWN` when none has them. */
  fetchBlock: (cid: string, options?: SignalOption) => Promise<Uint8Array>
  /** Sent and received so far, overhead included: what a metered network counts. */
  transferredBytes: () => number
  stop: () => Promise<void>
}
