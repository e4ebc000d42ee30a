import { anySignal, MotorpoolError } from '../protocol/errors.ts'
import { cidFromBytes, cidToBytes, type ModelCid, type PeerId } from '../protocol/ids.ts'
import { LIMITS } from '../protocol/limits.ts'
import type { TransferHead } from '../protocol/transfer.ts'
import type { Link, SignalOption, TransferBody } from './mesh.ts'

export interface BlockExchangeInit {
  /** The bytes of a signed manifest or block that this peer holds. */
  readonly read: (cid: ModelCid) => Promise<Uint8Array | undefined>
  /** Links to ask, likeliest first. */
  readonly links: () => readonly Link[]
}

export interface BlockExchange {
  /** Takes transfers of type want, block and missing; false for any other. */
  receive: (link: Link, head: TransferHead, body: TransferBody) => boolean
  /** Asks one linked peer after another; the bytes are unchecked. Rejects `ERR_MODEL_UNKNOWN` when nobody has them. */
  fetch: (cid: string, options?: SignalOption) => Promise<Uint8Array>
}

interface Want {
  readonly remote: PeerId
  readonly resolve: (bytes: Uint8Array | undefined) => void
}

/** A holder that doesn't answer by then is passed over, ms. */
const ANSWER_MS = 10_000

/** Gives blocks to whom asks, and asks others for them, over links that are open. */
export function createBlockExchange({ read, links }: BlockExchangeInit): BlockExchange {
  const wants = new Map<number, Want>()
  let lastId = 0

  async function answer(link: Link, id: number, cid: Uint8Array): Promise<void> {
    const bytes = await read(cidFromBytes(cid)).catch(() => undefined)
    if (bytes === undefined) await link.transfer({ type: 'missing', id, cid, code: 'ERR_MODEL_UNKNOWN' }, [])
    else await link.transfer({ type: 'block', id, cid }, [bytes])
  }

  async function take(want: Want, body: TransferBody): Promise<void> {
    if (body.byteLength > LIMITS.block) {
      body.discard()
      return want.resolve(undefined)
    }
    want.resolve(
      await body.all().then(
        parts => new Uint8Array(Buffer.concat(parts)),
        () => undefined
      )
    )
  }

  async function ask(link: Link, cid: string, signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
    const id = ++lastId
    const patience = AbortSignal.timeout(ANSWER_MS)
    const until = anySignal(signal, patience)
    try {
      return await new Promise(resolve => {
        wants.set(id, { remote: link.remote, resolve })
        until.addEventListener('abort', () => resolve(undefined), { once: true })
        link.transfer({ type: 'want', id, cid: cidToBytes(cid) }, [], { signal: until }).catch(() => resolve(undefined))
      })
    } finally {
      wants.delete(id)
    }
  }

  return {
    receive: (link, head, body) => {
      if (head.type !== 'want' && head.type !== 'block' && head.type !== 'missing') return false
      const want = head.type === 'want' ? undefined : wants.get(head.id)
      if (head.type === 'want') {
        body.discard()
        answer(link, head.id, head.cid).catch(() => undefined)
      } else if (head.type === 'block' && want?.remote === link.remote) {
        void take(want, body)
      } else {
        body.discard()
        if (want?.remote === link.remote) want.resolve(undefined)
      }
      return true
    },
    fetch: async (cid, options = {}) => {
      for (const link of links()) {
        if (options.signal?.aborted === true) break
        const bytes = await ask(link, cid, options.signal)
        if (bytes !== undefined) return bytes
      }
      throw new MotorpoolError(
        'ERR_MODEL_UNKNOWN',
        `none of ${links().length} linked peers has ${cid}; connect to a car that runs the model, or add it with motorpool model add`
      )
    }
  }
}
