import { chmod, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { MotorpoolError } from '../../protocol/errors.ts'
import { equalBytes, toHex } from '../../protocol/ids.ts'
import type { ModelManifest } from '../model.ts'
import { fileDigests } from './file-digests.ts'
import { ifExists, readIfExists, type StoreFolder } from './store-folder.ts'

/** A model whose files are checked and lie in the store's file system, to be moved into place. */
export interface CheckedModel {
  readonly cid: string
  readonly envelope: Uint8Array
  readonly manifest: ModelManifest
  /** Where each file lies, by the hex of its sha256. */
  readonly sources: ReadonlyMap<string, string>
  /** Block lists of files that have them, by the hex of the file's sha256. */
  readonly blockLists: ReadonlyMap<string, Uint8Array>
}

/** Puts a model into the store; the manifest comes last, so that what is half done never shows. Call it under the store's lock. */
export async function installModel(folder: StoreFolder, model: CheckedModel): Promise<void> {
  const { cid, envelope, manifest } = model
  await checkVersion(folder, manifest, cid)
  const whole = folder.temporary()
  try {
    for (const file of manifest.files) {
      const key = toHex(file.sha256)
      await putBlob(folder, file.sha256, model.sources.get(key) ?? '')
      const list = model.blockLists.get(key)
      if (file.blocks !== undefined && list !== undefined) await folder.write(folder.blob(file.blocks), list)
      await folder.link(folder.blob(file.sha256), join(whole, file.path))
    }
    await rm(folder.model(cid), { recursive: true, force: true })
    await folder.publish(whole, folder.model(cid))
  } finally {
    await rm(whole, { recursive: true, force: true })
  }
  await folder.write(join(folder.versions(manifest.publisher, manifest.name), String(manifest.version)), Buffer.from(cid))
  await folder.write(folder.manifest(cid), envelope)
}

/** The highest version of a name that a publisher ever had here; 0 when none. */
export async function highestVersion(folder: StoreFolder, publisher: Uint8Array, name: string): Promise<number> {
  const names = (await ifExists(readdir(folder.versions(publisher, name)))) ?? []
  return Math.max(0, ...names.map(Number).filter(Number.isSafeInteger))
}

/** Throws `ERR_BAD_MANIFEST` when a publisher's newer version is known (rollback), or another model of this version (equivocation). */
export async function checkVersion(folder: StoreFolder, manifest: ModelManifest, cid: string): Promise<void> {
  const { publisher, name, version } = manifest
  const known = await readIfExists(join(folder.versions(publisher, name), String(version)))
  if (known !== undefined && known.byteLength > 0) {
    if (Buffer.from(known).toString() === cid) return
    throw new MotorpoolError(
      'ERR_BAD_MANIFEST',
      `model ${name} has another version ${version} by the same publisher (equivocation); publish it as a higher version`
    )
  }
  const highest = await highestVersion(folder, publisher, name)
  if (version < highest) {
    throw new MotorpoolError(
      'ERR_BAD_MANIFEST',
      `model ${name} version ${version} is older than ${highest}, which was here already (rollback); use the newer one, or publish it as version ${highest + 1}`
    )
  }
}

/** Moves a file into the store unless the same bytes are there; a blob that went bad is replaced. */
async function putBlob(folder: StoreFolder, digest: Uint8Array, source: string): Promise<void> {
  const blob = folder.blob(digest)
  if ((await ifExists(stat(blob))) !== undefined && equalBytes((await fileDigests(blob)).sha256, digest)) return
  await chmod(source, 0o444)
  await folder.publish(source, blob)
}
