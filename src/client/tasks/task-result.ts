import { encodeReceipt } from '../../ledger/receipt.ts'
import type { ModelCid } from '../../protocol/ids.ts'
import type { TaskResult } from '../client.ts'
import type { Submission } from './submission.ts'

/** What the caller gets of a submission whose outputs are there; the receipt's file and promise are made when they are asked for. */
export function resultOf(submission: Submission, model: ModelCid, nowMs: number): TaskResult | undefined {
  const { attempt, held, arrived, proven, receipted } = submission
  if (attempt === undefined || held === undefined || arrived === undefined) return undefined
  let file: Uint8Array | undefined
  let promise = receipted?.promise
  const receiptFile = (): Uint8Array => {
    file ??= proven === undefined ? new Uint8Array(0) : encodeReceipt(proven.receipt)
    return file
  }
  return {
    task: attempt.task,
    model,
    attempt: attempt.attempt,
    outputs: arrived.outputs,
    car: attempt.car,
    carAccount: held.heard.contact.account,
    signed: proven !== undefined,
    get receipt() {
      return receiptFile()
    },
    get receipted() {
      promise ??= Promise.resolve(receiptFile())
      return promise
    },
    provisional: true,
    times: {
      totalMs: nowMs - submission.submittedMs,
      sendUs: submission.sendUs,
      checkUs: submission.checkUs,
      queuedUs: proven?.queuedUs ?? 0,
      ranUs: proven?.ranUs ?? 0
    }
  }
}
