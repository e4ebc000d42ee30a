import { MotorpoolError } from '../protocol/errors.ts'
import { toHex } from '../protocol/ids.ts'
import type { ModelManifest, ModelPolicy } from './model.ts'

/** Whether an owner's policy lets the car run a model: it lists the model, or the key that signed it. */
export function isAllowed(policy: ModelPolicy, model: { readonly cid: string; readonly publisher: Uint8Array }): boolean {
  if (policy.models?.some(cid => cid === model.cid)) return true
  return policy.publishers?.includes(toHex(model.publisher)) ?? false
}

/** Throws `ERR_MODEL_NOT_ALLOWED` unless there is no policy, or it allows the model. */
export function checkPolicy(policy: ModelPolicy | undefined, model: { readonly cid: string; readonly manifest: ModelManifest }): void {
  const { cid, manifest } = model
  if (policy === undefined || isAllowed(policy, { cid, publisher: manifest.publisher })) return
  const publisher = toHex(manifest.publisher)
  throw new MotorpoolError(
    'ERR_MODEL_NOT_ALLOWED',
    `model ${manifest.name} (${cid}) is not allowed here; add its CID or the publisher key ${publisher} to the policy`
  )
}
