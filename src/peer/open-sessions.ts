import { randomBytes } from 'node:crypto'
import type { CarOptions } from '../car/car.ts'
import type { OwnerDesk } from '../car/owner/owner-desk.ts'
import { openCarJournal } from '../ledger/store/car-journal.ts'
import { openClientJournal } from '../ledger/store/client-journal.ts'
import { type DataFolder, openDataFolder } from '../ledger/store/data-folder.ts'
import { loadOrCreateSeed } from '../ledger/store/key-file.ts'
import type { ModelStore } from '../models/model-store.ts'
import { signerFromSeed } from '../protocol/signer.ts'
import type { PeerOptions, PeerParts } from './peer-options.ts'
import { type Session, startSession } from './session.ts'

/** What differs from one session to the next. */
export interface SessionStart {
  readonly join: readonly string[]
  readonly signal: AbortSignal
  /** Absent for a peer that offers nothing. */
  readonly offering: { readonly desk: OwnerDesk; readonly why: string; readonly stayOdds: CarOptions['stayOdds'] } | undefined
}

/** Opens keys and journals, for one session after another; `cleanUp` gets what closes them. */
export function openSessions(
  folder: string,
  options: PeerOptions,
  parts: PeerParts,
  store: ModelStore,
  cleanUp: (() => void)[]
): (how: SessionStart) => Promise<Session> {
  const kept = <Closable extends { readonly close: () => void }>(closable: Closable): Closable => {
    cleanUp.push(() => closable.close())
    return closable
  }
  const openFolder = (role: 'client' | 'car'): DataFolder => kept(openDataFolder(folder, role))
  const clientJournal = kept(openClientJournal(openFolder('client')))
  const shared = { options, parts, store, journal: clientJournal }
  const { car } = options
  if (car === undefined) {
    const account = signerFromSeed(loadOrCreateSeed(folder, 'account'))
    return ({ join, signal }) => startSession({ ...shared, join, signal, account, offering: undefined })
  }
  const journal = kept(openCarJournal(openFolder('car')))
  const deviceSeed = loadOrCreateSeed(folder, 'device')
  return ({ join, signal, offering }) =>
    startSession({
      ...shared,
      join,
      signal,
      // A car that also asks does so under a new account each stay: one that lasts would link its stays.
      account: signerFromSeed(randomBytes(32)),
      offering: offering === undefined ? undefined : { ...offering, car, journal, deviceSeed }
    })
}
