import type { ClientJournal } from '../../ledger/store/client-journal.ts'
import type { ReleasingMap } from '../../protocol/collections/releasing-map.ts'
import { saltedDigest } from '../../protocol/digest.ts'
import { MotorpoolError } from '../../protocol/errors.ts'
import { fromHex, type PeerId, type TaskId } from '../../protocol/ids.ts'
import type { Clock } from '../../protocol/signer.ts'
import type { AwardedLease } from '../contacts.ts'
import type { ClientEffect, ClientStepEvent } from '../steps/client-state.ts'
import { sendAttempt } from './exchange.ts'
import { createSalts } from './salts.ts'
import { messageOf, type Submission } from './submission.ts'

type SendEffect = Extract<ClientEffect, { type: 'send' }>

export interface SenderInit {
  readonly clock: Clock
  readonly randomBytes: (length: number) => Uint8Array
  readonly journal: ClientJournal
  /** Leases by car, open or awarded. */
  readonly awards: ReadonlyMap<PeerId, AwardedLease>
  readonly submissions: Pick<ReleasingMap<TaskId, Submission>, 'get'>
  readonly signal: AbortSignal
  readonly step: (event: ClientStepEvent) => void
  readonly fail: (task: TaskId, error: MotorpoolError) => void
}

interface Due {
  readonly effect: SendEffect
  readonly submission: Submission
  readonly held: AwardedLease
}

/** Sends attempts, on disk before their cars can hear of them: first ones since their ids were drawn, the others of one turn by one write. */
export function createSender(init: SenderInit): (effect: SendEffect) => void {
  const { clock, journal, awards, submissions, signal: stopped, step, fail } = init
  const drawSalt = createSalts(init.randomBytes)
  let waiting: SendEffect[] = []

  function sendAll(): void {
    const due = dueOf(waiting)
    waiting = []
    const startedMs = clock.monotonicMs()
    try {
      const again = due.filter(({ effect }) => effect.attempt > 1)
      if (again.length > 0)
        journal.recordAttempts(again.map(({ effect, held }) => ({ task: fromHex(effect.task), attempt: effect.attempt, car: held.heard.contact.account })))
    } catch (cause) {
      for (const { effect } of due) {
        step({ type: 'cancelled', task: effect.task })
        fail(
          effect.task,
          new MotorpoolError('ERR_DATA_FOLDER', 'the attempt could not be written to the journal; free space on the disk and submit again', { cause })
        )
      }
      return
    }
    for (const each of due) sendOne(each, startedMs)
  }

  function dueOf(effects: readonly SendEffect[]): Due[] {
    const due: Due[] = []
    for (const effect of effects) {
      const submission = submissions.get(effect.task)
      const held = awards.get(effect.car)
      if (submission !== undefined && held !== undefined) due.push({ effect, submission, held })
    }
    return due
  }

  function sendOne({ effect, submission, held }: Due, startedMs: number): void {
    const { task, attempt, car, lease, deadlineMs } = effect
    const salt = drawSalt()
    const leaseBytes = lease === held.lease ? held.leaseBytes : fromHex(lease)
    const sent = { task, taskBytes: fromHex(task), attempt, leaseBytes, car, salt, input: saltedDigest('input', salt, submission.digest) }
    submission.held = held
    submission.attempt = sent
    submission.arrived = undefined
    submission.onEvent?.({ type: 'assigned', key: submission.key, task, attempt, car })
    sendAttempt(held.heard.contact.link, sent, submission.value, deadlineMs - clock.monotonicMs(), stopped).then(
      () => {
        submission.sendUs = Math.round((clock.monotonicMs() - startedMs) * 1000)
      },
      error => {
        if (!stopped.aborted) step({ type: 'car-lost', car, reason: messageOf(error) })
      }
    )
  }

  return effect => {
    if (waiting.length === 0) queueMicrotask(sendAll)
    waiting.push(effect)
  }
}
