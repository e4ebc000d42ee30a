import { TRANSPORTS } from '../baselines/transports.ts'
import { type LoadCommand, runLoad } from '../load-loop.ts'
import { inputMessage } from '../workloads.ts'
import type { BaselineProcessInit } from './baseline-worker.ts'

/** Puts load on a baseline's workers. */
const { transport, workload, options, ports } = JSON.parse(process.argv[2] ?? '{}') as BaselineProcessInit
process.on('disconnect', () => process.exit())

const call = await (await TRANSPORTS[transport].load()).connect(ports, options)
const input = inputMessage(workload)
process.on('message', async command => {
  process.send?.(await runLoad(async () => (await call(input)).byteLength, command as LoadCommand))
})
process.send?.({})
