import { chmod } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { isMotorpoolError, MotorpoolError } from '../../protocol/errors.ts'
import { ADMIN_LINE_LIMIT, ADMIN_METHODS, type AdminMethod, type AdminParameters, type AdminResults, parseLine, requestSchema } from './methods.ts'
import { claimSocketPath, releaseSocketPath } from './socket-path.ts'

export type AdminHandlers = { readonly [M in AdminMethod]: (parameters: AdminParameters<M>) => AdminResults[M] | Promise<AdminResults[M]> }

/** A person types, a script polls; more at once is a mistake. */
const MOST_CONNECTIONS = 32
/** Longer than any departure; a silent connection is closed then. */
const IDLE_LIMIT_MS = 180_000

/**
 * Answers the owner of a data folder on a unix socket in it that only they can open: requests and replies are
 * lines of JSON, answered in order.
 */
export async function startAdminServer(dataFolder: string, handlers: AdminHandlers): Promise<{ readonly path: string; readonly stop: () => Promise<void> }> {
  const path = await claimSocketPath(dataFolder)
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    serve(socket, handlers)
  })
  server.maxConnections = MOST_CONNECTIONS
  await listen(server, path)
  await chmod(path, 0o600)
  const stop = async () => {
    const closed = new Promise<void>(resolve => server.close(() => resolve()))
    for (const socket of sockets) socket.end()
    for (const socket of sockets) socket.destroySoon()
    await closed
    await releaseSocketPath(dataFolder)
  }
  return { path, stop }
}

function serve(socket: Socket, handlers: AdminHandlers): void {
  let pending = ''
  let last = Promise.resolve()
  socket.setEncoding('utf8')
  socket.setTimeout(IDLE_LIMIT_MS, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  socket.on('data', (text: string) => {
    const lines = (pending + text).split('\n')
    pending = lines.pop() ?? ''
    for (const line of lines) {
      last = last.then(() => answer(line, handlers)).then(reply => void (socket.writable && socket.write(`${reply}\n`)))
    }
    if (pending.length > ADMIN_LINE_LIMIT) {
      socket.end(`${failure(new MotorpoolError('ERR_TOO_LARGE', `a request is at most ${ADMIN_LINE_LIMIT} bytes; send a smaller one`))}\n`)
      pending = ''
    }
  })
}

async function answer(line: string, handlers: AdminHandlers): Promise<string> {
  try {
    const request = requestSchema.safeParse(parseLine(line))
    if (!request.success)
      throw new MotorpoolError('ERR_SCHEMA', `the request is not one of ${Object.keys(ADMIN_METHODS).join(', ')}; send {"method","parameters"}`)
    return JSON.stringify({ result: (await call(request.data.method, request.data.parameters, handlers)) ?? null })
  } catch (error) {
    return failure(error)
  }
}

function call<M extends AdminMethod>(method: M, parameters: unknown, handlers: AdminHandlers): unknown {
  const parsed = ADMIN_METHODS[method].safeParse(parameters ?? {})
  if (!parsed.success) throw new MotorpoolError('ERR_SCHEMA', `${method} does not take ${JSON.stringify(parameters).slice(0, 80)}; see its parameters`)
  return handlers[method](parsed.data as AdminParameters<M>)
}

function failure(error: unknown): string {
  const known = isMotorpoolError(error)
    ? error
    : new MotorpoolError('ERR_RUN_FAILED', `${error instanceof Error ? error.message : String(error)}; see the peer's log`)
  return JSON.stringify({ error: { code: known.code, message: known.message } })
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', cause =>
      reject(new MotorpoolError('ERR_DATA_FOLDER', `no administration socket at ${path} (${cause.message}); choose another data folder`, { cause }))
    )
    server.listen(path, resolve)
  })
}
