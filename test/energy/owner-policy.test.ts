import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { allowedModels, allowsAccount } from '../../src/energy/allowances.ts'
import { DEFAULT_POLICY, keysAt, parsePolicy } from '../../src/energy/owner-policy.ts'
import { POLICY_NOTES } from '../../src/energy/policy/policy-notes.ts'
import { isMotorpoolError } from '../../src/protocol/errors.ts'
import type { AccountId } from '../../src/protocol/ids.ts'

function problemIn(source: unknown): string {
  try {
    parsePolicy(source)
  } catch (error) {
    if (isMotorpoolError(error, 'ERR_BAD_POLICY')) return error.message
    throw error
  }
  return 'fine'
}

test('an empty file is all defaults, and these are safe', () => {
  expect(parsePolicy('')).toEqual(DEFAULT_POLICY)
  expect(parsePolicy('# nothing but a comment\n')).toEqual(DEFAULT_POLICY)
  expect(DEFAULT_POLICY).toMatchObject({ optedIn: false, battery: { pluggedInOnly: true }, models: [], publishers: [] })
  expect(allowedModels(DEFAULT_POLICY)).toBeUndefined()
})

test('a file sets what it names and leaves the rest', () => {
  const policy = parsePolicy('optedIn: true\ntimeZone: Europe/Berlin\nbattery:\n  floorPercent: 45\ncontract: {readyAt: 07:30, percent: 60}\n')
  expect(policy).toEqual({
    ...DEFAULT_POLICY,
    optedIn: true,
    timeZone: 'Europe/Berlin',
    battery: { ...DEFAULT_POLICY.battery, floorPercent: 45 },
    contract: { readyAt: '07:30', percent: 60, marginMinutes: 15 }
  })
  expect(parsePolicy(policy)).toEqual(policy)
})

describe('a wrong policy is refused with line and words', () => {
  test.each([
    ['optedIn: true\nbatery:\n  x: 1', 'line 2: there is no key batery, did you mean battery?'],
    ['battery:\n  floorPercnt: 20', 'line 2: there is no key battery.floorPercnt, did you mean floorPercent?'],
    ['contract: {readyat: "07:30", percent: 60}', 'did you mean readyAt?'],
    ['quietHours:\n  - form: "22:00"\n    to: "06:00"', 'line 2: there is no key quietHours.0.form, did you mean from?'],
    ['zzz: 1', 'there is no key zzz, there are optedIn, timeZone'],
    ['battery:\n  floorPercent: 90\n  chargeLimitPercent: 80', 'line 2: battery.floorPercent, 90, must be below battery.chargeLimitPercent, 80'],
    ['timeZone: UTC\nbattery: {chargeLimitPercent: 50}\ncontract: {readyAt: "07:30", percent: 60}', 'line 3: contract.percent, 60, is above'],
    ['quietHours: [{from: "22:00", to: "06:00"}]', 'local times need timeZone'],
    ['contract: {readyAt: "07:30", percent: 60}', 'local times need timeZone'],
    ['timeZone: Berlin', 'line 1: timeZone: must be an IANA time zone'],
    ['timeZone: UTC\nquietHours: [{from: "22:00", to: "22:00"}]', 'line 2: quietHours cover the whole day'],
    ['timeZone: UTC\nquietHours: [{from: "06:00", to: "18:00"}, {from: "17:00", to: "06:00"}]', 'quietHours cover the whole day'],
    ['timeZone: UTC\ncontract: {readyAt: "24:00", percent: 60}', 'must be a local time such as "07:30"'],
    ['timeZone: UTC\ncontract: {readyAt: "07:30"}', 'contract.percent is missing'],
    ['temperature: {batteryMinCelsius: 30, batteryMaxCelsius: 20}', 'must be below batteryMaxCelsius'],
    ['network: {metered: true, megabytesPerDay: null}', 'a metered network needs network.megabytesPerDay'],
    ['battery: {floorPercent: 101}', 'line 1: battery.floorPercent: Too big'],
    ['price: {wearPerKwh: 0.2}', 'price.wearPerKwh: Too big'],
    ['price: {wearPerKwh: .nan}', 'received NaN'],
    ['optedIn: yes', 'optedIn: expected boolean'],
    ['allow: everyone', 'allow: must be anyone, or a list of account keys'],
    ['models: [ocr]', 'models.0: must be a model CID'],
    ['a: [', 'line 1: Flow sequence'],
    ['optedIn: true\noptedIn: false', 'line 2: Map keys must be unique'],
    ['- optedIn', 'the policy: expected object'],
    ['a: &a [x]\nb: *c', 'Unresolved alias']
  ])('%j', (text, expected) => {
    expect(problemIn(text)).toContain(expected)
    expect(problemIn(text)).toMatch(/^the policy is wrong: [^;\n]+; [^;\n]+$/)
  })

  test('a value without a file is refused without a line', () => {
    expect(problemIn({ battery: { floorPercent: -1 } })).toContain('is wrong: battery.floorPercent: Too small')
    expect(problemIn(null)).toContain('expected object')
  })

  test('a bomb of aliases is refused quickly', () => {
    const levels = Array.from(
      { length: 12 },
      (_, level) =>
        `k${level}: &k${level} [${Array(10)
          .fill(level === 0 ? 'x' : `*k${level - 1}`)
          .join(', ')}]`
    )
    expect(problemIn(levels.join('\n'))).toContain('alias')
  })
})

test('any text is a policy or a bad policy, nothing else', () => {
  const line = fc
    .tuple(
      fc.constantFrom(...Object.keys(POLICY_NOTES).map(key => key.split('.').at(-1)!), 'x', '-'),
      fc.oneof(fc.string(), fc.constantFrom('true', 'null', '{}', '[', '10', '"07:30"'))
    )
    .map(([key, value]) => `${key}: ${value}`)
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(line).map(lines => lines.join('\n'))
      ),
      text => {
        expect(problemIn(text)).toMatch(/^(fine|the policy is wrong: [^\n]+)$/)
      }
    ),
    { numRuns: 500 }
  )
})

test('each key is explained on the command line and in docs/policy.md, and no other', () => {
  const keys = (path: readonly string[]): string[] => keysAt(path).flatMap(key => [[...path, key].join('.'), ...keys([...path, key])])
  const all = keys([]).filter(key => !key.startsWith('quietHours.'))
  expect(Object.keys(POLICY_NOTES)).toEqual(all)
  const page = readFileSync(new URL('../../docs/policy.md', import.meta.url), 'utf8')
  const listed = [...page.matchAll(/^\| `([\w.]+)` \|/gm)].map(([, key]) => key!)
  expect(listed).toEqual(all.filter(key => keysAt(key.split('.')).length === 0 || key === 'contract' || key === 'carbon.embodied'))
})

test('the owner says who may use the car and what it may run', () => {
  const key = 'ab'.repeat(32)
  const policy = parsePolicy({ allow: [key], publishers: [key] })
  expect(allowsAccount(policy, key as AccountId)).toBe(true)
  expect(allowsAccount(policy, 'cd'.repeat(32) as AccountId)).toBe(false)
  expect(allowsAccount(DEFAULT_POLICY, key as AccountId)).toBe(true)
  expect(allowedModels(policy)).toEqual({ publishers: [key], models: [] })
})
