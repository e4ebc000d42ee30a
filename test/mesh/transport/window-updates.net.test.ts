import type { Socket } from 'node:net'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { connectionStack } from '../../../src/mesh/host/connection-stack.ts'
import type { LinkHandlers } from '../../../src/mesh/mesh.ts'
import { numberedHead, pattern, startPair, stopAll, until } from '../peers.ts'

const ROUNDS = 41
/** A yamux frame without a payload. */
const FRAME_BYTES = 12
/** Together more than half of a stream's window of 256 KiB. */
const TOGETHER = 7

const median = (values: readonly number[]): number => values.toSorted((left, right) => left - right)[values.length >> 1] ?? Number.NaN

test('what makes room for small messages goes along with the answer, in one record', async () => {
  const sockets: Socket[] = []
  const answers: PromiseWithResolvers<void>[] = []
  const ignore = { onMessage: () => {}, onClose: () => {} }
  const reply = pattern(100, 2)
  const answering: LinkHandlers = {
    ...ignore,
    onTransfer: async (link, head, body) => {
      await body.all()
      // The answer takes its time: in the same turn all goes out together anyway.
      await setImmediate()
      await setImmediate()
      await link.transfer(head, [reply])
    }
  }
  const hearing: LinkHandlers = { ...ignore, onTransfer: (_link, _head, body) => void body.all().then(() => answers.shift()?.resolve()) }
  const { a, b, toB, toA } = await startPair({ handlers: hearing }, { handlers: answering, stack: connectionStack(socket => sockets.push(socket)) })
  try {
    const written = (): number => sockets.reduce((sum, socket) => sum + socket.bytesWritten, 0)
    /** Bytes that the answering side writes until its transfer has arrived, in most rounds: now and then a beat is among them. */
    const usual = async (start: () => Promise<void>): Promise<number> => {
      const bytes: number[] = []
      for (let round = 0; round < ROUNDS; round++) {
        const before = written()
        const answered = Promise.withResolvers<void>()
        answers.push(answered)
        await start()
        await answered.promise
        bytes.push(written() - before)
      }
      return median(bytes)
    }
    const unasked = await usual(() => toA.transfer(numberedHead(1), [reply]))
    const asked = await usual(() => toB.transfer(numberedHead(1), [pattern(1000, 1)]))
    expect(asked - unasked).toBe(FRAME_BYTES)
  } finally {
    await stopAll([a, b])
  }
})

test('several messages that come together take a part of each stream’s window, and need no answer at once', async () => {
  const sockets: Socket[] = []
  let arrived = 0
  const hearing: LinkHandlers = { onMessage: () => {}, onClose: () => {}, onTransfer: (_link, _head, body) => void body.all().then(() => arrived++) }
  const { a, b, toB, toA } = await startPair({}, { handlers: hearing, stack: connectionStack(socket => sockets.push(socket)) })
  try {
    const written = (): number => sockets.reduce((sum, socket) => sum + socket.bytesWritten, 0)
    const payload = pattern(27_648, 1)
    const bytes: number[] = []
    for (let round = 1; round <= 21; round++) {
      const before = written()
      for (let sent = 0; sent < TOGETHER; sent++) void toB.transfer(numberedHead(sent), [payload])
      await until(() => arrived === round * TOGETHER, 'all have arrived')
      // Shorter than half of the time between two beats, so that most rounds see none.
      await setTimeout(50)
      bytes.push(written() - before)
      toA.send({ type: 'release', lease: new Uint8Array(32) })
      await setTimeout(10)
    }
    expect(median(bytes)).toBe(0)
  } finally {
    await stopAll([a, b])
  }
})

test('small messages that nobody answers have room all the same', async () => {
  let heardBytes = 0
  const counting: LinkHandlers = {
    onMessage: () => {},
    onClose: () => {},
    onTransfer: async (_link, _head, body) => {
      for (const part of await body.all()) heardBytes += part.length
    }
  }
  const { a, b, toB } = await startPair({}, { handlers: counting })
  try {
    const payload = pattern(1000, 1)
    // Three windows of a stream.
    for (let sent = 0; sent < 800; sent++) await toB.transfer(numberedHead(sent), [payload])
    await until(() => heardBytes === 800_000, 'all have arrived')
  } finally {
    await stopAll([a, b])
  }
})
