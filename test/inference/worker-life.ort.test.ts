import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { bombModel, crasherModel, loadBombModel, loopModel, noopModel, sleepyModel } from '../fixtures/models/make.ts'
import { forever, gibibytes, isAlive, oneFloat, startTestRunner, temporaryFolder, tensor, value } from './test-runner.ts'

const LIMIT_MS = 30_000
const bytes = value({ x: tensor('uint8', [3], Uint8Array.of(1, 2, 3)) })

/** A promise of the next restart, with its reason. */
function restarts(): { readonly onRestart: (reason: string) => void; readonly next: () => Promise<string> } {
  const seen: string[] = []
  const waiting: ((reason: string) => void)[] = []
  return {
    onRestart: reason => {
      const resolve = waiting.shift()
      if (resolve === undefined) seen.push(reason)
      else resolve(reason)
    },
    next: async () => seen.shift() ?? (await new Promise(resolve => waiting.push(resolve)))
  }
}

async function untilGone(pid: number): Promise<void> {
  while (isAlive(pid)) await delay(20)
}

test('a killed worker fails its task as retryable, and a new one runs what waited', async () => {
  const { onRestart, next } = restarts()
  const runner = await startTestRunner(sleepyModel(2000), { onRestart })
  const killed = runner.pids[0] as number
  const first = runner.run({ input: oneFloat(1), limitMs: LIMIT_MS })
  const second = runner.run({ input: oneFloat(2), limitMs: LIMIT_MS })
  const third = runner.run({ input: oneFloat(3), limitMs: LIMIT_MS })
  process.kill(killed, 'SIGKILL')
  await expect(first).rejects.toMatchObject({ code: 'ERR_WORKER_DIED', retryable: true })
  expect(await next()).toContain('SIGKILL')
  expect(runner.pids[0]).not.toBe(killed)
  for (const [task, x] of [
    [second, 2],
    [third, 3]
  ] as const)
    expect((await task).output.tensors['y']?.data).toEqual(tensor('float32', [1], Float32Array.of(x)).data)
})

test('of two workers that run side by side, one that is killed fails only its own task, and the other goes on', async () => {
  const { onRestart, next } = restarts()
  const runner = await startTestRunner(loopModel(), { workers: 2, onRestart })
  expect(runner.numerics.threads).toBe(1)
  const [first, second] = runner.pids as [number, number]
  expect(second).not.toBe(first)
  const ends = [new AbortController(), new AbortController()]
  const running = ends.map(({ signal }) => runner.run({ input: forever(true), limitMs: LIMIT_MS }, { signal }))
  const waiting = [forever(false), forever(false)].map(input => runner.run({ input, limitMs: LIMIT_MS }))
  process.kill(first, 'SIGKILL')
  await expect(running[0]).rejects.toMatchObject({ code: 'ERR_WORKER_DIED', retryable: true })
  expect(await next()).toContain('SIGKILL')
  expect(runner.pids).toHaveLength(2)
  expect(runner.pids).toContain(second)
  await expect(waiting[0]).resolves.toBeDefined()
  expect(isAlive(second)).toBe(true)
  ends[1]?.abort()
  await expect(running[1]).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  await expect(waiting[1]).resolves.toBeDefined()
  const pids = runner.pids
  await runner.stop()
  expect(pids.filter(isAlive)).toEqual([])
})

test('five kills in a row are survived', async () => {
  const { onRestart, next } = restarts()
  const runner = await startTestRunner(noopModel(), { onRestart })
  for (let round = 0; round < 5; round++) {
    process.kill(runner.pids[0] as number, 'SIGKILL')
    await next()
    await expect(runner.run({ input: bytes, limitMs: LIMIT_MS })).resolves.toMatchObject({ output: { tensors: { y: { dims: [3] } } } })
  }
})

test('a model that wants 8 GiB dies alone: ERR_MEMORY_LIMIT, and the next task has a fresh worker', async () => {
  const { onRestart, next } = restarts()
  const runner = await startTestRunner(bombModel(), { onRestart })
  const bombed = runner.run({ input: gibibytes(8), limitMs: LIMIT_MS })
  const harmless = runner.run({ input: gibibytes(0), limitMs: LIMIT_MS })
  await expect(bombed).rejects.toMatchObject({ code: 'ERR_MEMORY_LIMIT', retryable: false })
  await expect(harmless).resolves.toBeDefined()
  expect(await next()).toContain('memory')
})

test('what fits into the memory limit runs, what does not is refused', async () => {
  // ONNX Runtime and V8 take memory in steps of hundreds of MiB, at times that differ: both cases stay well clear of the limit.
  const runner = await startTestRunner(bombModel(), { memoryLimitBytes: 3 * 2 ** 30 })
  await expect(runner.run({ input: gibibytes(1), limitMs: LIMIT_MS })).resolves.toBeDefined()
  await expect(runner.run({ input: gibibytes(6), limitMs: LIMIT_MS })).rejects.toMatchObject({ code: 'ERR_MEMORY_LIMIT' })
})

test('where the system has no prlimit, a watchdog kills the worker that takes too much', async () => {
  if (!existsSync('/proc/self/statm')) return console.log('skipped: the watchdog needs /proc')
  const path = process.env.PATH
  process.env.PATH = '/nonexistent'
  onTestFinished(() => {
    process.env.PATH = path
  })
  const runner = await startTestRunner(bombModel(), { memoryLimitBytes: 2 ** 29 })
  await expect(runner.run({ input: gibibytes(3), limitMs: LIMIT_MS })).rejects.toMatchObject({
    code: 'ERR_MEMORY_LIMIT',
    message: expect.stringContaining('was killed')
  })
})

test('a model that takes too much memory while it loads is refused, at the latest when it runs', async () => {
  const task = startTestRunner(loadBombModel()).then(runner => runner.run({ input: oneFloat(1), limitMs: LIMIT_MS }))
  await expect(task).rejects.toMatchObject({ code: 'ERR_MEMORY_LIMIT' })
})

test('a model that crashes the process that loads it is ERR_BAD_MODEL', async () => {
  await expect(startTestRunner(crasherModel())).rejects.toMatchObject({ code: 'ERR_BAD_MODEL' })
})

test('a model that loops for ever is killed at its limit, and the tasks behind it run', async () => {
  const runner = await startTestRunner(loopModel())
  const looping = runner.run({ input: forever(true), limitMs: 400 })
  const behind = [forever(false), forever(false), forever(false)].map(input => runner.run({ input, limitMs: LIMIT_MS }))
  await expect(looping).rejects.toMatchObject({ code: 'ERR_TIME_LIMIT' })
  await expect(Promise.all(behind)).resolves.toHaveLength(3)
})

test('one that loops behind results which its worker kept back is killed at its limit, and they are not lost', async () => {
  const runner = await startTestRunner(loopModel())
  const run = (yes: boolean, limitMs: number) => runner.run({ input: forever(yes), limitMs })
  // The runner knows by then that runs are short, and has several in the worker.
  await Promise.all(Array.from({ length: 20 }, () => run(false, LIMIT_MS)))
  const harmless = Array.from({ length: 4 }, () => run(false, LIMIT_MS))
  const looping = run(true, 1500)
  const behind = Array.from({ length: 4 }, () => run(false, LIMIT_MS))
  await expect(looping).rejects.toMatchObject({ code: 'ERR_TIME_LIMIT' })
  await expect(Promise.all([...harmless, ...behind])).resolves.toHaveLength(8)
})

test('a worker killed in a run behind results which it kept back fails the task of that run alone', async () => {
  const { onRestart, next } = restarts()
  const runner = await startTestRunner(loopModel(), { onRestart })
  const run = (yes: boolean) => runner.run({ input: forever(yes), limitMs: LIMIT_MS })
  await Promise.all(Array.from({ length: 20 }, () => run(false)))
  const harmless = Array.from({ length: 4 }, () => run(false))
  const looping = run(true)
  const behind = Array.from({ length: 3 }, () => run(false))
  await delay(300)
  process.kill(runner.pids[0] as number, 'SIGKILL')
  await expect(looping).rejects.toMatchObject({ code: 'ERR_WORKER_DIED', retryable: true })
  expect(await next()).toContain('SIGKILL')
  await expect(Promise.all([...harmless, ...behind])).resolves.toHaveLength(7)
})

test('a waiting task whose time is over is told so while another one runs on', async () => {
  const runner = await startTestRunner(sleepyModel(1500))
  const worker = runner.pids[0]
  const running = runner.run({ input: oneFloat(1), limitMs: LIMIT_MS })
  const overdue = [2, 3].map(x => runner.run({ input: oneFloat(x), limitMs: 50 }))
  for (const task of overdue) await expect(task).rejects.toMatchObject({ code: 'ERR_TIME_LIMIT' })
  await expect(running).resolves.toBeDefined()
  expect(runner.pids[0]).toBe(worker)
})

test('aborting drops waiting tasks at once, and ends a running one by killing its worker', async () => {
  const runner = await startTestRunner(loopModel(), { killAfterAbortMs: 100 })
  const worker = runner.pids[0] as number
  const [first, second, third] = [new AbortController(), new AbortController(), new AbortController()]
  const running = runner.run({ input: forever(true), limitMs: LIMIT_MS }, { signal: first.signal })
  const next = runner.run({ input: forever(true), limitMs: LIMIT_MS }, { signal: second.signal })
  const waiting = runner.run({ input: forever(true), limitMs: LIMIT_MS }, { signal: third.signal })
  const last = runner.run({ input: forever(false), limitMs: LIMIT_MS })
  third.abort()
  await expect(waiting).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  second.abort()
  await expect(next).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  expect(isAlive(worker)).toBe(true)
  first.abort()
  await expect(running).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  await expect(last).resolves.toBeDefined()
  expect(isAlive(worker)).toBe(false)
  await expect(runner.run({ input: forever(false), limitMs: LIMIT_MS }, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ERR_ABORTED' })
})

test('stop ends a worker in the middle of a run, rejects what waits, and leaves nothing in the temporary folder', async () => {
  const temporary = await temporaryFolder()
  const before = process.env.TMPDIR
  process.env.TMPDIR = temporary
  const runner = await startTestRunner(loopModel()).finally(() => {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
  })
  const worker = runner.pids[0] as number
  const tasks = [1, 2, 3].map(() => runner.run({ input: forever(true), limitMs: LIMIT_MS }))
  const ended = Promise.allSettled(tasks)
  const startedMs = performance.now()
  await runner.stop()
  expect(performance.now() - startedMs).toBeLessThan(2000)
  expect(isAlive(worker)).toBe(false)
  for (const outcome of await ended) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ERR_STOPPED' } })
  expect(readdirSync(temporary).filter(name => name.startsWith('motorpool-worker-'))).toEqual([])
  await expect(runner.run({ input: forever(false), limitMs: LIMIT_MS })).rejects.toMatchObject({ code: 'ERR_STOPPED' })
  await runner.stop()
})

test('a worker works where the path of its folder is too long for the name of a socket', async () => {
  const temporary = join(await temporaryFolder(), 'x'.repeat(100))
  await mkdir(temporary)
  const before = process.env.TMPDIR
  process.env.TMPDIR = temporary
  const runner = await startTestRunner(noopModel()).finally(() => {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
  })
  await expect(runner.run({ input: bytes, limitMs: LIMIT_MS })).resolves.toMatchObject({ output: { tensors: { y: { dims: [3] } } } })
  await runner.stop()
  expect(readdirSync(temporary).filter(name => name.startsWith('motorpool-worker-'))).toEqual([])
})

test('a worker runs at low priority in an empty folder with a bare environment', async () => {
  if (!existsSync('/proc/self/cwd')) return console.log('skipped: looks into /proc')
  const runner = await startTestRunner(noopModel())
  await runner.run({ input: bytes, limitMs: LIMIT_MS })
  expect(readdirSync(readlinkSync(`/proc/${runner.pids[0]}/cwd`))).toEqual([])
  const environment = (await readFile(`/proc/${runner.pids[0]}/environ`, 'utf8'))
    .split('\0')
    .filter(Boolean)
    .map(entry => entry.split('=')[0])
  expect(environment).toContain('ORT_DISABLE_TELEMETRY')
  expect(environment.filter(name => !/^(PATH|HOME|TMPDIR|ORT_DISABLE_TELEMETRY|NODE_COMPILE_CACHE|NODE_CHANNEL_.*)$/.test(name ?? ''))).toEqual([])
  expect((await readFile(`/proc/${runner.pids[0]}/stat`, 'utf8')).split(') ')[1]?.split(' ')[16]).toBe('10')
})

test('a worker whose parent is killed ends too, even in the middle of a run', async () => {
  const folder = await temporaryFolder()
  const parent = spawn(process.execPath, [fileURLToPath(new URL('./processes/run-forever.ts', import.meta.url)), folder], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  onTestFinished(() => void parent.kill('SIGKILL'))
  const [line] = (await once(parent.stdout, 'data')) as [Buffer]
  const worker = Number(line.toString())
  expect(isAlive(worker)).toBe(true)
  parent.kill('SIGKILL')
  await untilGone(worker)
})
