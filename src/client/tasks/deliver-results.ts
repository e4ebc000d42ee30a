import type { ClientJournal, ResultRecord } from '../../ledger/store/client-journal.ts'
import { MotorpoolError } from '../../protocol/errors.ts'
import type { ModelCid } from '../../protocol/ids.ts'
import type { Clock } from '../../protocol/signer.ts'
import type { createMemory } from '../contacts.ts'
import { fulfil, refuse, type Submission, type TaskCounts } from './submission.ts'
import { resultOf } from './task-result.ts'

export interface DeliveriesInit {
  readonly model: ModelCid
  readonly clock: Clock
  readonly memory: ReturnType<typeof createMemory>
  readonly journal: ClientJournal
  readonly counts: TaskCounts
}

/** Proven results on their way to their callers. */
export interface Deliveries {
  add: (submission: Submission) => void
  /** All that were added, now. */
  finish: () => void
}

/** Results are on disk before their callers hear of them; those that a turn of the event loop proves share a write, of one flush or of several cars'. */
export function createDeliveries({ model, clock, memory, journal, counts }: DeliveriesInit): Deliveries {
  let waiting: Submission[] = []

  function finish(): void {
    const due = waiting
    if (due.length === 0) return
    waiting = []
    try {
      journal.recordResults(recordsOf(due))
    } catch (cause) {
      counts.failed += due.length
      const error = new MotorpoolError('ERR_DATA_FOLDER', 'the result could not be written to the journal; free space on the disk and submit again', { cause })
      for (const submission of due) refuse(submission, error)
      return
    }
    counts.done += due.length
    for (const submission of due) {
      const result = resultOf(submission, model, clock.monotonicMs())
      if (result === undefined) continue
      memory.record(result.carAccount, 'completed', clock.unixMs())
      fulfil(submission, result)
    }
  }

  return {
    add: submission => {
      if (waiting.length === 0) setImmediate(finish)
      waiting.push(submission)
    },
    finish
  }
}

function recordsOf(submissions: readonly Submission[]): ResultRecord[] {
  const records: ResultRecord[] = []
  for (const { attempt, held, proven } of submissions) {
    if (attempt === undefined || held === undefined || proven === undefined) continue
    records.push({ task: attempt.taskBytes, attempt: attempt.attempt, receipt: proven.receipt, car: held.heard.contact.account })
  }
  return records
}
