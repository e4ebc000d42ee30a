import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { JobOutcome } from '../src/client/client.ts'
import { openFlush } from '../src/ledger/flush.ts'
import { decodeReceipt } from '../src/ledger/receipt.ts'
import { verifyReceipt } from '../src/ledger/verify-receipt.ts'
import { createPeer, type Peer } from '../src/peer.ts'
import { isMotorpoolError } from '../src/protocol/errors.ts'
import type { Tensor } from '../src/protocol/tensor.ts'
import { addModel, bombModel, loopModel, noopModel, sleepyModel } from './fixtures/models/make.ts'
import { type LocalMesh, openLocalMesh } from './local-mesh.ts'

let mesh: LocalMesh
const open = (): LocalMesh => {
  mesh = openLocalMesh()
  return mesh
}
afterEach(() => mesh.close())

const float32 = (...values: number[]): Tensor => ({ type: 'float32', dims: [values.length], data: new Uint8Array(Float32Array.from(values).buffer) })
const bytes = (text: string): Tensor => ({ type: 'uint8', dims: [Buffer.byteLength(text)], data: new Uint8Array(Buffer.from(text)) })
const numbers = (tensor: Tensor | undefined): number[] => [...new Float32Array(Uint8Array.from(tensor?.data ?? []).buffer)]

async function refusal(promise: Promise<unknown>): Promise<{ code: string; message: string }> {
  try {
    await promise
  } catch (error) {
    if (!isMotorpoolError(error)) throw error
    expect(error.message).not.toContain('\n')
    return { code: error.code, message: error.message }
  }
  throw new Error('it was not refused')
}

async function eventually(check: () => boolean, what: string): Promise<void> {
  const until = performance.now() + 15_000
  while (!check()) {
    if (performance.now() > until) throw new Error(`never: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

async function collect(outcomes: AsyncIterable<JobOutcome>): Promise<JobOutcome[]> {
  const all: JobOutcome[] = []
  for await (const outcome of outcomes) all.push(outcome)
  return all
}

describe('a peer', () => {
  it('gets outputs and a receipt that verifies offline', async () => {
    const { addModel: add, addCar, addClient } = open()
    await add('add', addModel())
    await addCar()
    const client = await addClient()
    const inputs = { a: float32(1, 2), b: float32(10, 20) }
    const result = await client.run('add', inputs)
    expect(numbers(result.outputs.sum)).toEqual([11, 22])
    const report = verifyReceipt(result.receipt, {
      input: { kind: 'tensors', parameters: {}, tensors: inputs },
      output: { kind: 'tensors', parameters: {}, tensors: result.outputs }
    })
    expect(report).toMatchObject({ carAccount: result.carAccount, clientAccount: client.account, task: result.task, attempt: 1, model: result.model })
  })

  it('proves several results of a busy lease by one signature, each receipt valid by itself', async () => {
    const { addModel: add, addCar, addClient } = open()
    await add('noop', noopModel())
    await addCar()
    const client = await addClient()
    const results = await Promise.all(Array.from({ length: 60 }, (_, index) => client.run('noop', { x: bytes(`task ${index}`) })))
    const leaves: number[] = []
    for (const [index, result] of results.entries()) {
      const input = { kind: 'tensors', parameters: {}, tensors: { x: bytes(`task ${index}`) } }
      const output = { kind: 'tensors', parameters: {}, tensors: result.outputs }
      expect(verifyReceipt(result.receipt, { input, output }).task).toBe(result.task)
      leaves.push(openFlush(decodeReceipt(result.receipt).flush).value.size)
    }
    expect(Math.max(...leaves)).toBeGreaterThan(1)
  })

  it('hands out unsigned outputs to who asked for speed, and their receipts after', async () => {
    const { addModel: add, addCar, addClient } = open()
    await add('noop', noopModel())
    await addCar()
    const client = await addClient()
    const results = await Promise.all(Array.from({ length: 30 }, (_, index) => client.run('noop', { x: bytes(`task ${index}`) }, { unsigned: true })))
    expect(results.some(result => !result.signed)).toBe(true)
    for (const [index, result] of results.entries()) {
      expect(Buffer.from(result.outputs.y?.data ?? []).toString()).toBe(`task ${index}`)
      expect(result.receipt.length > 0).toBe(result.signed)
      expect(verifyReceipt(await result.receipted).task).toBe(result.task)
    }
    expect((await client.run('noop', { x: bytes('signed') })).signed).toBe(true)
  })

  it('leaves nothing of inputs and outputs on the disk of the car', async () => {
    const { addModel: add, addCar, addClient, folder } = open()
    await add('noop', noopModel())
    const data = join(folder, 'car')
    await addCar({}, { dataFolder: data })
    const client = await addClient()
    const canary = randomBytes(32)
    const { task } = await client.run('noop', { x: new Uint8Array(canary) })
    const files = readdirSync(data, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
    const contents = files.map(entry => readFileSync(join(entry.parentPath, entry.name)))
    expect(
      contents.some(bytes => bytes.includes(Buffer.from(task, 'hex'))),
      'the journal knows the task'
    ).toBe(true)
    expect(contents.some(bytes => bytes.includes(canary))).toBe(false)
  })

  it('runs a model that it has only the CID of, on a car that fetched it', async () => {
    const { addModel: add, addCar, addClient, publisher } = open()
    const cid = await add('add', addModel())
    const holder = await addCar()
    const elsewhere = mkdtempSync(join(tmpdir(), 'motorpool-test-'))
    try {
      const fetching = await addCar(
        { models: [cid], policy: { publishers: [Buffer.from(publisher.publicKey).toString('hex')] } },
        { modelFolder: join(elsewhere, 'car') }
      )
      expect(fetching.car?.status().models.map(model => model.cid)).toEqual([cid])
      await holder.stop()
      const client = await addClient({ modelFolder: join(elsewhere, 'client'), join: fetching.addresses() })
      const result = await client.run(cid, { a: float32(1, 2), b: float32(3, 4) })
      expect(numbers(result.outputs.sum)).toEqual([4, 6])
      expect(result.car).toBe(fetching.peerId)
    } finally {
      rmSync(elsewhere, { recursive: true, force: true })
    }
  })

  it('works on when the peer that all joined through is gone', async () => {
    const { addModel: add, addCar, addClient } = open()
    await add('noop', noopModel())
    const first = await addCar()
    const join = first.addresses()
    const cars: Peer[] = []
    for (let index = 0; index < 3; index++) cars.push(await addCar({}, { join }))
    await eventually(() => cars.every(car => car.connections().length >= 2), 'the cars know each other')
    await first.stop()
    const client = await addClient({ join: cars[2]?.addresses() ?? [] })
    const result = await client.run('noop', { x: bytes('hello') })
    expect(Buffer.from(result.outputs.y?.data ?? []).toString()).toBe('hello')
  })

  it('loses no task of a job while one car departs and another comes back', async () => {
    const { addModel: add, addCar, addClient } = open()
    await add('sleepy', sleepyModel(60))
    const [one, two] = [await addCar(), await addCar()]
    const client = await addClient()
    const moved: string[] = []
    const keys = Array.from({ length: 40 }, (_, index) => `task ${index}`)
    const job = collect(
      client.submit({
        model: 'sleepy',
        tasks: keys.map(key => ({ key, inputs: { x: float32(1) } })),
        onEvent: event => {
          if (event.type === 'moved') moved.push(event.key)
        }
      })
    )
    await eventually(() => (one.car?.status().done ?? 0) > 2 && (two.car?.status().done ?? 0) > 2, 'both cars work')
    await one.car?.depart({ reason: 'the driver came', secondsLeft: 0 })
    expect(one.car?.status().state).toBe('away')
    await one.car?.park()
    const outcomes = await job
    expect(outcomes.filter(outcome => outcome.status === 'failed')).toEqual([])
    expect(outcomes.map(outcome => outcome.key).sort()).toEqual([...keys].sort())
    expect(moved.length).toBeGreaterThan(0)
  })

  it('gets from a car that leaves what the car still finishes', async () => {
    const { addModel: add, addCar, addClient } = open()
    await add('sleepy', sleepyModel(60))
    const car = await addCar()
    const client = await addClient()
    await client.run('sleepy', { x: float32(0) })
    const running = client.run('sleepy', { x: float32(7) })
    await eventually(() => car.car?.status().running === 1, 'the task runs')
    await car.car?.depart({ reason: 'the driver came', secondsLeft: 30 })
    const result = await running
    expect(numbers(result.outputs.y)).toEqual([7])
    expect(result.attempt).toBe(1)
    expect(verifyReceipt(result.receipt).task).toBe(result.task)
  })

  it('joins under a fresh peer key each time it parks, and knows nobody while it is away', async () => {
    const { addModel: add, addCar } = open()
    await add('noop', noopModel())
    const car = await addCar()
    const before = { peer: car.peerId, account: car.account, pid: car.car?.status().models[0]?.workerPids[0] ?? 0 }
    await car.car?.depart({ reason: 'the driver came' })
    expect(() => process.kill(before.pid, 0)).toThrow()
    expect(await refusal(car.run('noop', { x: bytes('x') }))).toMatchObject({ code: 'ERR_LEAVING' })
    await car.car?.park()
    expect(car.peerId).not.toBe(before.peer)
    expect(car.account).not.toBe(before.account)
  })

  it('stops the work on the car when the caller aborts', async () => {
    const { addModel: add, addCar, addClient } = open()
    await add('loop', loopModel())
    const car = await addCar()
    const client = await addClient()
    const abort = new AbortController()
    const running = client.run('loop', { forever: { type: 'bool', dims: [], data: Uint8Array.of(1) } }, { signal: abort.signal })
    await eventually(() => car.car?.status().running === 1, 'the task runs')
    abort.abort()
    expect(await refusal(running)).toMatchObject({ code: 'ERR_ABORTED' })
    await eventually(() => car.car?.status().running === 0, 'the car stops it')
    const result = await client.run('loop', { forever: { type: 'bool', dims: [], data: Uint8Array.of(0) } })
    expect(result.attempt).toBe(1)
  })

  it('survives a model that loops for ever: the task ends at its deadline, the next runs', async () => {
    const { addModel: add, addCar, addClient } = open()
    await add('loop', loopModel())
    await addCar()
    const client = await addClient()
    const forever = (value: number): { forever: Tensor } => ({ forever: { type: 'bool', dims: [], data: Uint8Array.of(value) } })
    expect((await refusal(client.run('loop', forever(1), { deadlineMs: 1500 }))).code).toMatch(/ERR_DEADLINE|ERR_TIME_LIMIT/)
    await client.run('loop', forever(0))
  })

  it('survives a model that takes all memory: the worker dies alone and the client is told', async () => {
    const { addModel: add, addCar, addClient } = open()
    await add('bomb', bombModel())
    const car = await addCar()
    const client = await addClient()
    const gibibytes = (count: number): { gibibytes: Tensor } => ({
      gibibytes: { type: 'int64', dims: [1], data: new Uint8Array(BigInt64Array.of(BigInt(count)).buffer) }
    })
    expect(await refusal(client.run('bomb', gibibytes(8), { deadlineMs: 30_000 }))).toMatchObject({ code: 'ERR_MEMORY_LIMIT' })
    expect(car.car?.status().state).toBe('parked')
    await client.run('bomb', gibibytes(0))
  })

  it('says by the deadline that no car is there, and what it looked for', async () => {
    const { addModel: add, addClient } = open()
    const cid = await add('noop', noopModel())
    const client = await addClient()
    const started = performance.now()
    const { code, message } = await refusal(client.run('noop', { x: bytes('x') }, { deadlineMs: 1000 }))
    expect(code).toBe('ERR_NO_CAR')
    expect(message).toContain(cid)
    expect(performance.now() - started).toBeLessThan(5000)
  })

  it('refuses inputs that the model does not take, and goes on', async () => {
    const { addModel: add, addCar, addClient } = open()
    await add('add', addModel())
    await addCar()
    const client = await addClient()
    const good = { a: float32(1, 2), b: float32(3, 4) }
    const wrong: [string, Record<string, Tensor>, string][] = [
      ['a missing input', { a: good.a }, 'ERR_INVALID_INPUT'],
      ['an extra input', { ...good, c: good.a }, 'ERR_INVALID_INPUT'],
      ['a wrong type', { ...good, b: { type: 'int32', dims: [2], data: new Uint8Array(8) } }, 'ERR_INVALID_INPUT'],
      ['a wrong shape', { ...good, b: float32(1, 2, 3) }, 'ERR_INVALID_INPUT'],
      ['a wrong rank', { ...good, b: { type: 'float32', dims: [1, 2], data: new Uint8Array(8) } }, 'ERR_INVALID_INPUT'],
      ['a byte too few', { ...good, b: { type: 'float32', dims: [2], data: new Uint8Array(7) } }, 'ERR_INVALID_INPUT'],
      ['a negative dimension', { ...good, b: { type: 'float32', dims: [-2], data: new Uint8Array(8) } }, 'ERR_INVALID_INPUT']
    ]
    for (const [what, inputs, code] of wrong) expect(await refusal(client.run('add', inputs)), what).toMatchObject({ code })
    expect(await refusal(client.run('nothing', good))).toMatchObject({ code: 'ERR_MODEL_UNKNOWN' })
    expect(await refusal(client.run('add', good, { deadlineMs: Number.NaN }))).toMatchObject({ code: 'ERR_INVALID_OPTION' })
    expect(await refusal(client.run('add', good, { parameters: { temperature: 0.5 } }))).toMatchObject({ code: 'ERR_BAD_ENCODING' })
    expect(numbers((await client.run('add', good)).outputs.sum)).toEqual([4, 6])
  })

  it('refuses an input over the limit before anything is sent', async () => {
    const { addModel: add, addClient } = open()
    await add('noop', noopModel())
    const client = await addClient()
    expect(await refusal(client.run('noop', { x: { type: 'uint8', dims: [64 * 2 ** 20 + 1], data: new Uint8Array(64 * 2 ** 20 + 1) } }))).toMatchObject({
      code: 'ERR_INPUT_TOO_LARGE'
    })
  })

  it('does not load a model that its owner does not allow', async () => {
    const { addModel: add, addCar } = open()
    await add('noop', noopModel())
    expect(await refusal(addCar({ models: ['noop'], policy: { publishers: ['00'.repeat(32)] } }))).toMatchObject({ code: 'ERR_MODEL_NOT_ALLOWED' })
    const car = await addCar({ policy: {} })
    expect(car.car?.status().models).toEqual([])
  })

  it('names a port that is taken and a data folder that is in use', async () => {
    const { addClient, folder } = open()
    const first = await addClient({ dataFolder: join(folder, 'data') })
    const port = /tcp\/(\d+)/.exec(first.addresses()[0] ?? '')?.[1]
    expect((await refusal(createPeer({ listen: [`/ip4/127.0.0.1/tcp/${port}`] }))).message).toContain(String(port))
    expect(await refusal(createPeer({ dataFolder: join(folder, 'data') }))).toMatchObject({ code: 'ERR_DATA_FOLDER_LOCKED' })
  })

  it('ends what is open with a typed error when it stops', async () => {
    const { addModel: add, addCar, addClient } = open()
    await add('loop', loopModel())
    const car = await addCar()
    const client = await addClient()
    const running = refusal(client.run('loop', { forever: { type: 'bool', dims: [], data: Uint8Array.of(1) } }))
    await eventually(() => car.car?.status().running === 1, 'the task runs')
    await client.stop()
    expect(await running).toMatchObject({ code: 'ERR_STOPPED' })
    expect(await refusal(client.run('loop', {}))).toMatchObject({ code: 'ERR_STOPPED' })
    await eventually(() => car.car?.status().running === 0, 'the car stops it')
  })
})
