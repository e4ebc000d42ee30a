import { connect } from 'node:net'
import { abortError, MotorpoolError } from '../../protocol/errors.ts'
import { ADMIN_LINE_LIMIT, type AdminMethod, type AdminParameters, type AdminResults, parseLine, replySchema } from './methods.ts'
import { findSocketPath } from './socket-path.ts'

export interface AdminRequestOptions {
  readonly signal?: AbortSignal
  /** @default 30000 */
  readonly timeoutMs?: number
}

/**
 * Asks the peer that runs on a data folder. Errors: `ERR_STOPPED` when none runs there, `ERR_DEADLINE` when it doesn't
 * answer, and whatever the peer answers with.
 */
export async function adminRequest<M extends AdminMethod>(
  dataFolder: string,
  method: M,
  parameters: AdminParameters<M>,
  options: AdminRequestOptions = {}
): Promise<AdminResults[M]> {
  const path = await findSocketPath(dataFolder)
  const { signal, timeoutMs = 30_000 } = options
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    let text = ''
    const end = (settle: () => void) => {
      signal?.removeEventListener('abort', aborted)
      socket.destroy()
      settle()
    }
    const fail = (error: unknown) => end(() => reject(error))
    const aborted = () => fail(abortError(signal as AbortSignal))
    const gone = (cause?: unknown) => fail(new MotorpoolError('ERR_STOPPED', `no peer runs on ${dataFolder}; start one with motorpool up`, { cause }))
    signal?.addEventListener('abort', aborted, { once: true })
    if (signal?.aborted === true) return aborted()
    socket.setEncoding('utf8')
    socket.setTimeout(timeoutMs, () =>
      fail(new MotorpoolError('ERR_DEADLINE', `the peer on ${dataFolder} did not answer within ${timeoutMs} ms; see its log, or end it with motorpool down`))
    )
    socket.on('error', gone)
    socket.on('close', () => gone())
    socket.on('connect', () => socket.write(`${JSON.stringify({ method, parameters })}\n`))
    socket.on('data', (chunk: string) => {
      text += chunk
      const line = text.split('\n', 1)[0] ?? ''
      if (line.length < text.length) end(() => settleReply<M>(line, resolve, reject))
      else if (text.length > 16 * ADMIN_LINE_LIMIT) fail(new MotorpoolError('ERR_TOO_LARGE', 'the peer answered too much; ask for less'))
    })
  })
}

/** A peer of the same owner and version is believed to answer in the shape it promises. */
function settleReply<M extends AdminMethod>(line: string, resolve: (result: AdminResults[M]) => void, reject: (error: unknown) => void): void {
  try {
    const reply = replySchema.parse(parseLine(line))
    if ('error' in reply) reject(new MotorpoolError(reply.error.code, reply.error.message))
    else resolve(reply.result as AdminResults[M])
  } catch (error) {
    reject(error)
  }
}
