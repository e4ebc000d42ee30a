import { describe, expect, test } from 'vitest'
import { readTrace } from '../../src/vehicle/trace/open-trace.ts'

const SPEED = 'Vehicle.Speed'
const message = (text: string, format?: 'jsonl' | 'csv'): string => {
  try {
    readTrace(text, format)
  } catch (error) {
    return error instanceof Error && 'code' in error ? `${error.code}: ${error.message}` : String(error)
  }
  return 'no error'
}

describe('a trace in three forms', () => {
  const lines = [
    {
      t: 0,
      told: [
        { path: SPEED, value: 0 },
        { path: 'Vehicle.IsMoving', value: false }
      ]
    },
    { t: 1.5, told: [{ path: SPEED, value: null }] },
    { t: 2, told: [], source: 'lost' }
  ]
  test('JSONL', () => {
    const text = `{"t":0,"${SPEED}":0,"Vehicle.IsMoving":false}\n\n{"t":1.5,"${SPEED}":null}\r\n{"t":2,"source":"lost"}`
    expect(readTrace(text)).toEqual(lines)
  })
  test('CSV with a column per signal', () => {
    expect(readTrace(`timeS,${SPEED},Vehicle.IsMoving,source\n0,0,false,\n1.5,null,,\n2,,,lost\n`)).toEqual(lines)
  })
  test('CSV with a signal a line', () => {
    const text = `timeS,path,value\r\n0,${SPEED},0\r\n0,Vehicle.IsMoving,false\r\n1.5,"${SPEED}",null\r\n2,source,lost\r\n`
    const flat = readTrace(text)
    expect(flat.map(({ t }) => t)).toEqual([0, 0, 1.5, 2])
    expect(flat.flatMap(({ told }) => told)).toEqual([...lines[0]!.told, ...lines[1]!.told])
    expect(flat.at(-1)).toEqual({ t: 2, told: [], source: 'lost' })
  })
})

describe('a bad trace names the line and what to do', () => {
  test.each([
    ['is empty', '', undefined, 'the trace is empty'],
    ['has only a header', 'timeS,path,value\n', 'csv', 'the trace has a header and no lines'],
    ['is cut off in JSON', `{"t":0,"${SPEED}":0}\n{"t":1,"Vehi`, 'jsonl', 'line 2, is cut off; remove it'],
    ['is cut off in CSV', `timeS,path,value\n0,${SPEED},1`, 'csv', 'line 2, has no line end, so it may be cut off'],
    ['lacks a cell', `timeS,path,value\n0,${SPEED}\n1,${SPEED},2\n`, 'csv', 'line 2, is not CSV as its header says'],
    ['leaves a quote open', `timeS,path,value\n0,"${SPEED},2\n`, 'csv', 'is not CSV as its header says'],
    ['goes back in time', `{"t":3}\n{"t":2}\n`, 'jsonl', 'line 2, goes back in time, from 3 s to 2 s; sort'],
    ['begins before its beginning', `{"t":-1}\n`, 'jsonl', 'line 1, has no time'],
    ['lacks a time', `{"${SPEED}":0}\n`, 'jsonl', 'line 1, has no time'],
    ['has a text for a time', `timeS,path,value\n7:30,${SPEED},0\n`, 'csv', 'line 2, has no time'],
    ['has NaN in JSON', `{"t":0,"${SPEED}":NaN}\n`, 'jsonl', 'line 1, has NaN'],
    ['has NaN in CSV', `timeS,path,value\n0,${SPEED},NaN\n`, 'csv', "line 2, has a value that VSS doesn't: Vehicle.Speed is not a finite number"],
    ['misspells a signal', `{"t":0,"Vehicle.Sped":0}\n`, 'jsonl', 'did you mean Vehicle.Speed'],
    [
      'misspells a column',
      `timeS,Vehicle.Speed,Vehicle.IsMovng\n`,
      'csv',
      'line 1, names "Vehicle.IsMovng", which is no signal here; did you mean Vehicle.IsMoving'
    ],
    ['names something else', `{"t":0,"colour":"red"}\n`, 'jsonl', 'docs/vehicle.md lists the signals'],
    [
      'has a wrong type',
      `{"t":0,"${SPEED}":"fast"}\n`,
      'jsonl',
      "line 1, has a value that VSS doesn't: Vehicle.Speed came as a text and must be a number in km/h"
    ],
    ['has a wrong boolean', `timeS,path,value\n0,Vehicle.IsMoving,yes\n`, 'csv', 'must be true or false'],
    ['has a column twice', `timeS,${SPEED},${SPEED}\n0,1,2\n`, 'csv', 'twice'],
    ['lacks its header', `0,${SPEED},1\n`, 'csv', 'line 1, is no header'],
    ['lacks a value', `timeS,path,value\n0,${SPEED},\n`, 'csv', 'line 2, has no value; write null'],
    ['holds lists', '[1,2]\n', 'jsonl', 'line 1, is not an object'],
    ['is junk', 'Rex, a dog\n', undefined, 'line 1, is no header'],
    ['has an unknown source', `{"t":0,"source":"dead"}\n`, 'jsonl', 'line 1, has a source other than live or lost']
  ] as const)('that %s', (_, text, format, expected) => {
    expect(message(text, format)).toContain(expected)
    expect(message(text, format)).toMatch(/^ERR_BAD_TRACE: the trace/)
  })
})

test('a glitch inside of what VSS allows is passed on', () => {
  expect(readTrace(`{"t":0,"${SPEED}":311}\n`)[0]?.told).toEqual([{ path: SPEED, value: 311 }])
})
