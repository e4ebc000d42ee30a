import { type SignedFlush, signFlush } from '../../ledger/flush.ts'
import type { CarJournal } from '../../ledger/store/car-journal.ts'
import { isMotorpoolError, type MotorpoolError } from '../../protocol/errors.ts'
import type { Clock } from '../../protocol/signer.ts'
import type { TaskHead } from '../../protocol/transfer.ts'
import { headerOf, type LeaseContext, WHOLE } from './provable-result.ts'

/** A leaf that no root covers yet. */
export interface Unproven {
  readonly context: LeaseContext
  readonly leaf: Uint8Array
  readonly head: TaskHead
  /** Hears that it may not be signed. */
  readonly refuse: (error: MotorpoolError) => void
}

/** A signed tree over leaves of one lease, which are on disk. */
export interface SignedRoot extends Pick<SignedFlush, 'flush' | 'leaves'> {
  readonly context: LeaseContext
}

export interface RootSigner {
  /** Signs leaves of one lease under as few roots as hold them, each leaf journalled before; those that may not be signed are refused. */
  signAll: (due: readonly Unproven[]) => readonly SignedRoot[]
  /** What a root costs here, ms: the write of its leaves, and the signature. */
  costMs: () => number
}

/** Leaves of one root: as many as fit a control frame. */
const LEAVES_MOST = 40
/** A root's cost before one was measured, ms, and each one's share in the running mean. */
const USUAL_COST_MS = 0.5
const MEAN_SHARE = 0.1

export function createRootSigner({ journal, clock }: { readonly journal: CarJournal; readonly clock: Clock }): RootSigner {
  let costMs = USUAL_COST_MS

  /** The leaves that are on disk now: all by one write, or each by itself when one of them may not be signed. */
  function journalled(due: readonly Unproven[]): Uint8Array[] {
    const recordOf = ({ context, leaf, head: { task, attempt } }: Unproven) => ({ account: context.account.publicKey, task, part: WHOLE, attempt, leaf })
    try {
      journal.recordLeaves(due.map(recordOf))
      return due.map(({ leaf }) => leaf)
    } catch {
      return due.flatMap(each => {
        try {
          journal.recordLeaves([recordOf(each)])
          return [each.leaf]
        } catch (error) {
          if (!isMotorpoolError(error)) throw error
          each.refuse(error)
          return []
        }
      })
    }
  }

  function signAll(due: readonly Unproven[]): readonly SignedRoot[] {
    const roots: SignedRoot[] = []
    for (let at = 0; at < due.length; at += LEAVES_MOST) {
      const startedMs = clock.monotonicMs()
      const some = due.slice(at, at + LEAVES_MOST)
      const context = some[0]?.context
      const sound = journalled(some)
      if (context === undefined || sound.length === 0) continue
      const { flush, leaves } = signFlush(context.account, headerOf(context), sound)
      costMs += (clock.monotonicMs() - startedMs - costMs) * MEAN_SHARE
      roots.push({ context, flush, leaves })
    }
    return roots
  }

  return { signAll, costMs: () => costMs }
}
