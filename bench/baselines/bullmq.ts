import { Queue, QueueEvents, Worker } from 'bullmq'
import { redisConnection } from './redis-connection.ts'
import type { Transport } from './transport.ts'

const TIMEOUT_MS = 60_000
/** Finished jobs that stay in Redis, so that a caller that looks late still finds its own. */
const KEPT_JOBS = 500

/** BullMQ jobs, waited for by their events. Its jobs are JSON, so tensors travel as base64. */
export const bullmq: Transport = {
  serve: async (handler, options) => {
    const worker = new Worker(
      options.queue,
      async (job: { readonly data: string }) => Buffer.from(await handler(Buffer.from(job.data, 'base64'))).toString('base64'),
      { connection: redisConnection(options), concurrency: options.jobsAtOnce }
    )
    worker.on('error', error => process.stderr.write(`bullmq worker: ${error.message}\n`))
    await worker.waitUntilReady()
    return 0
  },
  connect: async (_ports, options) => {
    const connection = redisConnection(options)
    const queue = new Queue<string, string, 'infer'>(options.queue, { connection, defaultJobOptions: { removeOnComplete: { count: KEPT_JOBS } } })
    const events = new QueueEvents(options.queue, { connection })
    await Promise.all([queue.waitUntilReady(), events.waitUntilReady()])
    queue.setMaxListeners(0)
    events.setMaxListeners(0)
    return async input => {
      const job = await queue.add('infer', input.toString('base64'))
      return Buffer.from(await job.waitUntilFinished(events, TIMEOUT_MS), 'base64')
    }
  }
}
