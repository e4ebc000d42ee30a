import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import * as tls from 'node:tls'
import { createFrameReader, frameHead } from '../../src/protocol/frames.ts'
import { type Call, type Transport, toLeastBusy } from './transport.ts'

const LIMIT = 64 * 1024 * 1024

/** A bare stream of length-prefixed frames, answered in their order: the least that a secure channel can cost. */
export const framed: Transport = {
  serve: async (handler, { certificate }) => {
    const onSocket = (socket: Socket): void => {
      const write = frameWriter(socket)
      let turn: Promise<void> = Promise.resolve()
      onFrames(socket, input => {
        turn = turn.then(async () => write(await handler(input)))
      })
    }
    const server =
      certificate === null
        ? createServer({ noDelay: true }, onSocket)
        : tls.createServer({ noDelay: true, cert: readFileSync(certificate.certificateFile), key: readFileSync(certificate.keyFile) }, onSocket)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },
  connect: async (ports, { certificate }) =>
    toLeastBusy(
      await Promise.all(
        ports.map(async (port): Promise<Call> => {
          const socket =
            certificate === null
              ? dial({ port, host: '127.0.0.1', noDelay: true })
              : tls.connect({ port, host: '127.0.0.1', ca: readFileSync(certificate.certificateFile) })
          await once(socket, certificate === null ? 'connect' : 'secureConnect')
          socket.setNoDelay(true)
          const write = frameWriter(socket)
          const waiting: ((output: Uint8Array) => void)[] = []
          onFrames(socket, output => waiting.shift()?.(output))
          return input =>
            new Promise(resolve => {
              waiting.push(resolve)
              write(input)
            })
        })
      )
    )
}

/** One system call for all that is written in a tick. */
function frameWriter(socket: Socket): (body: Uint8Array) => void {
  let corked = false
  return body => {
    if (!corked) {
      corked = true
      socket.cork()
      process.nextTick(() => {
        corked = false
        socket.uncork()
      })
    }
    socket.write(frameHead(body.byteLength))
    socket.write(body)
  }
}

function onFrames(socket: Socket, onFrame: (body: Uint8Array) => void): void {
  socket.on('data', createFrameReader({ limit: LIMIT, onFrame: parts => onFrame(parts.length === 1 ? parts[0]! : Buffer.concat(parts)) }))
}
