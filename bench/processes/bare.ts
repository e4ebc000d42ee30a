import { openHandler } from '../baselines/handler.ts'
import { type LoadCommand, runLoad } from '../load-loop.ts'
import { inputMessage, type Workload } from '../workloads.ts'

/** ONNX Runtime in a loop, with nothing around it. */
const workload = JSON.parse(process.argv[2] ?? '{}') as Workload
process.on('disconnect', () => process.exit())

const { handle, workerPid = process.pid } = await openHandler(workload)
const input = inputMessage(workload)
process.on('message', async command => {
  process.send?.(await runLoad(async () => (await handle(input)).byteLength, command as LoadCommand))
})
process.send?.({ outputBytes: (await handle(input)).byteLength, workerPid })
