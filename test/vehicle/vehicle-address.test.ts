import { describe, expect, test } from 'vitest'
import { parseVehicleAddress } from '../../src/vehicle/vehicle-address.ts'

const VIN = '5YJ3E1EA7KF000316'

describe('an address', () => {
  test.each([
    ['kuksa://127.0.0.1', { source: 'kuksa', isTls: false, address: '127.0.0.1:55555' }],
    ['kuksa://[::1]:5000', { source: 'kuksa', isTls: false, address: '[::1]:5000' }],
    ['kuksas://broker.car?tokenFile=/t&caFile=/c.pem', { source: 'kuksa', isTls: true, address: 'broker.car:55555', tokenFile: '/t', caFile: '/c.pem' }],
    [`mqtt://localhost/telemetry/${VIN}`, { source: 'tesla', url: 'mqtt://localhost', base: 'telemetry', vin: VIN }],
    ['mqtts://me:p%40ss@host:8884/fleet/telemetry', { source: 'tesla', url: 'mqtts://host:8884', base: 'fleet/telemetry', username: 'me', password: 'p@ss' }],
    ['trace:./day one.jsonl?speed=600', { source: 'trace', path: './day one.jsonl', speed: 600 }],
    ['trace:/x/day.csv', { source: 'trace', path: '/x/day.csv' }],
    [
      'trace:day.jsonl?speed=600&start=2026-03-01T08:00Z&epoch=2024-01-01T00:00:00Z',
      { source: 'trace', path: 'day.jsonl', speed: 600, startUnixMs: Date.UTC(2026, 2, 1, 8), epochUnixMs: Date.UTC(2024, 0, 1) }
    ],
    ['manual:', { source: 'manual' }],
    ['manual:?plugged=true&parked=false&powerSupply=/sys/x', { source: 'manual', isPluggedIn: true, isParked: false, powerSupply: '/sys/x' }]
  ])('%s', (address, expected) => {
    expect(parseVehicleAddress(address)).toEqual(expected)
  })
})

describe('a bad address says what is allowed', () => {
  test.each([
    ['', 'begins with none'],
    ['kuska://127.0.0.1', 'begins with none'],
    ['/dev/can0', 'begins with none'],
    ['kuksa:', 'lacks a host'],
    ['kuksa://host:99999', 'lacks a host'],
    ['kuksa://host/path', 'ends after its port'],
    ['kuksa://me:secret@host', 'takes no user'],
    ['kuksa://host?caFile=x', 'did you mean tokenFile'],
    ['mqtt://host', 'lacks the topic base'],
    [`mqtt://host/${VIN}`, 'lacks the topic base'],
    ['mqtt://host/telemetry?x=1', 'is unknown here'],
    ['mqtt://host/%zz', 'broken %'],
    ['trace:', 'lacks the file'],
    ['trace:day.csv?sped=60', 'did you mean speed'],
    ['trace:day.csv?speed=fast', 'speed is no number'],
    ['trace:day.csv?speed=1&speed=2', 'given twice'],
    ['trace:day.csv?start=yesterday', 'start is no time'],
    ['trace:day.csv?start=2026-03-01T08:00', 'start is no time'],
    ['trace:day.csv?epoch=2026-13-01T08:00Z', 'epoch is no time'],
    ['manual:garage', 'takes options only'],
    ['manual:?plugged=yes', 'neither true nor false'],
    ['manual:?plugged=', 'is empty']
  ])('%s', (address, problem) => {
    const parse = () => parseVehicleAddress(address)
    expect(parse).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION', message: expect.stringContaining(problem) }))
    expect(parse).toThrow('give one of kuksa://HOST[:55555]')
    expect(parse).not.toThrow(VIN)
    expect(parse).not.toThrow('secret')
  })
})
