import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { throwIfAborted } from '../../protocol/errors.ts'
import { sha256 } from '../../protocol/ids.ts'
import { LIMITS } from '../../protocol/limits.ts'

export interface FileDigests {
  readonly sha256: Uint8Array
  readonly size: number
  /** The sha256 of each block, one after another: the block list. */
  readonly blockList: Uint8Array
}

export interface DigestOptions {
  readonly signal?: AbortSignal
  /** Writes what is read to this path too, and syncs it. */
  readonly copyTo?: string
}

/** Reads a file once, block by block, for its digests and, if asked, a copy. */
export async function fileDigests(path: string, options: DigestOptions = {}): Promise<FileDigests> {
  const source = await open(path, 'r')
  const copy = options.copyTo === undefined ? undefined : await open(options.copyTo, 'wx', 0o444)
  try {
    const whole = createHash('sha256')
    const blocks: Uint8Array[] = []
    const buffer = Buffer.allocUnsafe(LIMITS.block)
    let size = 0
    for (;;) {
      throwIfAborted(options.signal)
      const block = buffer.subarray(0, await readFully(source, buffer, size))
      if (block.byteLength === 0) break
      whole.update(block)
      blocks.push(sha256(block))
      if (copy !== undefined) await copy.writeFile(block)
      size += block.byteLength
    }
    await copy?.sync()
    return { sha256: new Uint8Array(whole.digest()), size, blockList: new Uint8Array(Buffer.concat(blocks)) }
  } finally {
    await source.close()
    await copy?.close()
  }
}

/** Fills `buffer` from `position` on, unless the file ends before; resolves with the bytes read. */
export async function readFully(
  file: { read: (buffer: Uint8Array, offset: number, length: number, position: number) => Promise<{ bytesRead: number }> },
  buffer: Uint8Array,
  position: number
): Promise<number> {
  let filled = 0
  while (filled < buffer.byteLength) {
    const { bytesRead } = await file.read(buffer, filled, buffer.byteLength - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled
}
