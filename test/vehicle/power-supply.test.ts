import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readPowerSupply } from '../../src/vehicle/manual/power-supply.ts'

type Tree = Readonly<Record<string, Readonly<Record<string, string>>>>

/** A folder laid out like /sys/class/power_supply. */
function layOut(tree: Tree): string {
  const root = mkdtempSync(join(tmpdir(), 'motorpool-power-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  for (const [name, files] of Object.entries(tree)) {
    mkdirSync(join(root, name))
    for (const [file, text] of Object.entries(files)) writeFileSync(join(root, name, file), `${text}\n`)
  }
  return root
}

const AC = { type: 'Mains', online: '1' }
const BATTERY = { type: 'Battery', scope: 'System', capacity: '82', status: 'Charging' }
const MOUSE = { type: 'Battery', scope: 'Device', capacity: '3', status: 'Discharging' }

const cases: [string, Tree, object][] = [
  ['a laptop at the plug', { AC, BAT0: BATTERY }, { isPluggedIn: true, isCharging: true, chargePercent: 82 }],
  [
    'a laptop on its battery',
    { AC: { ...AC, online: '0' }, BAT0: { ...BATTERY, status: 'Discharging' } },
    { isPluggedIn: false, isCharging: false, chargePercent: 82 }
  ],
  ['USB-C feeding', { ucsi: { type: 'USB', online: '1' }, AC: { ...AC, online: '0' } }, { isPluggedIn: true }],
  ['two batteries: the emptier counts', { BAT0: BATTERY, BAT1: { ...BATTERY, capacity: '9', status: 'Full' } }, { isCharging: true, chargePercent: 9 }],
  ['a mouse, which says nothing', { mouse: MOUSE }, {}],
  ['a desktop without any', {}, {}],
  ['an adapter without its file', { AC: { type: 'Mains' } }, { isPluggedIn: null }],
  ['junk for a capacity', { BAT0: { ...BATTERY, capacity: 'full' } }, { isCharging: true, chargePercent: null }],
  ['more than all charge', { BAT0: { ...BATTERY, capacity: '104' } }, { isCharging: true, chargePercent: null }],
  ['a state it does not know', { BAT0: { ...BATTERY, status: 'Unknown' } }, { isCharging: null, chargePercent: 82 }]
]
test.each(cases)('%s', async (_, tree, expected) => {
  expect(await readPowerSupply(layOut(tree))).toEqual(expected)
})

test('no such folder is null, not an unplugged machine', async () => {
  expect(await readPowerSupply(join(tmpdir(), 'motorpool-no-such-folder'))).toBeNull()
})
