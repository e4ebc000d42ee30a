import type { AccountId, ModelCid } from '../protocol/ids.ts'
import type { OwnerPolicy } from './owner-policy.ts'

/** Whether the owner works for this client's account. */
export function allowsAccount(policy: Pick<OwnerPolicy, 'allow'>, account: AccountId): boolean {
  return policy.allow === 'anyone' || policy.allow.some(key => key === account)
}

/** The models that the owner lets the car run, in the form of a `ModelPolicy`; undefined when the policy names none: then only the owner's own. */
export function allowedModels(
  policy: Pick<OwnerPolicy, 'models' | 'publishers'>
): { readonly publishers: readonly string[]; readonly models: readonly ModelCid[] } | undefined {
  const { models, publishers } = policy
  return models.length === 0 && publishers.length === 0 ? undefined : { publishers, models: models as ModelCid[] }
}
