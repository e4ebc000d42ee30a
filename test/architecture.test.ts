import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { importsOf, readModules } from './architecture/read-modules.ts'
import { violationsIn } from './architecture/rules.ts'

const source = new URL('../src', import.meta.url).pathname

/** Violations in a tree of the given files; the targets of their imports are added empty. */
function broken(files: Record<string, string>): string[] {
  const modules = Object.entries(files).map(([path, text]) => ({ path, source: text }))
  const targets = modules.flatMap(importsOf).flatMap(({ target }) => (target === undefined || target in files ? [] : [target]))
  return violationsIn([...modules, ...[...new Set(targets)].filter(target => !target.startsWith('..')).map(path => ({ path, source: '' }))])
}

describe('the sources', () => {
  test('keep every rule of docs/architecture.md', () => {
    const modules = readModules(source)
    expect(modules.map(({ path }) => path)).toContain('protocol/errors.ts')
    expect(violationsIn(modules)).toEqual([])
  })

  test('were really read: an empty folder is an error', () => {
    const empty = mkdtempSync(join(tmpdir(), 'motorpool-architecture-'))
    expect(() => readModules(empty)).toThrow('no sources')
    rmSync(empty, { recursive: true })
  })

  test('hold as many imports as lines that look like one', () => {
    const lookingLike = /^(import\b(?!\.)|export\b.*\bfrom\b|\} from\b)/
    for (const module of readModules(source)) {
      const lines = module.source.split('\n').filter(line => lookingLike.test(line) && !/^import( type)? \{$/.test(line))
      const single = importsOf(module).length
      expect(single, module.path).toBeGreaterThanOrEqual(lines.length)
    }
  })
})

describe('an import is found', () => {
  const cases: [string, string, boolean, string[]][] = [
    ["import { a, type B as C } from './x.ts'", 'car/x.ts', false, ['a', 'B']],
    ["import type { A } from '../mesh/mesh.ts'", 'mesh/mesh.ts', true, ['A']],
    ["import thing, { other } from './x.ts'", 'car/x.ts', false, ['thing', 'other']],
    ["import * as all from './x.ts'", 'car/x.ts', false, ['*']],
    ["import './x.ts'", 'car/x.ts', false, []],
    ["import {\n  a,\n  b\n} from './x.ts'", 'car/x.ts', false, ['a', 'b']],
    ["export { a } from './x.ts'", 'car/x.ts', false, ['a']],
    ["export * from './x.ts'", 'car/x.ts', false, ['*']],
    ["export type { A } from './x.ts'", 'car/x.ts', true, ['A']],
    ["const x = await import('./x.ts')", 'car/x.ts', false, []],
    ["type X = typeof import('./x.ts')", 'car/x.ts', true, []],
    ["import type from './x.ts'", 'car/x.ts', false, ['type']]
  ]
  test.each(cases)('%s', (text, target, typeOnly, names) => {
    expect(importsOf({ path: 'car/car.ts', source: text })).toMatchObject([{ target, typeOnly, names }])
  })

  test.each([["// import './x.ts'"], ["/* import a from './x.ts' */"], ['const text = "x"'], ["link.import('x')"]])('not in %s', text => {
    expect(importsOf({ path: 'car/car.ts', source: text })).toEqual([])
  })
})

describe('it is refused that', () => {
  const cases: [string, Record<string, string>][] = [
    ['protocol knows another part', { 'protocol/a.ts': "import { x } from '../ledger/x.ts'" }],
    ['a pure part knows another but protocol', { 'placement/a.ts': "import type { X } from '../mesh/mesh.ts'" }],
    ['ledger knows its store', { 'ledger/a.ts': "import { x } from './store/x.ts'" }],
    ['a pure part reads files', { 'trust/a.ts': "import { readFileSync } from 'node:fs'" }],
    ['a pure part draws bytes', { 'ledger/a.ts': "import { createHash, randomFillSync } from 'node:crypto'" }],
    ['a pure part takes all of node:crypto', { 'ledger/a.ts': "import * as crypto from 'node:crypto'" }],
    ['a pure part knows the time', { 'energy/a.ts': 'export const now = () => Date.now()' }],
    ['a pure part waits', { 'placement/a.ts': 'setTimeout(() => {}, 1)' }],
    ['a pure part rolls dice', { 'placement/a.ts': 'export const x = Math.random()' }],
    ['an edge knows another edge', { 'mesh/a.ts': "import type { X } from '../models/x.ts'" }],
    ['an edge knows a role', { 'inference/a.ts': "import type { X } from '../car/car.ts'" }],
    ['a role takes an edge as a value', { 'car/a.ts': "import { createMesh } from '../mesh/create-mesh.ts'" }],
    ['a role takes an edge as a value beside types', { 'car/a.ts': "import { type A, createMesh } from '../mesh/create-mesh.ts'" }],
    ['a role knows the other role', { 'client/a.ts': "import type { X } from '../car/car.ts'" }],
    ['a part knows the peer', { 'client/a.ts': "import type { Peer } from '../peer.ts'" }],
    ['a part knows what the peer is made of', { 'car/a.ts': "import type { Session } from '../peer/session.ts'" }],
    ['the peer knows a face', { 'peer.ts': "import { x } from './testnet/x.ts'" }],
    ['one face knows another', { 'testnet/a.ts': "import { x } from '../gateway/x.ts'" }],
    ['somebody knows the command line', { 'testnet/a.ts': "import { x } from '../cli/x.ts'" }],
    ['two files import each other', { 'car/a.ts': "import './b.ts'", 'car/b.ts': "import type { A } from './a.ts'" }],
    ['an import leaves src', { 'car/a.ts': "import '../../test/x.ts'" }],
    ['a third file lies at the top', { 'utilities.ts': '' }],
    ['a folder is unknown', { 'helpers/a.ts': '' }],
    ['a folder lies too deep', { 'cli/a/b/c.ts': '' }],
    ['a file is called utils', { 'cli/utils.ts': '' }],
    ['a folder holds 13 files', Object.fromEntries(Array.from({ length: 13 }, (_, index) => [`cli/file-${index}.ts`, '']))]
  ]
  test.each(cases)('%s', (_, files) => {
    expect(broken(files)).toHaveLength(1)
  })

  test('a file is imported that does not exist', () => {
    expect(violationsIn([{ path: 'car/a.ts', source: "import './b.ts'" }])).toEqual(['car/a.ts imports car/b.ts, which does not exist'])
  })
})

describe('it is fine that', () => {
  const cases: [string, Record<string, string>][] = [
    ['pure parts know protocol and hash', { 'ledger/a.ts': "import { createHash, sign } from 'node:crypto'\nimport { x } from '../protocol/x.ts'" }],
    ['a store knows its pure part and files', { 'ledger/store/a.ts': "import 'node:sqlite'\nimport { x } from '../leaf.ts'" }],
    ['roles know the types of edges', { 'car/a.ts': "import type { Mesh } from '../mesh/mesh.ts'\nimport { x } from '../trust/x.ts'" }],
    ['the peer knows roles and edges', { 'peer.ts': "import './car/x.ts'\nimport './mesh/x.ts'\nimport './ledger/store/x.ts'" }],
    ['the peer is made of files of its own', { 'peer.ts': "import './peer/x.ts'", 'peer/x.ts': "import '../car/x.ts'\nimport '../mesh/x.ts'" }],
    ['the gateway serves the dashboard', { 'gateway/a.ts': "import '../dashboard/x.ts'\nimport '../peer.ts'" }],
    ['the command line knows all', { 'cli/a.ts': "import '../testnet/x.ts'\nimport '../peer.ts'\nimport '../mesh/x.ts'" }],
    ['a comment tells of Date.now', { 'trust/a.ts': "// never Date.now()\nexport const text = 'Math.random'" }],
    ['a date is made of a given time', { 'trust/a.ts': 'export const text = (ms: number) => new Date(ms).toISOString()' }]
  ]
  test.each(cases)('%s', (_, files) => {
    expect(broken(files)).toEqual([])
  })
})
