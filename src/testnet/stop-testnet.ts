import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type ProcessIdentity, signalProcess, waitUntilGone } from './process-identity.ts'
import { readTestnet } from './testnet-state.ts'

/** A car hands its work back and stops its workers within 2 s, one that is just joining or on a busy machine later; then it is ended. */
const POLITE_LIMIT_MS = 8_000
/** What a testnet makes in its folder; anything else there is somebody's own. */
const OWN_ENTRIES = /^(testnet\.json(\.\d+\.new)?|models|client|publisher\.key|car-[1-9]\d*)$/

/** Ends cars: politely, then with SIGKILL. Resolves when they are gone. */
export async function stopCars(cars: readonly ProcessIdentity[]): Promise<void> {
  for (const car of cars) signalProcess(car, 'SIGTERM')
  await Promise.all(
    cars.map(async car => {
      if (await waitUntilGone(car, POLITE_LIMIT_MS)) return
      signalProcess(car, 'SIGKILL')
      await waitUntilGone(car, POLITE_LIMIT_MS)
    })
  )
}

/** Removes what a testnet left in its folder, and the folder when nothing else is in it. */
export async function removeTestnet(folder: string): Promise<void> {
  for (const entry of await readdir(folder).catch(() => [])) {
    if (OWN_ENTRIES.test(entry)) await rm(join(folder, entry), { recursive: true, force: true, maxRetries: 3 })
  }
  await rmdir(folder).catch(() => undefined)
}

/** Ends the testnet in a folder and removes it; `ERR_NO_TESTNET` when there is none. Resolves with how many cars it had. */
export async function stopTestnet(folder: string): Promise<number> {
  const { cars } = readTestnet(folder)
  await stopCars(cars)
  await removeTestnet(folder)
  return cars.length
}
