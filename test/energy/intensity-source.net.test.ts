import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fileIntensity, httpIntensity } from '../../src/energy/meters/intensity-source.ts'

let server: Server
let baseUrl = ''
let answer: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => response.end()
let folder = ''

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'motorpool-intensity-'))
  server = createServer((request, response) => answer(request, response))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
  rmSync(folder, { recursive: true })
})

const badIntensity = (text: string) => expect.objectContaining({ code: 'ERR_CARBON_INTENSITY', message: expect.stringContaining(text) })
const GB = { data: [{ from: '2018-01-20T12:00Z', to: '2018-01-20T12:30Z', intensity: { forecast: 266, actual: null, index: 'moderate' } }] }

test('GB’s service is asked for its intensity', async () => {
  let url: string | undefined
  answer = (request, response) => {
    url = request.url
    response.end(JSON.stringify(GB))
  }
  expect(await httpIntensity({ format: 'gb', baseUrl })()).toMatchObject({ gramsPerKwh: 266, isEstimated: true })
  expect(url).toBe('/intensity')
})

test('Electricity Maps is asked for a zone with its key, below the address’s own path', async () => {
  let asked: Pick<IncomingMessage, 'url' | 'headers'> | undefined
  answer = (request, response) => {
    asked = request
    response.end(JSON.stringify({ zone: 'DE', carbonIntensity: 302, datetime: '2026-01-01T12:00:00Z' }))
  }
  expect(await httpIntensity({ format: 'electricity-maps', baseUrl: `${baseUrl}/proxy`, zone: 'DE&x', token: 'key' })()).toMatchObject({ gramsPerKwh: 302 })
  expect(asked?.url).toBe('/proxy/v3/carbon-intensity/latest?zone=DE%26x')
  expect(asked?.headers['auth-token']).toBe('key')
})

test.each<[string, string, (request: IncomingMessage, response: ServerResponse) => void]>([
  ['a refusal', 'it answered 401', (_, response) => response.writeHead(401).end()],
  ['a redirect', 'no carbon intensity', (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
  ['junk', 'JSON', (_, response) => response.end('<html>')],
  ['another format', 'data', (_, response) => response.end('{}')],
  ['an endless answer', 'longer than', (_, response) => response.end('x'.repeat(100_000))],
  ['a broken connection', 'no carbon intensity', request => request.socket.destroy()]
])('%s is no intensity', async (_, text, respond) => {
  answer = respond
  await expect(httpIntensity({ format: 'gb', baseUrl })()).rejects.toThrow(badIntensity(text))
})

test('a service that doesn’t answer is given up, and so is a call whose caller aborts', async () => {
  answer = () => undefined
  await expect(httpIntensity({ format: 'gb', baseUrl, timeoutMs: 50 })()).rejects.toThrow(badIntensity('timeout'))
  await expect(httpIntensity({ format: 'gb', baseUrl })({ signal: AbortSignal.abort() })).rejects.toThrow(badIntensity('abort'))
  expect(() => httpIntensity({ format: 'gb', baseUrl: 'nowhere' })).toThrow('is no address')
})

test('a file is read anew each time, and refused when it is gone or cut off', async () => {
  const path = join(folder, 'intensity.json')
  const source = fileIntensity(path)
  await expect(source()).rejects.toThrow(badIntensity('ENOENT'))
  for (const gramsPerKwh of [100, 200]) {
    writeFileSync(path, JSON.stringify({ gramsPerKwh, kind: 'marginal', at: '2026-01-01T12:00Z' }))
    expect(await source()).toMatchObject({ gramsPerKwh, kind: 'marginal' })
  }
  writeFileSync(path, '{"gramsPerKwh": 10')
  await expect(source()).rejects.toThrow(badIntensity('JSON'))
})
