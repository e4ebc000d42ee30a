import { readdirSync, statSync } from 'node:fs'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { BlockSource, ModelManifest } from '../../src/models/model.ts'
import { type ModelStore, openModelStore } from '../../src/models/model-store.ts'
import { sealEnvelope } from '../../src/protocol/envelope.ts'
import { MotorpoolError } from '../../src/protocol/errors.ts'
import { cidOf, cidOfDigest, type ModelCid, sha256, toHex } from '../../src/protocol/ids.ts'
import { LIMITS } from '../../src/protocol/limits.ts'
import { signerFromSeed } from '../../src/protocol/signer.ts'
import { addModel, noopModel } from '../fixtures/models/make.ts'
import { modelProto, node, tensorInfo, tensorProto } from '../fixtures/models/onnx-writer.ts'
import { temporaryFolder } from './temporary-folder.ts'

const publisher = signerFromSeed(new Uint8Array(32).fill(1))
const stranger = signerFromSeed(new Uint8Array(32).fill(2))
const NOW = 1_700_000_000

const largeModels = new Map<number, Uint8Array>()

/** A model of `blocks` and a half blocks of weights, no two alike. */
function largeModel(blocks: number): Uint8Array {
  const known = largeModels.get(blocks)
  if (known !== undefined) return known
  const weights = new Uint32Array(Math.floor((blocks + 0.5) * (LIMITS.block / 4)))
  for (let at = 0; at < weights.length; at++) weights[at] = Math.imul(at + 1, 2654435761) & 0x3fffffff
  const model = modelProto({
    nodes: [node('Mul', ['x', 'w'], ['y'])],
    inputs: [tensorInfo('x', 'float32', [1])],
    outputs: [tensorInfo('y', 'float32', ['n'])],
    initializers: [tensorProto('w', 'float32', [weights.length], new Uint8Array(weights.buffer))]
  })
  largeModels.set(blocks, model)
  return model
}

interface SetUp {
  readonly from: ModelStore
  readonly to: ModelStore
  readonly cid: ModelCid
  readonly manifest: ModelManifest
  /** A source that hands out the store's blocks, or what `change` makes of them, and counts them. */
  readonly source: (change?: (bytes: Uint8Array, cid: string) => Uint8Array | Promise<Uint8Array>) => BlockSource & { readonly asked: string[] }
}

async function setUp(files: Readonly<Record<string, Uint8Array | string>>, options: { name?: string; expires?: number } = {}): Promise<SetUp> {
  const folder = await temporaryFolder()
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(folder, 'm', path)), { recursive: true })
    await writeFile(join(folder, 'm', path), bytes)
  }
  const [from, to] = [await openModelStore(join(folder, 'from')), await openModelStore(join(folder, 'to'))]
  const { cid, manifest } = await from.add(join(folder, 'm'), { publisher, now: NOW, ...options })
  return { from, to, cid, manifest, source: change => readFrom(from, change) }
}

function readFrom(store: ModelStore, change: (bytes: Uint8Array, cid: string) => Uint8Array | Promise<Uint8Array> = bytes => bytes) {
  const asked: string[] = []
  return {
    asked,
    fetch: async (cid: string) => {
      asked.push(cid)
      return change(await store.readBlock(cid), cid)
    }
  }
}

/** Serves a manifest that was sealed by hand, and the blocks of a store. */
function forged(from: ModelStore, envelope: Uint8Array): BlockSource {
  const cid = cidOf(envelope)
  return { fetch: async wanted => (wanted === cid ? envelope : from.readBlock(wanted)) }
}

describe('fetch', () => {
  it('brings a model of many files and blocks, named by the same CID, ready to serve to the next', async () => {
    const { from, to, cid, manifest, source } = await setUp({ 'model.onnx': largeModel(3), 'deep/er/LICENSE': 'MIT', empty: '' })
    const progress: number[] = []
    const model = await to.fetch(cid, source(), { now: NOW, onProgress: ({ bytes, totalBytes }) => progress.push(bytes / totalBytes) })
    expect(model.cid).toBe(cid)
    expect(progress.at(-1)).toBe(1)
    const { folder } = await from.get(cid)
    for (const { path } of manifest.files) expect((await readFile(join(model.folder, path))).equals(await readFile(join(folder, path)))).toBe(true)
    const third = await openModelStore(join(to.folder, '../third'))
    expect((await third.fetch(cid, readFrom(to), { now: NOW })).cid).toBe(cid)
    expect(readdirSync(join(to.folder, 'partial'))).toEqual([])
  })

  it('asks nobody for what is here', async () => {
    const { to, cid, source } = await setUp({ 'model.onnx': addModel() })
    await to.fetch(cid, source(), { now: NOW })
    const again = source()
    await to.fetch(cid, again, { now: NOW })
    expect(again.asked).toEqual([])
  })

  it('never serves more than a block', async () => {
    const { from, manifest } = await setUp({ 'model.onnx': largeModel(2) })
    const [file] = manifest.files
    const list = await from.readBlock(cidOfDigest(file?.blocks ?? new Uint8Array(32)))
    expect(list.byteLength).toBe(3 * 32)
    const sizes: number[] = []
    for (let at = 0; at < list.byteLength; at += 32) sizes.push((await from.readBlock(cidOfDigest(list.slice(at, at + 32)))).byteLength)
    expect(sizes.slice(0, 2)).toEqual([LIMITS.block, LIMITS.block])
    expect(sizes.reduce((sum, size) => sum + size)).toBe(file?.size)
    await expect(from.readBlock(cidOfDigest(file?.sha256 ?? new Uint8Array(32)))).rejects.toMatchObject({ code: 'ERR_MODEL_UNKNOWN' })
  })

  it('goes on where a broken-off fetch ended, and checks what that left', async () => {
    const { to, cid, manifest, source } = await setUp({ 'model.onnx': largeModel(6) })
    let left = 5
    const torn = source(bytes => {
      if (left-- === 0) throw new MotorpoolError('ERR_PEER_UNREACHABLE', 'the peer has gone; ask another')
      return bytes
    })
    await expect(to.fetch(cid, torn, { now: NOW })).rejects.toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
    expect(await to.list()).toEqual([])
    const resumed = source()
    await to.fetch(cid, resumed, { now: NOW })
    expect(resumed.asked.length).toBeLessThan(2 + 7)
    expect(resumed.asked.length).toBeGreaterThan(2)

    // A partial file whose first block was damaged meanwhile.
    await to.remove(cid)
    const partial = join(to.folder, 'partial', toHex(manifest.files[0]?.sha256 ?? new Uint8Array(0)))
    const damaged = Buffer.from(largeModel(6))
    damaged[100] = (damaged[100] ?? 0) ^ 1
    await writeFile(partial, damaged)
    const mended = source()
    await to.fetch(cid, mended, { now: NOW })
    expect(mended.asked).toHaveLength(3)
    await to.open(cid)
  })

  it('lets two processes fetch one model into one store at once', async () => {
    const { to, cid, source } = await setUp({ 'model.onnx': largeModel(4) })
    const other = await openModelStore(to.folder)
    const both = await Promise.all([to.fetch(cid, source(), { now: NOW }), other.fetch(cid, source(), { now: NOW })])
    expect(both.map(model => model.cid)).toEqual([cid, cid])
    await to.open(cid)
    await other.open(cid)
  })

  it('mends a model whose file went bad', async () => {
    const { to, cid, source } = await setUp({ 'model.onnx': addModel() })
    const { folder } = await to.fetch(cid, source(), { now: NOW })
    await chmod(join(folder, 'model.onnx'), 0o644)
    await writeFile(join(folder, 'model.onnx'), Buffer.alloc(statSync(join(folder, 'model.onnx')).size))
    await expect(to.open(cid)).rejects.toMatchObject({ code: 'ERR_BAD_MODEL' })
    await to.fetch(cid, source(), { now: NOW })
    await expect(to.open(cid)).resolves.toMatchObject({ cid })
  })

  it('ends when aborted, and asks for nothing more', async () => {
    const { to, cid, source } = await setUp({ 'model.onnx': largeModel(8) })
    const abort = new AbortController()
    const watched = source((bytes, wanted) => {
      if (wanted !== cid) abort.abort()
      return bytes
    })
    await expect(to.fetch(cid, watched, { now: NOW, signal: abort.signal })).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    const { length } = watched.asked
    await new Promise(resolve => setImmediate(resolve))
    expect(watched.asked).toHaveLength(length)
    expect(await to.list()).toEqual([])
  })

  it('passes on that no peer has it', async () => {
    const { to } = await setUp({ 'model.onnx': addModel() })
    const nobody = { fetch: () => Promise.reject(new MotorpoolError('ERR_MODEL_UNKNOWN', 'no peer has it; wait for one')) }
    await expect(to.fetch(cidOf(new Uint8Array(1)), nobody)).rejects.toMatchObject({ code: 'ERR_MODEL_UNKNOWN' })
    await expect(to.fetch('no-cid', nobody)).rejects.toMatchObject({ code: 'ERR_SCHEMA' })
  })
})

describe('fetch refuses', () => {
  const flip = (bytes: Uint8Array) => bytes.map((byte, at) => (at === 40 ? byte ^ 1 : byte))

  it('a model that the policy does not allow, before it asks for any file', async () => {
    const { to, cid, source } = await setUp({ 'model.onnx': addModel() })
    const asking = source()
    const policy = { publishers: [toHex(stranger.publicKey)], models: [cidOf(new Uint8Array(1))] }
    await expect(to.fetch(cid, asking, { now: NOW, policy })).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_ALLOWED',
      message: expect.stringContaining(toHex(publisher.publicKey))
    })
    expect(asking.asked).toEqual([cid])
    await expect(to.fetch(cid, source(), { now: NOW, policy: { publishers: [toHex(publisher.publicKey)] } })).resolves.toBeDefined()
    await expect(to.fetch(cid, source(), { now: NOW, policy })).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_ALLOWED' })
    await expect(to.fetch(cid, source(), { now: NOW, policy: { models: [cid] } })).resolves.toBeDefined()
  })

  it.each<[string, (bytes: Uint8Array, other: Uint8Array) => Uint8Array, RegExp]>([
    ['a corrupt block', flip, /block \d of 4 of model\.onnx is corrupt; fetch again/],
    ['a block that is cut off', bytes => bytes.subarray(0, -1), /block \d of 4 of model\.onnx is cut off/],
    ['an empty block', () => new Uint8Array(0), /is cut off/],
    ['a block that is too long', bytes => Buffer.concat([bytes, new Uint8Array(1)]), /is too long/],
    ['a block swapped with another of the file', (_bytes, other) => other, /was swapped with another/]
  ])('%s, and keeps what came well', async (_name, change, text) => {
    const { from, to, cid, manifest, source } = await setUp({ 'model.onnx': largeModel(3) })
    const [file] = manifest.files
    const list = await from.readBlock(cidOfDigest(file?.blocks ?? new Uint8Array(32)))
    const [first, second] = [list.slice(0, 32), list.slice(32, 64)].map(cidOfDigest)
    const other = await from.readBlock(first ?? '')
    const lying = source((bytes, wanted) => (wanted === second ? change(bytes, other) : bytes))
    await expect(to.fetch(cid, lying, { now: NOW })).rejects.toMatchObject({ code: 'ERR_BAD_MODEL', retryable: true, message: expect.stringMatching(text) })
    expect(await to.list()).toEqual([])
    await expect(to.fetch(cid, source(), { now: NOW })).resolves.toMatchObject({ cid })
  })

  it('a corrupt block list', async () => {
    const { to, cid, manifest, source } = await setUp({ 'model.onnx': largeModel(3) })
    const listCid = cidOfDigest(manifest.files[0]?.blocks ?? new Uint8Array(32))
    await expect(
      to.fetch(
        cid,
        source((bytes, wanted) => (wanted === listCid ? flip(bytes) : bytes)),
        { now: NOW }
      )
    ).rejects.toMatchObject({
      code: 'ERR_BAD_MODEL',
      message: expect.stringMatching(/the block list of model\.onnx is corrupt/)
    })
  })

  it.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ['swapped', () => new Uint8Array(200)],
    ['flipped', flip],
    ['cut off', bytes => bytes.subarray(0, -1)],
    ['empty', () => new Uint8Array(0)],
    ['endless', () => new Uint8Array(LIMITS.manifest + 1)]
  ])('a manifest that is %s', async (_name, change) => {
    const { to, cid, source } = await setUp({ 'model.onnx': addModel() })
    const lying = source(change)
    await expect(to.fetch(cid, lying, { now: NOW })).rejects.toMatchObject({ code: 'ERR_BAD_MANIFEST' })
    expect(lying.asked).toEqual([cid])
  })

  it.each<[string, (manifest: ModelManifest) => object, string, RegExp]>([
    ['another publisher than its signer', manifest => ({ ...manifest, publisher: stranger.publicKey }), 'ERR_BAD_MANIFEST', /another key/],
    ['an unknown field', manifest => ({ ...manifest, trust: 'me' }), 'ERR_BAD_MANIFEST', /trust|unrecognized/i],
    ['another version of the format', manifest => ({ ...manifest, v: 2 }), 'ERR_BAD_MANIFEST', /v/],
    ['a time in the future', manifest => ({ ...manifest, issued: NOW + LIMITS.clockSkewSeconds + 1 }), 'ERR_BAD_MANIFEST', /121 s from now/],
    ['an end in the past', manifest => ({ ...manifest, expires: NOW }), 'ERR_EXPIRED', /expired 0 s ago/],
    ['no files', manifest => ({ ...manifest, files: [] }), 'ERR_BAD_MANIFEST', /files/],
    [
      'a large file without a block list',
      manifest => ({ ...manifest, files: manifest.files.map(file => ({ ...file, size: LIMITS.block + 1 })) }),
      'ERR_BAD_MANIFEST',
      /block list/
    ],
    [
      'a file of another digest',
      manifest => ({ ...manifest, files: manifest.files.map(file => ({ ...file, sha256: sha256(file.sha256) })) }),
      'ERR_MODEL_UNKNOWN',
      /no model here has the block/
    ],
    [
      'a file of another size',
      manifest => ({ ...manifest, files: manifest.files.map(file => ({ ...file, size: file.size + 1 })) }),
      'ERR_BAD_MODEL',
      /is cut off/
    ],
    ['inputs that its graph does not have', manifest => ({ ...manifest, inputs: [] }), 'ERR_BAD_MODEL', /declares other inputs or outputs/],
    ['a task that its files are not for', manifest => ({ ...manifest, task: 'ocr' }), 'ERR_BAD_MODEL', /lacks its file det\.onnx/],
    ...[
      '../model.onnx',
      '/model.onnx',
      'a/../../model.onnx',
      './model.onnx',
      'a//model.onnx',
      'a\\model.onnx',
      'C:model.onnx',
      'model.onnx\0',
      'model\n.onnx',
      'a/'
    ].map((path): [string, (manifest: ModelManifest) => object, string, RegExp] => [
      `the path ${JSON.stringify(path)}`,
      manifest => ({ ...manifest, files: manifest.files.map(file => ({ ...file, path })) }),
      'ERR_BAD_MANIFEST',
      /isn't a plain relative path/
    ]),
    ['one path twice', manifest => ({ ...manifest, files: [...manifest.files, ...manifest.files] }), 'ERR_BAD_MANIFEST', /but for case/],
    [
      'paths that differ in case',
      manifest => ({ ...manifest, files: ['a/M.onnx', 'A/m.onnx'].flatMap(path => manifest.files.map(file => ({ ...file, path }))) }),
      'ERR_BAD_MANIFEST',
      /but for case/
    ],
    [
      'a path that is file and folder',
      manifest => ({ ...manifest, files: ['a', 'a/b'].flatMap(path => manifest.files.map(file => ({ ...file, path }))) }),
      'ERR_BAD_MANIFEST',
      /both a file and a folder/
    ]
  ])('a manifest with %s', async (_name, change, code, text) => {
    const { from, to, manifest } = await setUp({ 'model.onnx': addModel() })
    const envelope = sealEnvelope(publisher, 'manifest', change(manifest))
    await expect(to.fetch(cidOf(envelope), forged(from, envelope), { now: NOW })).rejects.toMatchObject({
      name: 'MotorpoolError',
      code,
      message: expect.stringMatching(text)
    })
    expect(await to.list()).toEqual([])
  })

  it('another signed object in place of a manifest', async () => {
    const { from, to, manifest } = await setUp({ 'model.onnx': addModel() })
    const envelope = sealEnvelope(publisher, 'offer', manifest)
    await expect(to.fetch(cidOf(envelope), forged(from, envelope), { now: NOW })).rejects.toMatchObject({
      code: 'ERR_BAD_MANIFEST',
      message: expect.stringMatching(/not a manifest/)
    })
  })

  it('an older version than was here already (rollback), and another model of one version (equivocation)', async () => {
    const { from, to, manifest } = await setUp({ 'model.onnx': addModel() })
    const version = (number: number, licence = 'MIT') => sealEnvelope(publisher, 'manifest', { ...manifest, version: number, licence })
    const fetch = (envelope: Uint8Array) => to.fetch(cidOf(envelope), forged(from, envelope), { now: NOW })
    await fetch(version(2))
    await expect(fetch(version(1))).rejects.toMatchObject({ code: 'ERR_BAD_MANIFEST', message: expect.stringMatching(/rollback/) })
    await expect(fetch(version(2, 'CC0-1.0'))).rejects.toMatchObject({ code: 'ERR_BAD_MANIFEST', message: expect.stringMatching(/equivocation/) })
    await fetch(version(3))
    expect((await to.list()).map(model => model.manifest.version)).toEqual([3, 2])
  })

  it('a model that the linter refuses, whoever signed it', async () => {
    const { from, to, manifest } = await setUp({ 'model.onnx': noopModel(), 'evil.bin': Buffer.from('\x89PNG', 'latin1') })
    const [evil] = manifest.files.filter(file => file.path === 'evil.bin')
    const envelope = sealEnvelope(publisher, 'manifest', { ...manifest, files: [{ ...evil, path: 'model.onnx' }] })
    await expect(to.fetch(cidOf(envelope), forged(from, envelope), { now: NOW })).rejects.toMatchObject({
      code: 'ERR_NOT_ONNX',
      message: expect.stringMatching(/model\.onnx: the file is a PNG/)
    })
  })

  it('a file whose blocks are right but do not add up to it', async () => {
    const { from, to, manifest } = await setUp({ 'model.onnx': largeModel(1) })
    const files = manifest.files.map(file => ({ ...file, sha256: sha256(file.sha256) }))
    const envelope = sealEnvelope(publisher, 'manifest', { ...manifest, files })
    await expect(to.fetch(cidOf(envelope), forged(from, envelope), { now: NOW })).rejects.toMatchObject({
      code: 'ERR_BAD_MODEL',
      message: expect.stringMatching(/don't add up/)
    })
    expect(readdirSync(join(to.folder, 'partial'))).toEqual([])
  })
})
