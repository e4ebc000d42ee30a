import { MotorpoolError } from './errors.ts'

const HEAD_BYTES = 4

/** A frame's head: the length of its body as u32 big-endian. */
export function frameHead(length: number): Uint8Array {
  const head = Buffer.allocUnsafe(HEAD_BYTES)
  head.writeUInt32BE(length)
  return head
}

export interface FrameReaderOptions {
  /** Longest body, in bytes. */
  readonly limit: number
  /** Hears of every whole frame: its body as views of the chunks that it came in (none for an empty body), and its length. */
  readonly onFrame: (parts: readonly Uint8Array[], length: number) => void
}

/**
 * Cuts a byte stream into frames without copying. Feed it the chunks in order; it throws `ERR_BAD_FRAME` as soon as a head
 * announces more than `limit` bytes, and for every chunk after that.
 */
export function createFrameReader(options: FrameReaderOptions): (chunk: Uint8Array) => void {
  const { limit, onFrame } = options
  let headBytes = 0
  let length = 0
  let left = 0
  let parts: Uint8Array[] = []

  return chunk => {
    let at = 0
    while (at < chunk.length) {
      if (headBytes < HEAD_BYTES) {
        length = length * 256 + (chunk[at] ?? 0)
        headBytes++
        at++
        if (headBytes < HEAD_BYTES) continue
        left = length
      }
      if (length > limit) throw new MotorpoolError('ERR_BAD_FRAME', `a frame announces ${length} bytes, at most ${limit} are allowed; the stream is closed`)
      const taken = Math.min(left, chunk.length - at)
      if (taken > 0) parts.push(taken === chunk.length ? chunk : chunk.subarray(at, at + taken))
      at += taken
      left -= taken
      if (left > 0) return
      const [frame, frameLength] = [parts, length]
      parts = []
      headBytes = length = 0
      onFrame(frame, frameLength)
    }
  }
}
