import { describe, expect, onTestFinished, test } from 'vitest'
import type { SignalPath } from '../../src/protocol/vehicle/signals.ts'
import type { VehicleSource } from '../../src/vehicle/vehicle-source.ts'

export const GEAR = 'Vehicle.Powertrain.Transmission.SelectedGear'
export const PARK = 126
export const DRIVE = 127

/** A source with what it reads from: a parked vehicle, on the same clock as the test. */
export interface ContractSubject {
  readonly source: VehicleSource
  /** The driver puts it into gear D. */
  readonly drive: () => void | Promise<void>
  /** Cuts the source off from the vehicle; absent where nothing lies between. */
  readonly lose?: () => void | Promise<void>
  /** The vehicle can be heard again, and is parked. */
  readonly regain?: () => void | Promise<void>
  readonly close: () => void | Promise<void>
}

/** Resolves once the source is as it should be; changes that never come end in the test's timeout. */
export async function until(source: VehicleSource, isSo: () => boolean): Promise<void> {
  if (isSo()) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const end = source.onChange(() => {
    if (isSo()) resolve()
  })
  await promise
  end()
}

export const readingOf = (source: VehicleSource, path: SignalPath) => source.signals().get(path)
const isInGear = (source: VehicleSource, gear: number) => readingOf(source, GEAR)?.value === gear

/** What every source of a vehicle's signals keeps to. */
export function vehicleContract(name: string, start: () => Promise<ContractSubject>): void {
  describe(`the source ${name}`, () => {
    const begin = async (): Promise<ContractSubject> => {
      const subject = await start()
      onTestFinished(async () => {
        await subject.source.stop()
        await subject.close()
      })
      await until(subject.source, () => subject.source.state() === 'live' && isInGear(subject.source, PARK))
      return subject
    }

    test('tells its name, is live without trouble, and has the gear', async () => {
      const { source } = await begin()
      expect(source.name).toBe(name)
      expect(source.trouble()).toBeUndefined()
    })

    test('keeps what it knows fresh while nothing changes', async () => {
      const { source } = await begin()
      const first = readingOf(source, GEAR)!.arrivedMs
      await until(source, () => readingOf(source, GEAR)!.arrivedMs > first)
      expect(isInGear(source, PARK)).toBe(true)
    })

    test('calls back when the gear changes, and leaves earlier snapshots as they were', async () => {
      const { source, drive } = await begin()
      const before = source.signals()
      await drive()
      await until(source, () => isInGear(source, DRIVE))
      expect(before.get(GEAR)?.value).toBe(PARK)
    })

    test('calls a listener no more that has ended', async () => {
      const { source, drive } = await begin()
      let calls = 0
      const end = source.onChange(() => calls++)
      end()
      await drive()
      await until(source, () => isInGear(source, DRIVE))
      expect(calls).toBe(0)
    })

    test('has stopped when stop resolves: no callback comes, and twice is fine', async () => {
      const { source, drive } = await begin()
      let calls = 0
      source.onChange(() => calls++)
      await source.stop()
      calls = 0
      await drive()
      await source.stop()
      await new Promise(resolve => setTimeout(resolve, 100))
      expect(calls).toBe(0)
      expect(source.state()).toBe('ended')
      expect(source.trouble()).toBeDefined()
    })

    test('says why it is lost, lets what it told grow old, and comes back', async context => {
      const { source, lose, regain } = await begin()
      if (lose === undefined || regain === undefined) return context.skip(`nothing lies between ${name} and what it tells`)
      await lose()
      await until(source, () => source.state() === 'lost')
      expect(source.trouble()).toMatch(/\w{4}/)
      const { arrivedMs } = readingOf(source, GEAR)!
      await new Promise(resolve => setTimeout(resolve, 100))
      expect(readingOf(source, GEAR)?.arrivedMs).toBe(arrivedMs)
      await regain()
      await until(source, () => source.state() === 'live' && isInGear(source, PARK))
      expect(source.trouble()).toBeUndefined()
      expect(readingOf(source, GEAR)!.arrivedMs).toBeGreaterThan(arrivedMs)
    })
  })
}
