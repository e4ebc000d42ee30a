const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const MIB = 1024 * 1024

/** Times and sizes of a mesh; tests shorten the times. */
export const MESH_LIMITS = {
  /** Between two beats on an open link. */
  beatIntervalMs: 250,
  /** A link that is silent for longer is half-open and closed with its connection. */
  halfOpenMs: 15 * SECOND_MS,
  /** From a control stream's opening to the other side's hello. */
  helloTimeoutMs: 5 * SECOND_MS,
  /** From the wish for a connection to the end of its negotiation; on a busy machine a handshake alone takes seconds. */
  dialTimeoutMs: 15 * SECOND_MS,
  /** The same for one of several addresses of a peer. */
  addressDialTimeoutMs: 10 * SECOND_MS,
  /** A transfer that makes no progress for longer, with bytes outstanding and a reader waiting, fails. */
  stallMs: 30 * SECOND_MS,
  /** Bytes of whole payloads that may be gathered at once on one link: two of the largest. */
  gatheredBytes: 128 * MIB,
  /** Unsent control bytes at which the other side counts as not reading. */
  unsentControlBytes: 1 * MIB,
  /** Silent sockets hold a place until this is over; a busy machine needs seconds for forty handshakes at once. */
  inboundUpgradeTimeoutMs: 5 * SECOND_MS,
  /** Connections that may be upgrading at once: 50 silent sockets a second leave room for honest ones. */
  pendingConnections: 256,
  /** Connections that one address may open in a second; cars behind one carrier NAT share theirs. */
  connectionsPerAddress: 256,
  /** Connections at once; beyond it those to peers that are preferred least are closed. */
  connections: 300,
  /** How long a provider record is honoured; cars come and go. */
  providerValidityMs: 30 * MINUTE_MS,
  /** Provider records are renewed when they have less left. */
  providerRenewalMs: 12 * MINUTE_MS,
  /** How often provider records are looked through. */
  providerCheckMs: 5 * MINUTE_MS,
  /** A lookup on the DHT that the caller doesn't limit. */
  lookupTimeoutMs: 30 * SECOND_MS,
  /** Between questions on the local network. */
  mdnsIntervalMs: 10 * SECOND_MS
} as const

export type MeshLimits = { readonly [Name in keyof typeof MESH_LIMITS]: number }
