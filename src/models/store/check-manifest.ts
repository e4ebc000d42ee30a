import { openEnvelope } from '../../protocol/envelope.ts'
import { isMotorpoolError, MotorpoolError } from '../../protocol/errors.ts'
import { cidOf, equalBytes } from '../../protocol/ids.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { type ModelManifest, manifestSchema } from '../model.ts'

/**
 * Opens a signed manifest that should be named `cid`. Throws `ERR_BAD_MANIFEST` for other bytes than that name stands for,
 * and for anything wrong with them: size, encoding, signature, schema, another publisher's key, paths that leave the folder.
 */
export function openManifest(envelope: Uint8Array, cid: string): ModelManifest {
  if (envelope.byteLength > LIMITS.manifest) throw badManifest(cid, `it has ${envelope.byteLength} bytes, at most ${LIMITS.manifest} are allowed`)
  if (cidOf(envelope) !== cid) throw badManifest(cid, 'its bytes were swapped or damaged')
  try {
    const { value, publicKey } = openEnvelope(envelope, { object: 'manifest', schema: manifestSchema, limit: LIMITS.manifest })
    if (!equalBytes(value.publisher, publicKey)) throw badManifest(cid, 'it is signed by another key than its publisher')
    checkPaths(value.files.map(file => file.path))
    return value
  } catch (error) {
    if (!isMotorpoolError(error) || error.code === 'ERR_BAD_MANIFEST') throw error
    throw new MotorpoolError('ERR_BAD_MANIFEST', `the manifest of model ${cid} is broken: ${error.message}`, { cause: error })
  }
}

/** Throws `ERR_BAD_MANIFEST` unless every path stays inside its folder and names one file on every file system. */
export function checkPaths(paths: readonly string[]): void {
  const seen = new Set<string>()
  const folders = new Set<string>()
  for (const path of paths) {
    const parts = path.split('/')
    if (!parts.every(isPlainName))
      throw new MotorpoolError('ERR_BAD_MANIFEST', `the model's file ${JSON.stringify(path)} isn't a plain relative path; rename it`)
    // Some file systems don't tell case or Unicode spelling apart.
    const spelling = path.normalize('NFC').toLowerCase()
    if (seen.has(spelling))
      throw new MotorpoolError('ERR_BAD_MANIFEST', `the model has two files named ${JSON.stringify(path)} but for case or spelling; rename one`)
    seen.add(spelling)
    for (let depth = 1; depth < parts.length; depth++) folders.add(spelling.split('/').slice(0, depth).join('/'))
  }
  for (const folder of folders) {
    if (seen.has(folder)) throw new MotorpoolError('ERR_BAD_MANIFEST', `the model's path ${JSON.stringify(folder)} is both a file and a folder; rename one`)
  }
}

/** No `.`, `..`, empty part, backslash, colon or control character. */
function isPlainName(part: string): boolean {
  return part !== '' && part !== '.' && part !== '..' && !/[\\:\p{Cc}]/u.test(part)
}

function badManifest(cid: string, what: string): MotorpoolError {
  return new MotorpoolError('ERR_BAD_MANIFEST', `the manifest of model ${cid} is not to be trusted: ${what}; ask another peer, or add the model again`)
}
