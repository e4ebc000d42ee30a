/**
 * A car that comes and goes by its vehicle: a recorded morning, played 300 times as fast, in which it drives to work. Prints why
 * it joins and leaves, and ends with the recording. `node examples/commuter.ts`
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPeer, openModelStore, openTrace, parsePolicy, signerFromSeed } from '../src/index.ts'

const dataFolder = await mkdtemp(join(tmpdir(), 'motorpool-commuter-'))
const store = await openModelStore(join(dataFolder, 'models'))
const { cid } = await store.add(join(import.meta.dirname, 'add.onnx'), { publisher: signerFromSeed(new Uint8Array(32).fill(1)) })

// A live vehicle is `openVehicleSource('kuksa://127.0.0.1')` instead, and needs no clock of its own.
const vehicle = await openTrace({ path: join(import.meta.dirname, 'commuter.jsonl'), speed: 300 })
const time = () => new Date(vehicle.clock.unixMs()).toISOString().slice(11, 16)
const peer = await createPeer({
  dataFolder,
  car: {
    policy: { models: [cid] },
    vehicle,
    vehicleClock: vehicle.clock,
    // Without its owner's consent a car never works; the rest has safe defaults, such as: plugged in only.
    ownerPolicy: parsePolicy({ optedIn: true, battery: { floorPercent: 40 } }),
    onEvent: event => {
      if (event.type === 'joined') console.log(`${time()} joined: ${event.why}`)
      if (event.type === 'left') console.log(`${time()} left: ${event.reason}`)
    }
  }
})

await new Promise<void>(resolve => vehicle.onChange(() => (vehicle.state() === 'ended' ? resolve() : undefined)))
await peer.stop()
await rm(dataFolder, { recursive: true })
