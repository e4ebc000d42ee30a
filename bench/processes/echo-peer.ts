import { randomBytes } from 'node:crypto'
import { createMesh } from '../../src/mesh/create-mesh.ts'
import { connectionStack } from '../../src/mesh/host/connection-stack.ts'
import type { Link } from '../../src/mesh/mesh.ts'
import type { PeerId } from '../../src/protocol/ids.ts'
import type { TransferHead } from '../../src/protocol/transfer.ts'
import { stockStack } from '../../test/mesh/stock-stack.ts'

/** What the bench hands an end of a link as its argument; one with `echo` dials it. */
export interface EchoInit {
  readonly stack: 'ours' | 'stock'
  readonly echo?: { readonly peerId: string; readonly addresses: readonly string[] }
}

/** Asks the dialling end for so many echoes at once for so long; `cpu` asks either end for what it used since the last time. */
export type EchoCommand = { readonly bytes: number; readonly inFlight: number; readonly forMs: number } | 'cpu'

export interface EchoFigures {
  readonly calls: number
  readonly perSecond: number
  readonly medianUs: number
}

const init = JSON.parse(process.argv[2] ?? '{}') as EchoInit
const waiting = new Map<number, () => void>()
let calls = 0
let cpu = process.cpuUsage()
process.on('disconnect', () => process.exit())

const mesh = await createMesh({
  seed: randomBytes(32),
  listen: ['/ip4/127.0.0.1/tcp/0'],
  join: [],
  mdns: false,
  dht: 'server',
  hello: () => ({ type: 'hello', v: 1, agent: 'bench' }),
  validate: () => 'ignore',
  stack: init.stack === 'ours' ? connectionStack() : stockStack(),
  handlers: {
    onMessage: () => {},
    onClose: (_link, error) => {
      if (error !== undefined) throw error
    },
    onTransfer: async (link, head, body) => {
      const parts = await body.all()
      if (head.type !== 'result') throw new Error('only results are echoed')
      if (init.echo === undefined) await link.transfer(head, parts)
      else waiting.get(head.part)?.()
    }
  }
})
const link = init.echo === undefined ? undefined : await mesh.link(init.echo.peerId as PeerId, { addresses: init.echo.addresses })

async function echo(over: Link, payload: Uint8Array): Promise<void> {
  const part = calls++
  const head: TransferHead = {
    type: 'result',
    lease: new Uint8Array(32),
    task: new Uint8Array(16),
    attempt: 1,
    part,
    kind: 'tensors',
    parameters: {},
    tensors: [['x', 'uint8', [payload.length], payload.length]]
  }
  const returned = new Promise<void>(resolve => waiting.set(part, resolve))
  await over.transfer(head, [payload])
  await returned
  waiting.delete(part)
}

async function run(over: Link, { bytes, inFlight, forMs }: Exclude<EchoCommand, 'cpu'>): Promise<EchoFigures> {
  const payload = randomBytes(bytes)
  const tookUs: number[] = []
  const started = performance.now()
  const end = started + forMs
  const loop = async () => {
    for (let at = performance.now(); at < end; ) {
      await echo(over, payload)
      const now = performance.now()
      tookUs.push((now - at) * 1000)
      at = now
    }
  }
  await Promise.all(Array.from({ length: inFlight }, loop))
  tookUs.sort((left, right) => left - right)
  return { calls: tookUs.length, perSecond: (tookUs.length / (performance.now() - started)) * 1000, medianUs: tookUs[tookUs.length >> 1] ?? 0 }
}

process.on('message', async (command: EchoCommand) => {
  if (command === 'cpu') {
    const spent = process.cpuUsage(cpu)
    cpu = process.cpuUsage()
    process.send?.(spent.user + spent.system)
  } else if (link !== undefined) process.send?.(await run(link, command))
})
process.send?.({ peerId: mesh.peerId, addresses: mesh.addresses() })
