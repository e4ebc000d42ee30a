import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

interface LockedPackage {
  readonly version?: string
  readonly resolved?: string
  readonly hasInstallScript?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
const lock = JSON.parse(read('package-lock.json')) as { packages: Readonly<Record<string, LockedPackage>> }
const manifest = JSON.parse(read('package.json')) as {
  allowScripts: Readonly<Record<string, boolean>>
  exports: object
  dependencies: Readonly<Record<string, string>>
}
const locked = Object.entries(lock.packages)

test('package-lock.json names no registry, so that it installs from any', () => {
  expect(locked.length).toBeGreaterThan(100)
  expect(locked.filter(([, { resolved }]) => resolved !== undefined)).toEqual([])
})

test('package-lock.json names the binaries of every platform; if not, run `node .ci/complete-lock.mjs`', () => {
  const missing = locked.flatMap(([folder, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(name => !(`node_modules/${name}` in lock.packages) && !(`${folder}/node_modules/${name}` in lock.packages))
  )
  expect(missing).toEqual([])
})

test('every package with an install script is allowed or denied by name, and only Node is allowed', () => {
  const names = locked
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([folder]) => folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length))
  expect(Object.keys(manifest.allowScripts).sort()).toEqual(expect.arrayContaining([...new Set(names)].sort()))
  expect(Object.entries(manifest.allowScripts).filter(([, isAllowed]) => isAllowed)).toEqual([['node', true]])
})

test('exports nothing but the public API', () => {
  expect(Object.keys(manifest.exports)).toEqual(['.'])
})
