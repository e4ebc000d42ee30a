import { describe, expect, test } from 'vitest'
import { parseIntensity, sciPerTask } from '../../src/energy/carbon.ts'
import { DEFAULT_POLICY } from '../../src/energy/owner-policy.ts'
import { priceFloor } from '../../src/energy/price-floor.ts'

describe('the price floor', () => {
  test('is electricity times energy and the margin, and the battery’s wear when unplugged', () => {
    // 30 ct + 20 % are 360,000 millionths a kWh.
    expect(priceFloor(DEFAULT_POLICY, { energyMj: 3.6e9, pluggedIn: true })).toBe(360_000)
    expect(priceFloor(DEFAULT_POLICY, { energyMj: 3.6e9, pluggedIn: false })).toBe(420_000)
    expect(priceFloor(DEFAULT_POLICY, { energyMj: 0, pluggedIn: false })).toBe(0)
  })

  test('is whole, never below the cost', () => {
    expect(priceFloor(DEFAULT_POLICY, { energyMj: 1, pluggedIn: true })).toBe(1)
    expect(priceFloor(DEFAULT_POLICY, { energyMj: 10_001, pluggedIn: true })).toBe(2)
    expect(priceFloor(DEFAULT_POLICY, { energyMj: 100_000, pluggedIn: true })).toBe(10)
  })

  test.each([Number.NaN, -1, Number.POSITIVE_INFINITY])('refuses %s mJ', energyMj => {
    expect(() => priceFloor(DEFAULT_POLICY, { energyMj, pluggedIn: true })).toThrow('is no energy')
  })
})

describe('carbon intensity', () => {
  const gb = (actual: number | null) => ({
    data: [{ from: '2018-01-20T12:00Z', to: '2018-01-20T12:30Z', intensity: { forecast: 266, actual, index: 'moderate' } }]
  })

  test('is read from GB’s answers, the forecast where nothing is measured yet', () => {
    const atUnixMs = Date.parse('2018-01-20T12:00:00Z')
    expect(parseIntensity('gb', gb(263))).toEqual({ gramsPerKwh: 263, kind: 'average', atUnixMs, isEstimated: false })
    expect(parseIntensity('gb', gb(null))).toEqual({ gramsPerKwh: 266, kind: 'average', atUnixMs, isEstimated: true })
  })

  test('is read from Electricity Maps’ answers and from an owner’s file', () => {
    const datetime = '2026-01-01T12:00:00.000Z'
    const atUnixMs = Date.parse(datetime)
    expect(parseIntensity('electricity-maps', { zone: 'DE', carbonIntensity: 302, datetime, isEstimated: true, estimationMethod: 'x' })).toEqual({
      gramsPerKwh: 302,
      kind: 'average',
      atUnixMs,
      isEstimated: true
    })
    expect(parseIntensity('plain', { gramsPerKwh: 450, kind: 'marginal', at: datetime })).toEqual({
      gramsPerKwh: 450,
      kind: 'marginal',
      atUnixMs,
      isEstimated: false
    })
  })

  test.each([
    ['gb', {}, 'data'],
    ['gb', { data: [] }, 'data'],
    ['gb', { data: [{ from: 'x', intensity: { forecast: 1, actual: 1 } }] }, 'data.0.from'],
    ['gb', { data: [{ from: '2018-01-20T12:00', intensity: { forecast: 1, actual: 1 } }] }, 'must be a time with its zone'],
    ['gb', { data: [{ from: '2018-01-20T12:00Z', intensity: { forecast: null, actual: null } }] }, 'neither'],
    ['electricity-maps', { carbonIntensity: '302', datetime: '2026-01-01T12:00:00Z' }, 'carbonIntensity'],
    ['electricity-maps', { carbonIntensity: -3, datetime: '2026-01-01T12:00:00Z' }, 'carbonIntensity'],
    ['electricity-maps', 'junk', 'electricity-maps'],
    ['plain', { gramsPerKwh: 1, at: '2026-01-01T12:00Z' }, 'kind']
  ] as const)('of the format %s in %j is refused', (format, value, text) => {
    expect(() => parseIntensity(format, value)).toThrow(expect.objectContaining({ code: 'ERR_CARBON_INTENSITY', message: expect.stringContaining(text) }))
  })
})

test('SCI is (E × I) + M for one task, tagged as its intensity is', () => {
  const intensity = { gramsPerKwh: 300, kind: 'marginal', atUnixMs: 0, isEstimated: false } as const
  // 36 kJ are 0.01 kWh: 3 g. One hour of a device of 80 kg and 40,000 h, half of it reserved: 1 g.
  const sci = sciPerTask({ energyMj: 36_000_000, ranMs: 3_600_000 }, intensity, { totalGrams: 80_000, lifetimeHours: 40_000, resourceShare: 0.5 })
  expect(sci.grams).toBeCloseTo(4, 9)
  expect(sci.kind).toBe('marginal')
})
