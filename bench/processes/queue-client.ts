import { createPeer } from '../../src/peer.ts'
import type { Tensor } from '../../src/protocol/tensor.ts'

export interface QueueClientInit {
  readonly model: string
  readonly modelFolder: string
  readonly join: readonly string[]
  /** Tasks that it keeps open. */
  readonly tasks: number
  /** Type of the one element of their input `x`. */
  readonly inputType: 'float32' | 'uint8'
}

/** `start` keeps many tasks queued, `stop` ends that; both are answered with the results so far, `start` when the first is there. */
const { model, modelFolder, join, tasks, inputType } = JSON.parse(process.argv[2] ?? '{}') as QueueClientInit
process.on('disconnect', () => process.exit())

const peer = await createPeer({ modelFolder, join })
const x: Tensor = { type: inputType, dims: [1], data: new Uint8Array(inputType === 'float32' ? 4 : 1) }
let done = 0
let stop = new AbortController()
let queue: Promise<unknown> = Promise.resolve()

async function keepOne(first: () => void): Promise<void> {
  while (!stop.signal.aborted) {
    try {
      await peer.run(model, { x }, { signal: stop.signal })
      done++
      first()
    } catch (error) {
      if (!stop.signal.aborted) throw error
    }
  }
}

process.on('message', async command => {
  if (command === 'start') {
    stop = new AbortController()
    await new Promise<void>(first => {
      queue = Promise.all(Array.from({ length: tasks }, () => keepOne(first)))
    })
  } else {
    stop.abort()
    await queue
  }
  process.send?.({ done })
})
process.send?.({})
