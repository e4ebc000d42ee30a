import { z } from 'zod'
import { bytes, extension } from '../protocol/announcement.ts'
import type { ModelCid } from '../protocol/ids.ts'
import { LIMITS } from '../protocol/limits.ts'
import { TENSOR_TYPES, type TensorType } from '../protocol/tensor.ts'

const integer = z.int().nonnegative()
const text = z.string().max(LIMITS.name)
/** A tensor's declared name, type and shape; -1 or a name stands for a dimension that varies, null for any shape at all. */
export const tensorSpecificationSchema = z.strictObject({
  name: text.min(1),
  type: z.enum(Object.keys(TENSOR_TYPES) as [TensorType, ...TensorType[]]),
  dims: z
    .array(z.union([z.int().min(-1), text]))
    .max(LIMITS.tensorRank)
    .nullable()
})
export type TensorSpecification = z.infer<typeof tensorSpecificationSchema>

/**
 * A file of a model. Up to `LIMITS.block` it is one block, fetched by its own sha256. A larger one is fetched in blocks of
 * `LIMITS.block` bytes (the last is the rest): `blocks` is the sha256 of its *block list*, their sha256 digests one after another,
 * which is fetched as a block too. So every block can be checked by its own hash, as it comes.
 */
export const manifestFileSchema = z
  .strictObject({ path: text.min(1), sha256: bytes(32), size: integer.max(LIMITS.block * (LIMITS.block / 32)), blocks: bytes(32).optional() })
  .refine(file => file.size > LIMITS.block === (file.blocks !== undefined), {
    message: `must have a block list exactly when it is larger than ${LIMITS.block} bytes`
  })
export type ManifestFile = z.infer<typeof manifestFileSchema>

/** Pipelines that a worker knows besides plain tensors. */
export const MODEL_TASKS = ['tensors', 'ocr'] as const
export type ModelTask = (typeof MODEL_TASKS)[number]

/** Whether tasks may share a run. */
export const BATCHINGS = ['none', 'rows'] as const
export type Batching = (typeof BATCHINGS)[number]

/** What a model is. Payload type `motorpool/manifest/1`, signed by its publisher; the CID of that envelope is the model's name. */
export const manifestSchema = z.strictObject({
  v: z.literal(1),
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/),
  /** Rises with every publication under the same name. */
  version: integer.min(1),
  task: z.enum(MODEL_TASKS),
  /** Paths are relative, forward slashes, no `..`; content addressed by sha256 of the whole file. */
  files: z.array(manifestFileSchema).min(1).max(256),
  inputs: z.array(tensorSpecificationSchema).max(LIMITS.tensors),
  outputs: z.array(tensorSpecificationSchema).max(LIMITS.tensors),
  /** How far honest results may differ across numerics classes, in millionths. */
  numerics: z.strictObject({ atol: integer, rtol: integer, comparator: z.enum(['tensors', 'classification', 'embeddings', 'ocr', 'boxes', 'tokens']) }),
  /**
   * `rows`: the first dimension of every input and output counts items, and a row's result doesn't depend on its companions, so a
   * car may run waiting tasks together. Not for models that quantize activations by a tensor's range as they run. `none` when absent.
   */
  batching: z.enum(BATCHINGS).optional(),
  /** SPDX expression. */
  licence: text,
  publisher: bytes(32),
  /** Seconds since 1970 UTC. */
  issued: integer,
  /** Seconds since 1970 UTC from which on nobody fetches it any more; never unless given. */
  expires: integer.optional(),
  ext: extension
})
export type ModelManifest = z.infer<typeof manifestSchema>

/** A model that lies whole and checked in the store. */
export interface StoredModel {
  readonly cid: ModelCid
  readonly manifest: ModelManifest
  /** The signed manifest. */
  readonly envelope: Uint8Array
  /** A folder that holds the files at their paths (read-only links or copies into the store). */
  readonly folder: string
}

/** Which models a car's owner lets it run. */
export interface ModelPolicy {
  /** Publisher keys, hex; every model that they signed. */
  readonly publishers?: readonly string[]
  /** Single models. */
  readonly models?: readonly ModelCid[]
}

/** Bytes by CID from other peers; `peer.ts` hands the store one that asks the mesh. */
export interface BlockSource {
  /** Resolves with the block's bytes, unchecked; rejects `ERR_MODEL_UNKNOWN` when no peer has it. */
  fetch: (cid: string, options?: { readonly signal?: AbortSignal }) => Promise<Uint8Array>
}
