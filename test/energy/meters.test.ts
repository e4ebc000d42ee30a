import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { cpuTimeMs } from '../../src/energy/meters/cpu-time.ts'
import type { EnergyMeter } from '../../src/energy/meters/meter.ts'
import { type MeterOptions, openMeter } from '../../src/energy/meters/open-meter.ts'

let root = ''
let clockMs = 0
const opened: EnergyMeter[] = []

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'motorpool-sysfs-'))
  clockMs = 0
})
afterEach(() => {
  for (const meter of opened.splice(0)) meter.stop()
  rmSync(root, { recursive: true })
})

/** Opens a meter on the laid-out folder with a clock of our own; its timer is too slow to sample by itself. */
function open(options: MeterOptions = {}): EnergyMeter {
  const meter = openMeter({ sysfsRoot: root, procRoot: join(root, 'proc'), nowMs: () => clockMs, sampleMs: 3_600_000, ...options })
  opened.push(meter)
  return meter
}

function lay(path: string, content: string | number): void {
  const file = join(root, path)
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, `${content}\n`)
}

function layPackage(index: number, energyUj: number | string, rangeUj: number | string = 262_143_328_850, name = `package-${index}`): void {
  lay(`class/powercap/intel-rapl:${index}/name`, name)
  lay(`class/powercap/intel-rapl:${index}/energy_uj`, energyUj)
  lay(`class/powercap/intel-rapl:${index}/max_energy_range_uj`, rangeUj)
}

function setEnergy(index: number, energyUj: number | string): void {
  lay(`class/powercap/intel-rapl:${index}/energy_uj`, energyUj)
}

describe('RAPL', () => {
  test('adds up the packages, and neither their parts nor the platform', () => {
    layPackage(0, 1_000_000)
    layPackage(1, 5_000_000)
    layPackage(2, 7_000_000, 262_143_328_850, 'psys')
    lay('class/powercap/intel-rapl:0:0/energy_uj', 900_000)
    const meter = open()
    expect(meter).toMatchObject({ name: 'rapl', provenance: 'measured' })
    clockMs = 1000
    setEnergy(0, 3_000_000)
    setEnergy(1, 5_500_000)
    setEnergy(2, 99_000_000)
    expect(meter.readMj()).toBe(2500)
  })

  test('goes on where a counter wraps', () => {
    layPackage(0, 65_532_000_000, 65_532_610_987)
    const meter = open()
    clockMs = 1000
    setEnergy(0, 389_012)
    // 610,987 to the top, one step over it, 389,012 beyond.
    expect(meter.readMj()).toBe(1000)
    clockMs = 2000
    setEnergy(0, 1_389_012)
    expect(meter.readMj()).toBe(2000)
  })

  test.each(['junk', '', '-5', '1.5', '99999999999999999999', '262143328851'])('says nothing when a counter reads %j, and goes on after', junk => {
    layPackage(0, 1_000_000)
    const meter = open()
    clockMs = 1000
    setEnergy(0, junk)
    expect(meter.readMj()).toBeNull()
    clockMs = 2000
    setEnergy(0, 4_000_000)
    expect(meter.readMj()).toBe(3000)
  })

  test('says nothing when a counter is gone, stuck, or wasn’t read for long enough to have wrapped', () => {
    layPackage(0, 1_000_000)
    const meter = open()
    clockMs = 29_000
    expect(meter.readMj()).toBe(0)
    clockMs = 31_000
    expect(meter.readMj()).toBeNull()
    setEnergy(0, 2_000_000)
    expect(meter.readMj()).toBe(1000)
    rmSync(join(root, 'class/powercap/intel-rapl:0/energy_uj'))
    clockMs = 32_000
    expect(meter.readMj()).toBeNull()
    setEnergy(0, 5_000_000)
    clockMs = 200_000
    expect(meter.readMj()).toBeNull()
    clockMs = 201_000
    setEnergy(0, 6_000_000)
    expect(meter.readMj()).toBe(2000)
  })

  test.skipIf(process.getuid?.() === 0)('isn’t there when only root may read it (skipped for root, who may)', () => {
    layPackage(0, 1_000_000)
    chmodSync(join(root, 'class/powercap/intel-rapl:0/energy_uj'), 0)
    expect(open().name).toBe('none')
  })

  test.each([
    ['junk', 100],
    [50, 'junk'],
    [50, 0],
    [101, 100]
  ])('isn’t there when it reads %j of %j from the start', (energy, range) => {
    layPackage(0, energy, range)
    expect(open()).toMatchObject({ name: 'none', provenance: 'unknown' })
  })
})

describe('INA3221', () => {
  const HWMON = 'class/hwmon/hwmon3'
  const layRail = (channel: number, label: string, millivolts: number | string, milliamperes: number | string) => {
    lay(`${HWMON}/in${channel}_label`, label)
    lay(`${HWMON}/in${channel}_input`, millivolts)
    lay(`${HWMON}/curr${channel}_input`, milliamperes)
  }

  test('adds up volts times amperes of all rails over time', () => {
    lay(`${HWMON}/name`, 'ina3221')
    lay('class/hwmon/hwmon0/name', 'coretemp')
    layRail(1, 'GPU', 5000, 2000)
    layRail(2, 'CPU', 5000, 1000)
    const meter = open()
    expect(meter).toMatchObject({ name: 'ina3221', provenance: 'measured' })
    clockMs = 1000
    expect(meter.readMj()).toBe(15_000)
    // From 15 W to 25 W in a second, as a trapezoid.
    layRail(2, 'CPU', 5000, 3000)
    clockMs = 2000
    expect(meter.readMj()).toBe(35_000)
  })

  test('counts the board’s own rail alone where there is one', () => {
    lay(`${HWMON}/name`, 'ina3221')
    layRail(1, 'VDD_IN', 19_000, 1000)
    layRail(2, 'VDD_CPU', 19_000, 400)
    const meter = open()
    clockMs = 1000
    expect(meter.readMj()).toBe(19_000)
  })

  test('says nothing for a time in which it couldn’t be read, was stuck, or slept', () => {
    lay(`${HWMON}/name`, 'ina3221')
    layRail(1, 'VDD_IN', 10_000, 1000)
    const meter = open()
    clockMs = 1000
    layRail(1, 'VDD_IN', 'junk', 1000)
    expect(meter.readMj()).toBeNull()
    clockMs = 2000
    layRail(1, 'VDD_IN', 10_000, 1000)
    expect(meter.readMj()).toBeNull()
    clockMs = 3000
    expect(meter.readMj()).toBe(10_000)
    clockMs = 60_000
    expect(meter.readMj()).toBeNull()
    for (clockMs = 61_000; clockMs <= 125_000; clockMs += 5000) meter.readMj()
    expect(meter.readMj()).toBeNull()
  })

  test('isn’t there without current', () => {
    lay(`${HWMON}/name`, 'ina3221')
    layRail(1, 'VDD_IN', 19_000, 0)
    expect(open().name).toBe('none')
  })
})

test('the vehicle’s own figure counts when nothing is measured here, for as long as it is told', () => {
  let watts: number | null = 200
  const meter = open({ vehicleWatts: () => watts })
  expect(meter).toMatchObject({ name: 'vehicle', provenance: 'measured' })
  clockMs = 5000
  expect(meter.readMj()).toBe(1_000_000)
  watts = null
  clockMs = 6000
  expect(meter.readMj()).toBeNull()
})

describe('an estimate from CPU time', () => {
  const stat = (id: number, name: string, user: number, system: number) =>
    lay(`proc/${id}/stat`, `${id} (${name}) S 1 1 1 0 -1 4194304 1 0 0 0 ${user} ${system} 0 0 20 0 1 0 1 1 1`)

  test('is the processes’ time at a core’s power above the idle draw', () => {
    stat(7, 'worker (a) b', 100, 20)
    let ids = [7]
    const meter = open({ processIds: () => ids, wattsPerCore: 10, idleWatts: 2 })
    expect(meter).toMatchObject({ name: 'cpu-time', provenance: 'estimated' })
    stat(7, 'worker (a) b', 150, 70)
    clockMs = 1000
    // A second of CPU at 10 W and a second at 2 W.
    expect(meter.readMj()).toBe(12_000)
    // A new process counts from its start, a dead one keeps what it had.
    stat(8, 'worker', 50, 0)
    rmSync(join(root, 'proc/7'), { recursive: true })
    ids = [7, 8]
    clockMs = 2000
    expect(meter.readMj()).toBe(19_000)
  })

  test('reads this very process, whose CPU time only grows', () => {
    const before = cpuTimeMs('/proc', process.pid)
    const until = performance.now() + 100
    while (performance.now() < until);
    const after = cpuTimeMs('/proc', process.pid)
    expect(before).toBeGreaterThanOrEqual(0)
    expect(after).toBeGreaterThanOrEqual(before ?? Number.POSITIVE_INFINITY)
    expect(cpuTimeMs('/proc', 2 ** 30)).toBeNull()
  })

  test('isn’t made without a core’s power', () => {
    expect(open({ processIds: () => [process.pid] })).toMatchObject({ name: 'none', provenance: 'unknown' })
  })
})

test('measured comes before told, told before estimated', () => {
  const options = { vehicleWatts: () => 100, processIds: () => [], wattsPerCore: 1 }
  expect(open(options).name).toBe('vehicle')
  layPackage(0, 5)
  expect(open(options).name).toBe('rapl')
})
