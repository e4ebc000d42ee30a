import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { z } from 'zod'
import { MotorpoolError } from '../../protocol/errors.ts'

/** A small file of a car's own (0600), written whole or not at all. */
export interface PrivateJson<Value> {
  /** Undefined when it isn't there yet; throws `ERR_DATA_FOLDER` when it is damaged, saying what removing it loses. */
  readonly read: () => Value | undefined
  /** Throws `ERR_DATA_FOLDER` when it can't be written. */
  readonly write: (value: Value) => void
}

export function openPrivateJson<Value>(path: string, schema: z.ZodType<Value>, lost: string): PrivateJson<Value> {
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
        return schema.parse(JSON.parse(text))
      } catch (cause) {
        return refuse(`is damaged; remove it, though that forgets ${lost}`, cause)
      }
    },
    write: value => {
      const fresh = `${path}.new`
      try {
        writeFileSync(fresh, `${JSON.stringify(value)}\n`, { mode: 0o600 })
        renameSync(fresh, path)
      } catch (cause) {
        refuse('cannot be written; make its folder writable, or free space on the disk', cause)
      }
    }
  }
}
