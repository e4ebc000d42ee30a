import { CommanderError } from 'commander'
import { describe, expect, test } from 'vitest'
import { dataFolderPath } from '../../src/cli/data-folder-path.ts'
import { collectAllowed } from '../../src/cli/model-policy.ts'
import { collectParameter, priceCeiling, secondsToMs, wholeNumber } from '../../src/cli/options.ts'
import { describeError } from '../../src/cli/report-error.ts'
import { formatTable } from '../../src/cli/table.ts'
import { MotorpoolError } from '../../src/protocol/errors.ts'

describe('where a user’s keys live', () => {
  test.each([
    [{ HOME: '/h' }, '/h/.local/share/motorpool'],
    [{ HOME: '/h', XDG_DATA_HOME: '/x' }, '/x/motorpool'],
    [{ HOME: '/h', XDG_DATA_HOME: '/x', MOTORPOOL_HOME: '/m' }, '/m'],
    [{ HOME: '/h', XDG_DATA_HOME: '' }, '/h/.local/share/motorpool']
  ])('%o gives %s', (environment, path) => {
    expect(dataFolderPath(undefined, environment)).toBe(path)
  })

  test('--data-dir goes before everything', () => {
    expect(dataFolderPath('/d', { MOTORPOOL_HOME: '/m' })).toBe('/d')
  })

  test('no home folder is told', () => {
    expect(() => dataFolderPath(undefined, {})).toThrow(expect.objectContaining({ code: 'ERR_DATA_FOLDER' }))
  })
})

describe('an error becomes one line and an exit code', () => {
  test.each([
    [new MotorpoolError('ERR_NO_CAR', 'no car\nthere; wait'), 'motorpool: no car there; wait (ERR_NO_CAR)', 1],
    [new MotorpoolError('ERR_INVALID_OPTION', 'bad; good'), 'motorpool: bad; good (ERR_INVALID_OPTION)', 2],
    [
      new CommanderError(1, 'commander.unknownOption', "error: unknown option '--jsn'\n(Did you mean --json?)"),
      "motorpool: unknown option '--jsn'; did you mean --json? (ERR_INVALID_OPTION)",
      2
    ],
    [new CommanderError(0, 'commander.helpDisplayed', '(outputHelp)'), undefined, 0],
    [Object.assign(new Error('no such file'), { code: 'ENOENT' }), 'motorpool: no such file; give a path that exists (ENOENT)', 1],
    [new TypeError('x is not a function'), 'motorpool: x is not a function; this is a bug in motorpool, please report it (ERR_UNEXPECTED)', 1]
  ])('%s', (error, line, exitCode) => {
    expect(describeError(error)).toEqual({ line, exitCode })
  })
})

describe('option values', () => {
  test('whole numbers have bounds', () => {
    expect(wholeNumber(1, 8)('8')).toBe(8)
    for (const bad of ['0', '9', '1.5', '-1', '', 'x', '1e1', ' 1']) expect(() => wholeNumber(1, 8)(bad)).toThrow()
  })

  test('prices become millionths of their currency', () => {
    expect(priceCeiling('0.001EUR')).toEqual({ priceCeiling: 1000, unit: 'EUR' })
    expect(priceCeiling('12 XXX')).toEqual({ priceCeiling: 12_000_000, unit: 'XXX' })
    for (const bad of ['', '1', 'EUR', '-1EUR', '1eur', '0.0000001EUR', '1 EURO']) expect(() => priceCeiling(bad)).toThrow()
  })

  test('seconds become milliseconds', () => {
    expect(secondsToMs('1.5')).toBe(1500)
    for (const bad of ['0', '-1', '', 'soon', 'Infinity']) expect(() => secondsToMs(bad)).toThrow()
  })

  test('parameters keep integers and booleans, and nothing is inherited', () => {
    expect(collectParameter('b=true', collectParameter('a=1', undefined))).toEqual({ a: 1, b: true })
    expect(collectParameter('a=1.5', undefined)).toEqual({ a: '1.5' })
    expect(Object.keys(collectParameter('__proto__=1', undefined))).toEqual(['__proto__'])
    expect(() => collectParameter('=1', undefined)).toThrow()
  })

  test('what is allowed is a key or a CID', () => {
    const key = 'ab'.repeat(32)
    const cid = `bafkrei${'a'.repeat(52)}`
    expect(collectAllowed(cid, collectAllowed(key, undefined))).toEqual({ publishers: [key], models: [cid] })
    expect(() => collectAllowed('ocr', undefined)).toThrow()
  })
})

test('tables put numbers to the right', () => {
  expect(
    formatTable(
      ['car', 'pages'],
      [
        ['car-1', 3],
        ['c', 12]
      ]
    )
  ).toBe('car    pages\ncar-1      3\nc         12')
})
