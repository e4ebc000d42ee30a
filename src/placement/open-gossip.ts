import { type Opened, openAnnouncement, openBeacon } from '../protocol/envelope.ts'

/** As `openAnnouncement`, once for the same bytes: gossip is judged before it is heard, and nobody changes it between. */
export const openHeardAnnouncement = once(openAnnouncement)

/** As `openBeacon`, once for the same bytes. */
export const openHeardBeacon = once(openBeacon)

function once<T>(open: (bytes: Uint8Array) => Opened<T>): (bytes: Uint8Array) => Opened<T> {
  const known = new WeakMap<Uint8Array, Opened<T>>()
  return bytes => {
    const opened = known.get(bytes) ?? open(bytes)
    known.set(bytes, opened)
    return opened
  }
}
