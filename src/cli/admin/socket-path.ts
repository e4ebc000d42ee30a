import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** Longest path of a unix socket that Linux (108) and macOS (104) both bind, with the closing zero byte. */
const LONGEST_SOCKET_PATH = 103
const SOCKET = 'admin.sock'
/** Holds the socket's path when the data folder's own path is too long for one. */
const POINTER = 'admin.path'

/** Chooses where the administration socket of a data folder is, for the process that holds the folder's lock. */
export async function claimSocketPath(dataFolder: string): Promise<string> {
  const path = join(dataFolder, SOCKET)
  await releaseSocketPath(dataFolder)
  if (Buffer.byteLength(path) <= LONGEST_SOCKET_PATH) return path
  const shortest = [tmpdir(), '/tmp'].find(folder => Buffer.byteLength(folder) < LONGEST_SOCKET_PATH - 40) ?? '/tmp'
  const elsewhere = join(await mkdtemp(join(shortest, 'motorpool-')), SOCKET)
  await writeFile(join(dataFolder, POINTER), elsewhere, { mode: 0o600 })
  return elsewhere
}

/** Where the administration socket of a data folder is, if its peer runs. */
export async function findSocketPath(dataFolder: string): Promise<string> {
  return (await pointer(dataFolder)) ?? join(dataFolder, SOCKET)
}

/** Removes the socket and whatever led to it. */
export async function releaseSocketPath(dataFolder: string): Promise<void> {
  const elsewhere = await pointer(dataFolder)
  if (elsewhere !== undefined) await rm(dirname(elsewhere), { recursive: true, force: true })
  await rm(join(dataFolder, POINTER), { force: true })
  await rm(join(dataFolder, SOCKET), { force: true })
}

async function pointer(dataFolder: string): Promise<string | undefined> {
  const path = await readFile(join(dataFolder, POINTER), 'utf8').catch(() => undefined)
  return path?.endsWith(`/${SOCKET}`) === true ? path : undefined
}
