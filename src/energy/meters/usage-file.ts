import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import { MotorpoolError } from '../../protocol/errors.ts'
import type { OwnerUsage } from '../owner-usage.ts'

const usageSchema = z.strictObject({
  v: z.literal(1),
  day: z.string().regex(/^\d{4}-\d\d-\d\d$/),
  energyMj: z.int().nonnegative(),
  networkBytes: z.int().nonnegative(),
  updatedUnixMs: z.number().nonnegative()
})

/** A file (0600) that holds what was used of the daily caps, written whole or not at all. Reading throws `ERR_DATA_FOLDER` when it is damaged. */
export function openUsageFile(path: string): { readonly read: () => OwnerUsage | undefined; readonly write: (usage: OwnerUsage) => void } {
  const refuse = (what: string, cause: unknown): never => {
    throw new MotorpoolError('ERR_DATA_FOLDER', `${path} ${what}`, { cause })
  }
  return {
    read: () => {
      let text: string
      try {
        text = readFileSync(path, 'utf8')
      } catch (cause) {
        if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
        return refuse('cannot be read; make it readable', cause)
      }
      try {
        const { v: _, ...usage } = usageSchema.parse(JSON.parse(text))
        return usage
      } catch (cause) {
        return refuse('is damaged, so nobody knows what was used of the daily caps; remove it to begin at 0', cause)
      }
    },
    write: usage => {
      const fresh = `${path}.new`
      try {
        writeFileSync(fresh, `${JSON.stringify({ v: 1, ...usage })}\n`, { mode: 0o600 })
        renameSync(fresh, path)
      } catch (cause) {
        refuse('cannot be written; make its folder writable, or free space on the disk', cause)
      }
    }
  }
}
