import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { adminRequest } from '../../src/cli/admin/client.ts'
import { ADMIN_LINE_LIMIT, type AdminStatus } from '../../src/cli/admin/methods.ts'
import { type AdminHandlers, startAdminServer } from '../../src/cli/admin/server.ts'
import { MotorpoolError } from '../../src/protocol/errors.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'motorpool-test-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const status: AdminStatus = {
  peerId: null,
  addresses: [],
  connections: 0,
  links: 0,
  car: null,
  client: { leases: 0, submitted: 0, done: 0, failed: 0, moved: 0, droppedLate: 0 },
  account: 'aa',
  pid: 1,
  dataFolder: '/',
  story: { joined: null, left: null }
}
const handlers: AdminHandlers = {
  status: () => status,
  peers: () => [],
  ping: async () => ({ roundTripMs: 1.5 }),
  drive: () => {
    throw new MotorpoolError('ERR_LEAVING', 'it leaves already; wait')
  },
  park: () => status,
  skip: () => null,
  stop: () => null
}

/** Sends bytes as they are and gives back everything that is answered until the other side ends. */
const speak = (path: string, text: string, end = true) =>
  new Promise<string>((resolve, reject) => {
    const socket = connect(path, () => (end ? socket.end(text) : socket.write(text)))
    let answer = ''
    socket.on('data', chunk => {
      answer += chunk.toString()
      if (answer.endsWith('\n')) socket.end()
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(answer))
  })

describe('the administration socket', () => {
  test('answers its owner, and only they can open it', async () => {
    const server = await startAdminServer(folder, handlers)
    expect(await adminRequest(folder, 'status', {})).toEqual(status)
    expect(await adminRequest(folder, 'ping', { peer: 'x' })).toEqual({ roundTripMs: 1.5 })
    expect(statSync(server.path).mode & 0o777).toBe(0o600)
    await server.stop()
    expect(readdirSync(folder)).toEqual([])
  })

  test('a refusal keeps its code and message', async () => {
    const server = await startAdminServer(folder, handlers)
    await expect(adminRequest(folder, 'drive', {})).rejects.toMatchObject({ code: 'ERR_LEAVING', message: 'it leaves already; wait' })
    await server.stop()
  })

  test('a data folder without a peer is told apart from one that refuses', async () => {
    await expect(adminRequest(folder, 'status', {})).rejects.toMatchObject({ code: 'ERR_STOPPED' })
  })

  test.each([
    ['garbage', 'hello\n', 'ERR_BAD_FRAME'],
    ['an unknown method', '{"method":"reboot","parameters":{}}\n', 'ERR_SCHEMA'],
    ['__proto__ as a method', '{"method":"__proto__","parameters":{}}\n', 'ERR_SCHEMA'],
    ['unknown parameters', '{"method":"ping","parameters":{"peer":"x","deep":1}}\n', 'ERR_SCHEMA'],
    ['a line without end', 'x'.repeat(ADMIN_LINE_LIMIT + 1), 'ERR_TOO_LARGE']
  ])('%s is refused and the next request served', async (_what, text, code) => {
    const server = await startAdminServer(folder, handlers)
    expect(JSON.parse(await speak(server.path, text, false))).toMatchObject({ error: { code } })
    expect(await adminRequest(folder, 'status', {})).toEqual(status)
    await server.stop()
  })

  test('a socket that a killed peer left is replaced', async () => {
    const first = await startAdminServer(folder, handlers)
    const second = await startAdminServer(folder, handlers)
    expect(await adminRequest(folder, 'status', {})).toEqual(status)
    await first.stop().catch(() => undefined)
    await second.stop()
  })

  test('works in a folder whose path is too long for a socket', async () => {
    const deep = join(folder, 'a-long-name-'.repeat(12))
    mkdirSync(deep)
    const server = await startAdminServer(deep, handlers)
    expect(await adminRequest(deep, 'status', {})).toEqual(status)
    await server.stop()
    expect(readdirSync(deep)).toEqual([])
  })

  test('asking can be given up', async () => {
    const server = await startAdminServer(folder, { ...handlers, park: () => new Promise(() => undefined) })
    await expect(adminRequest(folder, 'park', {}, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    await expect(adminRequest(folder, 'park', {}, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'ERR_DEADLINE' })
    await server.stop()
  })
})
