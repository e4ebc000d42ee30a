import { randomBytes } from 'node:crypto'
import { closeSync, constants, existsSync, fstatSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, type Stats, writeSync } from 'node:fs'
import { join } from 'node:path'
import { MotorpoolError } from '../../protocol/errors.ts'
import { fromHex, sha256, toHex } from '../../protocol/ids.ts'
import { syncFolder } from './open-database.ts'

const LINE = /^motorpool seed ([0-9a-f]{64}) ([0-9a-f]{8})\n$/

/**
 * The 32 secret bytes in the file `name` of `folder`, drawn and written (0600) at first use. Throws `ERR_ACCOUNT_KEY` when the
 * file can't be read, is damaged, is another user's, or is open to others: a peer never goes on with a doubtful key.
 */
export function loadOrCreateSeed(folder: string, name: string): Uint8Array {
  const file = join(folder, name)
  if (!existsSync(file)) createSeed(folder, file)
  return readSeed(file)
}

function readSeed(file: string): Uint8Array {
  let text: string
  let stats: Stats
  try {
    const descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      stats = fstatSync(descriptor)
      text = stats.isFile() && stats.size <= 256 ? readFileSync(descriptor, 'utf8') : ''
    } finally {
      closeSync(descriptor)
    }
  } catch (cause) {
    throw new MotorpoolError('ERR_ACCOUNT_KEY', `the key file ${file} cannot be read; make it readable to you alone, or restore a copy`, { cause })
  }
  if (process.getuid !== undefined && stats.uid !== process.getuid())
    throw new MotorpoolError('ERR_ACCOUNT_KEY', `the key file ${file} belongs to another user; use your own`)
  if (process.platform !== 'win32' && (stats.mode & 0o077) !== 0)
    throw new MotorpoolError('ERR_ACCOUNT_KEY', `the key file ${file} is open to other users; run chmod 600 on it, and replace it if it was seen`)
  const [, hex, sum] = LINE.exec(text) ?? []
  if (hex === undefined || sumOf(fromHex(hex)) !== sum)
    throw new MotorpoolError('ERR_ACCOUNT_KEY', `the key file ${file} is damaged; restore a copy, or remove it to begin under a new account`)
  return fromHex(hex)
}

/** Written whole under another name first; a link never replaces a key that someone else made meanwhile. */
function createSeed(folder: string, file: string): void {
  const seed = randomBytes(32)
  const fresh = `${file}.${toHex(randomBytes(4))}.new`
  try {
    const descriptor = openSync(fresh, 'wx', 0o600)
    try {
      writeSync(descriptor, `motorpool seed ${toHex(seed)} ${sumOf(seed)}\n`)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    linkIfAbsent(fresh, file)
    rmSync(fresh)
    syncFolder(folder)
  } catch (cause) {
    rmSync(fresh, { force: true })
    throw new MotorpoolError('ERR_ACCOUNT_KEY', `the key file ${file} cannot be written; make its folder writable`, { cause })
  }
}

function linkIfAbsent(fresh: string, file: string): void {
  try {
    linkSync(fresh, file)
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'EEXIST') throw error
  }
}

/** So that a flipped digit shows, instead of quietly being another account. */
function sumOf(seed: Uint8Array): string {
  return toHex(sha256(seed).subarray(0, 4))
}
