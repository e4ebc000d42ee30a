import { unwatchFile, watchFile } from 'node:fs'
import type { OwnerPolicy } from '../../energy/owner-policy.ts'
import { readPolicyFile } from './policy-file.ts'

/** A withdrawn consent is to be heard of at once; `motorpool policy set` also says so to a car that runs. */
const LOOK_EVERY_MS = 500

/** The policy in a file, or why it can't be known, in words. */
export function policyOrTrouble(path: string): OwnerPolicy | string {
  try {
    return readPolicyFile(path)
  } catch (error) {
    return `the owner’s policy can’t be read: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** Calls back whenever a policy file changed, also when it came or went; returns what ends it. */
export function watchPolicy(path: string, onChange: (policy: OwnerPolicy | string) => void): () => void {
  const look = (): void => onChange(policyOrTrouble(path))
  watchFile(path, { interval: LOOK_EVERY_MS }, look)
  return () => unwatchFile(path, look)
}
