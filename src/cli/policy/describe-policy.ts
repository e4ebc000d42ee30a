import { Document, isMap, isScalar, type Pair } from 'yaml'
import type { OwnerPolicy } from '../../energy/owner-policy.ts'
import { POLICY_NOTES } from '../../energy/policy/policy-notes.ts'

/** The whole policy as a file that says of each key what it means. */
export function describePolicy(policy: OwnerPolicy): string {
  const document = new Document(policy)
  const annotate = (items: readonly Pair[], above: string): void => {
    for (const { key, value } of items) {
      if (!isScalar(key)) continue
      const path = `${above}${String(key.value)}`
      const note = POLICY_NOTES[path]
      if (note !== undefined) key.commentBefore = ` ${note}`
      if (isMap(value)) annotate(value.items, `${path}.`)
    }
  }
  if (isMap(document.contents)) annotate(document.contents.items, '')
  return document.toString({ lineWidth: 0 }).trimEnd()
}
