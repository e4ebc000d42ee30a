import { setTimeout as delay } from 'node:timers/promises'
import { parsePolicy } from '../../src/energy/owner-policy.ts'
import { createPeer } from '../../src/peer.ts'
import { openVehicleSource } from '../../src/vehicle/open-vehicle-source.ts'

/** What the bench hands a car process whose vehicle it plays. */
export interface VehicleCarInit {
  readonly modelFolder: string
  readonly publisher: string
  readonly join: readonly string[]
  /** The KUKSA databroker of this car's vehicle. */
  readonly broker: string
}

/** What it tells of itself: here with these workers, admitting no more, or off the mesh. */
export type VehicleCarNews =
  | { readonly type: 'here'; readonly peerId: string; readonly workerPids: readonly number[] }
  | { readonly type: 'closed' }
  | { readonly type: 'away'; readonly reason: string }

/** Rises whenever it joins or leaves. */
let stay = 0
const init = JSON.parse(process.argv[2] ?? '{}') as VehicleCarInit
const send = (news: VehicleCarNews): void => void process.send?.(news)
process.on('disconnect', () => process.exit())

const peer = await createPeer({
  modelFolder: init.modelFolder,
  join: init.join,
  car: {
    policy: { publishers: [init.publisher] },
    vehicle: await openVehicleSource({ source: 'kuksa', address: init.broker }),
    ownerPolicy: parsePolicy('optedIn: true\nprice: {electricityPerKwh: 0}\n'),
    // A departure every second or two: what a car waits before it joins isn't what is measured.
    gate: { settleMs: 0, joinEveryMs: 0 },
    // Else it learns that it never stays for long, and offers nothing.
    stayOdds: () => null,
    onEvent: event => {
      if (event.type === 'left') {
        stay++
        send({ type: 'away', reason: event.reason })
      }
      if (event.type === 'joined') void tellHere(++stay)
      // After the look that was unfit, in the same turn of the event loop, admission is closed; it is read, not believed.
      if (event.type === 'unfit') setImmediate(tellClosed)
    }
  }
})

function tellClosed(): void {
  if (peer.car?.status().state === 'parked') setImmediate(tellClosed)
  else send({ type: 'closed' })
}

async function tellHere(current: number): Promise<void> {
  while (peer.status().peerId === null || peer.car?.status().state !== 'parked') {
    await delay(5)
    if (current !== stay) return
  }
  send({ type: 'here', peerId: peer.peerId, workerPids: peer.car.status().models.flatMap(({ workerPids }) => workerPids) })
}
