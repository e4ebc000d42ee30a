import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLibp2p } from 'libp2p'
import { startRunner } from '../../src/inference/start-runner.ts'
import { connectionStack } from '../../src/mesh/host/connection-stack.ts'
import { noopModel } from '../../test/fixtures/models/make.ts'
import { LONE_PROTOCOL, onFrame, sendFrame } from '../lone-streams.ts'

/** A worker with the no-op model behind bare libp2p streams: an input on each, its output back, and nothing else. */
process.on('disconnect', () => process.exit())

const LIMIT_MS = 60_000
const folder = await mkdtemp(join(tmpdir(), 'motorpool-bench-'))
await writeFile(join(folder, 'model.onnx'), noopModel())
const runner = await startRunner({ cid: 'bench', task: 'tensors', folder, files: ['model.onnx'] })
const host = await createLibp2p({ addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] }, ...connectionStack() })
await host.handle(LONE_PROTOCOL, stream => {
  onFrame(stream, async data => {
    const input = { kind: 'tensors', parameters: {}, tensors: { x: { type: 'uint8', dims: [data.byteLength], data } } } as const
    const { output } = await runner.run({ input, limitMs: LIMIT_MS })
    sendFrame(stream, output.tensors.y?.data ?? new Uint8Array())
    await stream.close()
  })
})
process.send?.({ address: String(host.getMultiaddrs()[0]) })
