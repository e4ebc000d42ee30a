import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDataFolder } from '../../../src/ledger/store/data-folder.ts'
import { loadOrCreateSeed } from '../../../src/ledger/store/key-file.ts'
import { expectRefused } from '../../fixtures/wire/golden.ts'

let parent = ''
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'motorpool-folder-'))
})
afterEach(() => rmSync(parent, { recursive: true, force: true }))
const modeOf = (path: string): number => statSync(path).mode & 0o777

describe('a data folder', () => {
  it('is made for its owner alone', () => {
    const folder = openDataFolder(join(parent, 'deep', 'folder'), 'client')
    expect(modeOf(folder.path)).toBe(0o700)
    for (const name of readdirSync(folder.path)) expect(modeOf(join(folder.path, name))).toBe(0o600)
    folder.close()
  })

  it.each([0o755, 0o750, 0o701, 0o777])('is refused when others may look (%o)', mode => {
    const path = join(parent, 'open')
    mkdirSync(path)
    chmodSync(path, mode)
    expectRefused(() => openDataFolder(path, 'car'), 'ERR_DATA_FOLDER')
    expect(readdirSync(path)).toEqual([])
  })

  it("is refused when it is a file, a link, or can't be made", () => {
    const file = join(parent, 'file')
    writeFileSync(file, '')
    symlinkSync(parent, join(parent, 'link'))
    for (const path of [file, join(file, 'below'), join(parent, 'link')]) expectRefused(() => openDataFolder(path, 'car'), 'ERR_DATA_FOLDER')
  })

  it('has one holder a role, and is free after it', () => {
    const car = openDataFolder(parent, 'car')
    expectRefused(() => openDataFolder(parent, 'car'), 'ERR_DATA_FOLDER_LOCKED')
    const client = openDataFolder(parent, 'client')
    car.close()
    car.close()
    openDataFolder(parent, 'car').close()
    client.close()
  })

  it('names a damaged lock', () => {
    writeFileSync(join(parent, 'car.lock'), 'something else that is longer than a header of a database would be, and then some more, to be sure of it')
    expectRefused(() => openDataFolder(parent, 'car'), 'ERR_DATA_FOLDER')
  })
})

describe('a key file', () => {
  const file = (): string => join(parent, 'device.key')

  it('is drawn once, for its owner alone', () => {
    const seed = loadOrCreateSeed(parent, 'device.key')
    expect(seed).toHaveLength(32)
    expect(loadOrCreateSeed(parent, 'device.key')).toEqual(seed)
    expect(loadOrCreateSeed(parent, 'account.key')).not.toEqual(seed)
    expect(modeOf(file())).toBe(0o600)
    expect(readdirSync(parent).sort()).toEqual(['account.key', 'device.key'])
  })

  it.each([0o644, 0o640, 0o604, 0o660])('is refused when others may read it (%o)', mode => {
    loadOrCreateSeed(parent, 'device.key')
    chmodSync(file(), mode)
    expectRefused(() => loadOrCreateSeed(parent, 'device.key'), 'ERR_ACCOUNT_KEY')
  })

  it('is refused when cut off anywhere, longer, or with any byte changed, and stays as it is', () => {
    loadOrCreateSeed(parent, 'device.key')
    const whole = readFileSync(file())
    const broken = [
      ...Array.from(whole, (_, at) => whole.subarray(0, at)),
      ...Array.from(whole, (_, at) => {
        const copy = Buffer.from(whole)
        copy[at] = (copy[at] ?? 0) ^ 1
        return copy
      }),
      Buffer.concat([whole, Buffer.from('x')]),
      Buffer.alloc(1 << 16, 'a'),
      Buffer.alloc(32)
    ]
    for (const bytes of broken) {
      writeFileSync(file(), bytes)
      expectRefused(() => loadOrCreateSeed(parent, 'device.key'), 'ERR_ACCOUNT_KEY')
      expect(readFileSync(file()).equals(bytes)).toBe(true)
    }
  })

  it("is refused when it is a link, a folder, or can't be made", () => {
    loadOrCreateSeed(parent, 'real.key')
    symlinkSync(join(parent, 'real.key'), join(parent, 'link.key'))
    symlinkSync(join(parent, 'nowhere'), join(parent, 'dangling.key'))
    mkdirSync(join(parent, 'folder.key'), 0o700)
    for (const name of ['link.key', 'dangling.key', 'folder.key', join('absent', 'device.key')])
      expectRefused(() => loadOrCreateSeed(parent, name), 'ERR_ACCOUNT_KEY')
    expect(existsSync(join(parent, 'nowhere'))).toBe(false)
  })
})
