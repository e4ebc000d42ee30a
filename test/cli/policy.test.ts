import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DEFAULT_POLICY, parsePolicy } from '../../src/energy/owner-policy.ts'
import { POLICY_NOTES } from '../../src/energy/policy/policy-notes.ts'
import { runCommand } from './run-command.ts'

let folder = ''
let path = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'motorpool-policy-'))
  path = join(folder, 'policy.yaml')
})
afterEach(() => rmSync(folder, { recursive: true }))

const policy = (...argv: readonly string[]): Promise<string> => runCommand(folder, ['policy', ...argv])

test('show prints every key with what it means, as a file that says the same', async () => {
  const text = await policy('show')
  expect(parsePolicy(text)).toEqual(DEFAULT_POLICY)
  for (const [key, note] of Object.entries(POLICY_NOTES)) if (!/^(contract|carbon\.embodied)\./.test(key)) expect(text, key).toContain(`# ${note}\n`)
  expect(text).toContain('isn’t there')
  expect(JSON.parse(await policy('show', '--json'))).toEqual(DEFAULT_POLICY)
})

test('set keeps comments and what else is there, and writes a file for the user alone', async () => {
  writeFileSync(path, '# mine\noptedIn: true # yes\nbattery:\n  # enough for the hospital\n  floorPercent: 40\n', { mode: 0o644 })
  expect(await policy('set', 'battery.floorPercent', '45')).toBe(`set battery.floorPercent in ${path}`)
  await policy('set', 'temperature.batteryMinCelsius', '-10')
  await policy('set', 'timeZone', 'Europe/Berlin')
  await policy('set', 'contract', '{readyAt: 07:30, percent: 60}')
  await policy('set', 'contract.percent', '70')
  const text = readFileSync(path, 'utf8')
  expect(text).toContain('# mine\noptedIn: true # yes\nbattery:\n  # enough for the hospital\n  floorPercent: 45\n')
  expect(parsePolicy(text)).toMatchObject({ temperature: { batteryMinCelsius: -10 }, contract: { readyAt: '07:30', percent: 70 } })
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(readdirSync(folder)).toEqual(['policy.yaml'])
  expect(JSON.parse(await policy('set', 'contract', 'null', '--json'))).toMatchObject({ contract: null })
  expect(await policy('set', 'contract.percent', '70')).toContain('contract.readyAt is missing')
})

test.each([
  [['batery.floorPercent', '45'], 'there is no key batery, did you mean battery? (ERR_BAD_POLICY)'],
  [['battery.floorPercent', '145'], 'Too big'],
  [['battery.chargeLimitPercent', '20'], 'must be below battery.chargeLimitPercent, 20'],
  [['battery', 'full'], 'battery: expected object'],
  [['battery..floorPercent', '45'], 'is no key'],
  [['allow', '[ab'], 'is no YAML value']
])('set %j is refused, and the file stays as it was', async (argv, text) => {
  expect(await policy('set', ...argv)).toContain(text.replace(' (ERR_BAD_POLICY)', ''))
  expect(existsSync(path)).toBe(false)
  writeFileSync(path, 'optedIn: true\n')
  expect(await policy('set', ...argv)).toMatch(/\(ERR_(BAD_POLICY|INVALID_OPTION)\)$/)
  expect(readFileSync(path, 'utf8')).toBe('optedIn: true\n')
  expect(readdirSync(folder)).toEqual(['policy.yaml'])
})

test('a file that is wrong already is named with its line, by show and by set', async () => {
  writeFileSync(path, 'optedIn: true\nquietHour: []\n')
  for (const argv of [['show'], ['set', 'optedIn', 'false']]) {
    const line = await policy(...argv)
    expect(line).toContain(path)
    expect(line).toContain('line 2: there is no key quietHour, did you mean quietHours?')
  }
})
