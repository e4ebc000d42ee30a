import { writeFileSync } from 'node:fs'
import { type Profiler, Session } from 'node:inspector/promises'
import { setTimeout } from 'node:timers/promises'

/** Finer than the default of 1 ms, as tasks take less. */
const SAMPLE_US = 200

/** Profiles this process as `--cpu-prof` does, but only from now until the returned function is called, which writes the file. */
export async function startProfile(file: string): Promise<() => Promise<void>> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_US })
  await session.post('Profiler.start')
  return async () => {
    const { profile } = await session.post('Profiler.stop')
    session.disconnect()
    writeFileSync(file, JSON.stringify(profile))
  }
}

const INSPECTOR = 'http://127.0.0.1:9229/json/list'
const PATIENCE_MS = 5_000

/**
 * The same for another process that knows nothing of it and ends by SIGKILL, such as an ORT worker: SIGUSR1 opens Node's
 * inspector on its fixed port. Undefined when somebody else's process has that port.
 */
export async function startForeignProfile(pid: number, file: string): Promise<(() => Promise<void>) | undefined> {
  process.kill(pid, 'SIGUSR1')
  const url = await inspectorUrl()
  if (url === undefined) return undefined
  const socket = new WebSocket(url)
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true })
    socket.addEventListener('error', reject, { once: true })
  })
  const waiting = new Map<number, (result: unknown) => void>()
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { readonly id?: number; readonly result: unknown }
    if (id !== undefined) waiting.get(id)?.(result)
  })
  let next = 0
  const post = <Result>(method: string, params: object = {}): Promise<Result> =>
    new Promise(resolve => {
      waiting.set(++next, result => resolve(result as Result))
      socket.send(JSON.stringify({ id: next, method, params }))
    })
  const answer = await post<{ readonly result: { readonly value: number } }>('Runtime.evaluate', { expression: 'process.pid' })
  if (answer.result.value !== pid) {
    socket.close()
    return undefined
  }
  await post('Profiler.enable')
  await post('Profiler.setSamplingInterval', { interval: SAMPLE_US })
  await post('Profiler.start')
  return async () => {
    const { profile } = await post<Profiler.StopReturnType>('Profiler.stop')
    socket.close()
    writeFileSync(file, JSON.stringify(profile))
  }
}

async function inspectorUrl(): Promise<string | undefined> {
  const until = performance.now() + PATIENCE_MS
  while (performance.now() < until) {
    try {
      const [target] = (await (await fetch(INSPECTOR)).json()) as { readonly webSocketDebuggerUrl: string }[]
      return target?.webSocketDebuggerUrl
    } catch {
      await setTimeout(50)
    }
  }
  return undefined
}

export interface SelfTime {
  /** Function, file and line. */
  readonly where: string
  /** Of all samples but idle ones. */
  readonly share: number
}

/** The functions that a profile spent most time in, without what they called. */
export function topSelfTimes({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile, count: number): readonly SelfTime[] {
  const names = new Map(
    nodes
      .filter(({ callFrame }) => isWork(callFrame))
      .map(({ id, callFrame: { functionName, url, lineNumber } }) => [id, placeOf(functionName, url, lineNumber)])
  )
  const spent = new Map<string, number>()
  samples.forEach((id, at) => {
    const where = names.get(id)
    if (where !== undefined) spent.set(where, (spent.get(where) ?? 0) + (timeDeltas[at] ?? 0))
  })
  const total = [...spent.values()].reduce((sum, us) => sum + us, 0)
  return [...spent]
    .sort((left, right) => right[1] - left[1])
    .slice(0, count)
    .map(([where, us]) => ({ where, share: us / total }))
}

/** Waiting is none, nor is what the profiler itself does at its start. */
export function isWork({ functionName, url }: { readonly functionName: string; readonly url: string }): boolean {
  return functionName !== '(idle)' && url !== 'node:inspector'
}

/** Function, file and line in a few words. */
export function placeOf(name: string, url: string, line: number): string {
  const file = url.replace(/^file:\/\//, '').replace(/^.*?\/(node_modules|src|bench)\//, '$1/')
  return `${name === '' ? '(anonymous)' : name}${file === '' ? '' : ` ${file}:${line + 1}`}`
}
