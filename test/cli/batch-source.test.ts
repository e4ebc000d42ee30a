import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type BatchTask, openBatchSource } from '../../src/cli/batch/batch-source.ts'

const PNG = Buffer.from('\x89PNG\r\n\x1a\nrest', 'latin1')
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'motorpool-test-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const gather = async (tasks: AsyncIterable<BatchTask>): Promise<BatchTask[]> => {
  const list: BatchTask[] = []
  for await (const task of tasks) list.push(task)
  return list
}

test('a folder’s images are tasks in the order of their names', async () => {
  for (const name of ['b.png', 'a.jpg', 'a.txt']) writeFileSync(join(folder, name), PNG)
  const source = await openBatchSource(folder, 'ocr')
  const tasks = await gather(source.tasks())
  expect([source.keys, tasks.map(task => task.key)]).toEqual([
    ['a.jpg', 'b.png'],
    ['a.jpg', 'b.png']
  ])
  expect(await tasks[1]?.read()).toEqual({ inputs: { image: PNG } })
})

test('a line names a file beside the list or holds the tensors itself', async () => {
  writeFileSync(join(folder, 'request.json'), '{"inputs":[{"name":"x","shape":[1],"datatype":"INT8","data":[7]}]}')
  const list = join(folder, 'list.jsonl')
  writeFileSync(list, '{"key":"k","file":"request.json"}\n\n{"inputs":[{"name":"x","shape":[1],"datatype":"INT8","data":[8]}]}\n')
  const source = await openBatchSource(list, 'tensors')
  expect(source.keys).toEqual(['k', '3'])
  const inputs = await Promise.all((await gather(source.tasks())).map(task => task.read()))
  expect(inputs.map(input => input.inputs.x)).toMatchObject([{ data: new Uint8Array([7]) }, { data: new Uint8Array([8]) }])
})

test.each([
  ['no JSON', 'nonsense\n'],
  ['a list', '[1]\n'],
  ['one key twice', '{"key":"a","file":"x"}\n{"key":"a","file":"y"}\n'],
  ['nothing', '\n\n']
])('lines with %s are refused before anything runs', async (_what, text) => {
  const list = join(folder, 'list.jsonl')
  writeFileSync(list, text)
  await expect(openBatchSource(list, 'tensors')).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
})

test('a folder without images is refused', async () => {
  await expect(openBatchSource(folder, 'ocr')).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
})

test('a file that is no image is that task’s own error', async () => {
  writeFileSync(join(folder, 'a.png'), 'not an image')
  const [task] = await gather((await openBatchSource(folder, 'ocr')).tasks())
  await expect(task?.read()).rejects.toMatchObject({ code: 'ERR_BAD_IMAGE' })
})
