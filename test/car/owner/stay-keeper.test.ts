import { expect, test } from 'vitest'
import { createStayKeeper } from '../../../src/car/owner/stay-keeper.ts'
import { vouchedFitness } from '../../../src/car/owner/vouched-fitness.ts'
import { judgeFitness } from '../../../src/energy/fitness.ts'
import { parsePolicy } from '../../../src/energy/owner-policy.ts'
import { noUsage } from '../../../src/energy/owner-usage.ts'
import type { StayHistory } from '../../../src/placement/stays/stay-history.ts'
import { signalsOf } from '../../energy/parked-signals.ts'

const MONDAY = Date.UTC(2026, 2, 2, 18)
const HOUR_MS = 3_600_000
const PARKED = signalsOf()
const DRIVING = signalsOf({ 'Vehicle.Powertrain.Transmission.SelectedGear': 127 })

test('remembers each stay from Park to drive, and tells the odds of the present one only', () => {
  let nowMs = MONDAY
  let kept: StayHistory | undefined
  const keeper = createStayKeeper({
    store: {
      read: () => undefined,
      write: history => {
        kept = history
      }
    },
    unixMs: () => nowMs,
    timeZone: () => 'Europe/Berlin',
    rate: 1
  })
  expect(keeper.odds(60)).toBeNull()
  for (let day = 0; day < 20; day++) {
    nowMs = MONDAY + day * 24 * HOUR_MS
    keeper.look(PARKED, null)
    nowMs += 10 * HOUR_MS
    keeper.look(DRIVING, null)
  }
  expect(kept?.stays).toHaveLength(20)
  expect(kept?.stays[0]).toMatchObject({ arrivalHour: 19, weekday: 0, isPlugged: true, plannedS: null, lengthS: 36_000 })
  expect(keeper.odds(60)).toBeNull()
  nowMs = MONDAY + 20 * 24 * HOUR_MS
  keeper.look(PARKED, null)
  expect(keeper.odds(3600)).toBeGreaterThan(0.8)
  expect(keeper.odds(16 * 3600)).toBeLessThan(0.3)
})

test('a person vouches for what their machine has no sensor for, but not for the plug, nor against what is told', () => {
  const policy = parsePolicy('optedIn: true\n')
  const judge = (signals: ReturnType<typeof signalsOf>) => {
    const fitness = judgeFitness({ signals, policy, nowMonotonicMs: 0, nowUnixMs: MONDAY, usage: noUsage(MONDAY, policy) })
    return vouchedFitness(fitness, signals, policy)
  }
  const told = (paths: readonly string[], from = PARKED) => new Map([...from].filter(([path]) => paths.some(each => path.includes(each))))
  expect(judge(told(['SelectedGear', 'Speed', 'IsMoving', 'Cable']))).toEqual({ fit: true })
  expect(judge(told(['SelectedGear', 'Speed', 'IsMoving']))).toMatchObject({ fit: false, reasons: [{ code: 'unplugged' }] })
  expect(judge(told(['SelectedGear', 'Speed', 'IsMoving', 'Cable'], DRIVING)).fit).toBe(false)
})
