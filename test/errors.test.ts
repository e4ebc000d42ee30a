import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ERROR_CODES } from '../src/protocol/errors.ts'
import { readModules, withoutComments } from './architecture/read-modules.ts'

const sourceFolder = new URL('../src', import.meta.url).pathname
const page = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8')
const rows = page.split('\n').flatMap(line => {
  const match = /^\| `(ERR_\w+)` \|([^|]*)\|([^|]*)\|([^|]*)\|$/.exec(line)
  return match === null ? [] : [{ code: match[1]!, cause: match[2]!.trim(), next: match[3]!.trim(), retryable: match[4]!.trim() }]
})

/** Codes by the file that names them, outside of the list itself. */
function codesInSource(): Map<string, string> {
  const found = new Map<string, string>()
  for (const { path, source } of readModules(sourceFolder)) {
    const code = path === 'protocol/errors.ts' ? source.slice(source.indexOf('] as const')) : source
    for (const [, name] of withoutComments(code).matchAll(/'(ERR_\w+)'/g)) found.set(name!, path)
  }
  return found
}

test('docs/errors.md lists every code once, in order, with a cause and a next step', () => {
  expect(rows.map(({ code }) => code)).toEqual([...ERROR_CODES])
  for (const { code, cause, next, retryable } of rows) {
    expect(cause.length, code).toBeGreaterThan(10)
    expect(next.length, code).toBeGreaterThan(10)
    expect(['yes', 'no', 'some'], code).toContain(retryable)
  }
})

test('every code is named once', () => {
  expect([...new Set(ERROR_CODES)]).toEqual([...ERROR_CODES])
})

test('every code that the sources name is a code, and every code is used', () => {
  const used = codesInSource()
  const foreign = [...used].filter(([code]) => !(ERROR_CODES as readonly string[]).includes(code) && !isForeign(code))
  expect(foreign).toEqual([])
  expect(ERROR_CODES.filter(code => !used.has(code))).toEqual([])
})

/** Codes of Node's own that the sources compare against, and what the command line calls a bug. */
function isForeign(code: string): boolean {
  return code === 'ERR_UNEXPECTED' || /^ERR_(SQLITE|IPC|STREAM|SOCKET|CHILD|MODULE|PARSE|INVALID_ARG|UNHANDLED|UNSUPPORTED)_?/.test(code)
}
