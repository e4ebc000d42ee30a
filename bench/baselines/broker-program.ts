import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export type BrokerName = 'nats' | 'redis'

/** Debian's packages, with the libraries that a small system lacks. */
const DEBIAN: Readonly<Record<BrokerName, { readonly command: string; readonly packages: readonly string[] }>> = {
  nats: { command: 'nats-server', packages: ['nats-server'] },
  redis: { command: 'redis-server', packages: ['redis-server', 'redis-tools', 'libjemalloc2', 'liblzf1', 'libatomic1'] }
}
const FOLDERS = ['usr/bin', 'usr/sbin']
const cache = join(import.meta.dirname, '../../node_modules/.cache/motorpool-bench')

export interface BrokerProgram {
  readonly path: string
  readonly env: Readonly<Record<string, string>>
}

/**
 * A broker's program: the installed one, else Debian's package unpacked into a cache folder (no root needed, nothing
 * of the system changes). Undefined where there is neither, as without apt or a network.
 */
export function findBroker(name: BrokerName): BrokerProgram | undefined {
  const { command, packages } = DEBIAN[name]
  const installed = (process.env.PATH ?? '')
    .split(delimiter)
    .concat('/usr/sbin')
    .map(folder => join(folder, command))
    .find(path => existsSync(path))
  if (installed !== undefined) return { path: installed, env: {} }
  const root = join(cache, name)
  return unpacked(root, command) ?? (unpack(root, packages) ? unpacked(root, command) : undefined)
}

function unpacked(root: string, command: string): BrokerProgram | undefined {
  const path = FOLDERS.map(folder => join(root, folder, command)).find(file => existsSync(file))
  if (path === undefined) return undefined
  const libraries = join(root, 'usr/lib')
  const folders = existsSync(libraries) ? readdirSync(libraries).map(folder => join(libraries, folder)) : []
  return { path, env: folders.length === 0 ? {} : { LD_LIBRARY_PATH: folders.join(delimiter) } }
}

function unpack(root: string, packages: readonly string[]): boolean {
  try {
    mkdirSync(root, { recursive: true })
    execFileSync('apt-get', ['-qq', 'download', ...packages], { cwd: root, stdio: 'ignore' })
    for (const file of readdirSync(root).filter(name => name.endsWith('.deb'))) execFileSync('dpkg', ['-x', file, root], { cwd: root, stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
