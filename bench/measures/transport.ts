import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { type Measure, median, type Row } from '../measure.ts'
import type { EchoCommand, EchoFigures, EchoInit } from '../processes/echo-peer.ts'

const ROUNDS = 6
const FOR_MS = 500
const WARM_UP_MS = 700
const KIB = 1024

const LOADS = [
  { name: '1 KiB', bytes: KIB, inFlight: 1 },
  { name: '1 KiB', bytes: KIB, inFlight: 64 },
  { name: '256 KiB', bytes: 256 * KIB, inFlight: 1 },
  { name: '256 KiB', bytes: 256 * KIB, inFlight: 64 }
] as const

interface Figures extends EchoFigures {
  readonly dialCpuUs: number
  readonly echoCpuUs: number
}

/** A link between two processes. */
interface Pair {
  run: (bytes: number, inFlight: number, forMs: number) => Promise<Figures>
  stop: () => Promise<void>
}

/** An echo over a link of two processes: our transport and TLS against libp2p's own, same multiplexer, same everything above. */
export const measure: Measure = {
  name: 'transport',
  run: async () => {
    const pairs: Pair[] = []
    try {
      const ours = await startPair('ours')
      pairs.push(ours)
      const stock = await startPair('stock')
      pairs.push(stock)
      for (const { bytes } of LOADS) for (const pair of pairs) await pair.run(bytes, 8, WARM_UP_MS)
      const rows: Row[] = []
      for (const { name, bytes, inFlight } of LOADS) {
        const rounds: { readonly ours: Figures; readonly stock: Figures }[] = []
        for (let round = 0; round < ROUNDS; round++) {
          const first = await pairs[round % 2]!.run(bytes, inFlight, FOR_MS)
          const second = await pairs[1 - (round % 2)]!.run(bytes, inFlight, FOR_MS)
          rounds.push(round % 2 === 0 ? { ours: first, stock: second } : { ours: second, stock: first })
        }
        rows.push(...compare(`echo ${name}, ${inFlight} in flight`, inFlight === 1, rounds))
      }
      return rows
    } finally {
      await Promise.all(pairs.map(pair => pair.stop()))
    }
  }
}

function compare(what: string, alone: boolean, rounds: readonly { readonly ours: Figures; readonly stock: Figures }[]): Row[] {
  const row = (measure: string, unit: string, pick: (figures: Figures) => number, goal: Row['goal']): Row => {
    const [ours, stock] = [median(rounds.map(round => pick(round.ours))), median(rounds.map(round => pick(round.stock)))]
    return {
      measure: `${what}: ${measure}, our TLS ÷ @libp2p/tls`,
      value: median(rounds.map(round => pick(round.ours) / pick(round.stock))),
      unit: 'ratio',
      goal,
      rounds: rounds.length,
      note: `${Math.round(ours)} against ${Math.round(stock)} ${unit}`
    }
  }
  return [
    alone ? row('p50', 'µs', figures => figures.medianUs, { atMost: 1 }) : row('throughput', 'calls/s', figures => figures.perSecond, { atLeast: 1 }),
    row('CPU a call, dialling end', 'µs', figures => figures.dialCpuUs, null),
    row('CPU a call, echoing end', 'µs', figures => figures.echoCpuUs, null)
  ]
}

async function startPair(stack: EchoInit['stack']): Promise<Pair> {
  const children: ChildProcess[] = []
  const start = async (init: EchoInit) => {
    const child = fork(new URL('../processes/echo-peer.ts', import.meta.url), [JSON.stringify(init)])
    children.push(child)
    return { child, peer: await answer<NonNullable<EchoInit['echo']>>(child) }
  }
  const stop = async () => {
    await Promise.all(
      children.map(async child => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const exited = once(child, 'exit')
        child.disconnect()
        await exited
      })
    )
  }
  try {
    const echoing = await start({ stack })
    const dialling = await start({ stack, echo: echoing.peer })
    const cpu = () => Promise.all([ask<number>(dialling.child, 'cpu'), ask<number>(echoing.child, 'cpu')])
    return {
      run: async (bytes, inFlight, forMs) => {
        await cpu()
        const figures = await ask<EchoFigures>(dialling.child, { bytes, inFlight, forMs })
        const [dialUs, echoUs] = await cpu()
        return { ...figures, dialCpuUs: dialUs / figures.calls, echoCpuUs: echoUs / figures.calls }
      },
      stop
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function ask<T>(child: ChildProcess, command: EchoCommand): Promise<T> {
  const answered = answer<T>(child)
  child.send(command)
  return answered
}

function answer<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`an end of the link ended with ${code}`))
    child.once('exit', onExit)
    child.once('message', message => {
      child.off('exit', onExit)
      resolve(message as T)
    })
  })
}
