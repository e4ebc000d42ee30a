import type { z } from 'zod'
import { policySchema } from './policy-schema.ts'

/** What a car's owner allows, with every default filled in. docs/policy.md tells what each key means. */
export type OwnerPolicy = z.infer<typeof policySchema>

/** What holds where the owner says nothing: not opted in, plugged in only, own models only. */
export const DEFAULT_POLICY: OwnerPolicy = policySchema.parse({})

/** Reads a policy file's text (YAML), or the value of one. Throws `ERR_BAD_POLICY` naming key and line. */
export function parsePolicy(source: unknown): OwnerPolicy {
  return policySchema.parse(source)
}
