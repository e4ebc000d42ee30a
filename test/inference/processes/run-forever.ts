import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startRunner } from '../../../src/inference/start-runner.ts'
import { loopModel } from '../../fixtures/models/make.ts'

/* A peer in the middle of a run without end; prints its worker's process id. */
const folder = process.argv[2] as string
process.env.TMPDIR = folder
writeFileSync(join(folder, 'model.onnx'), loopModel())
const runner = await startRunner({ cid: 'loop', task: 'tensors', folder, files: ['model.onnx'] })
const input = { kind: 'tensors', parameters: {}, tensors: { forever: { type: 'bool', dims: [], data: Uint8Array.of(1) } } } as const
runner.run({ input, limitMs: 1e6 }).catch(() => {})
// Long enough for the worker to be inside of ONNX Runtime.
await delay(300)
console.log(runner.pids[0])
