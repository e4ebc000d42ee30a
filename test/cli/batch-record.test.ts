import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openBatchRecord } from '../../src/cli/batch/batch-record.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'motorpool-test-'))
  path = join(folder, 'out.jsonl')
})
afterEach(() => rmSync(folder, { recursive: true }))

const doneIn = (): string[] => {
  const record = openBatchRecord(path)
  record.close()
  return [...record.done]
}

test('results that were appended are done when the file is opened again', () => {
  const record = openBatchRecord(path)
  record.append({ key: 'a', status: 'done', text: 'é\n' })
  record.append({ key: 'b', status: 'failed' })
  record.close()
  expect(doneIn()).toEqual(['a'])
})

test('the last line of a key counts', () => {
  writeFileSync(path, '{"key":"a","status":"failed"}\n{"key":"a","status":"done"}\n')
  expect(doneIn()).toEqual(['a'])
})

test('a last line cut off at any byte is removed, and what came before stays', () => {
  const first = '{"key":"a","status":"done","text":"é"}\n'
  const second = Buffer.from('{"key":"b","status":"done","text":"ü"}')
  for (let length = 0; length <= second.length; length++) {
    writeFileSync(path, first)
    appendFileSync(path, second.subarray(0, length))
    expect(doneIn()).toEqual(['a'])
    expect(readFileSync(path, 'utf8')).toBe(first)
  }
})

test.each([
  ['another file', 'Dear diary,\n'],
  ['a file without a line end', 'Dear diary,'],
  ['a damaged line in the middle', '{"key":"a","status":"done"}\n{"key":"b","sta\n{"key":"c","status":"done"}\n'],
  ['lines of another kind', '{"name":"a"}\n']
])('%s is refused and left as it was', (_what, text) => {
  writeFileSync(path, text)
  expect(() => openBatchRecord(path)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }))
  expect(readFileSync(path, 'utf8')).toBe(text)
})
