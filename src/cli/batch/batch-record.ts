import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { z } from 'zod'
import { MotorpoolError } from '../../protocol/errors.ts'

const lineSchema = z.object({ key: z.string(), status: z.enum(['done', 'failed']) })
const READ_BYTES = 1 << 20

/** The file that a batch writes its results to, one line of JSON each. */
export interface BatchRecord {
  /** Keys whose result is recorded already; failed ones aren't, so that they are tried again. */
  readonly done: ReadonlySet<string>
  /** Appends one result; on disk when it returns. */
  readonly append: (line: { readonly key: string; readonly status: 'done' | 'failed' } & Readonly<Record<string, unknown>>) => void
  readonly close: () => void
}

/**
 * Opens a batch's file and reads what an earlier run recorded. A last line that a crash cut off is removed; a file that
 * holds anything else is left alone: `ERR_INVALID_OPTION`.
 */
export function openBatchRecord(path: string): BatchRecord {
  const file = openSync(path, 'a+', 0o600)
  try {
    const done = new Set<string>()
    const { lines, whole } = readLines(file)
    for (const [index, text] of lines.entries()) {
      const line = parseLine(text)
      if (line === undefined) throw new MotorpoolError('ERR_INVALID_OPTION', `line ${index + 1} of ${path} is no batch result; name another --out file`)
      if (line.status === 'done') done.add(line.key)
      else done.delete(line.key)
    }
    if (whole < fstatSync(file).size) cutTornLine(file, path, whole)
    const append: BatchRecord['append'] = line => {
      writeSync(file, `${JSON.stringify(line)}\n`)
      fsyncSync(file)
    }
    return { done, append, close: () => closeSync(file) }
  } catch (error) {
    closeSync(file)
    throw error
  }
}

/** Complete lines, and how many bytes they take. */
function readLines(file: number): { readonly lines: readonly string[]; readonly whole: number } {
  const chunks: Buffer[] = []
  for (let at = 0; ; ) {
    const chunk = Buffer.alloc(READ_BYTES)
    const length = readSync(file, chunk, 0, READ_BYTES, at)
    if (length === 0) break
    chunks.push(chunk.subarray(0, length))
    at += length
  }
  const bytes = Buffer.concat(chunks)
  const whole = bytes.lastIndexOf(0x0a) + 1
  return { lines: whole === 0 ? [] : bytes.toString('utf8', 0, whole - 1).split('\n'), whole }
}

/** Only what began as a result is taken for a torn one. */
function cutTornLine(file: number, path: string, whole: number): void {
  const head = Buffer.alloc(8)
  const length = readSync(file, head, 0, head.length, whole)
  if (!'{"key":"'.startsWith(head.toString('utf8', 0, length)))
    throw new MotorpoolError('ERR_INVALID_OPTION', `${path} ends in something that is no batch result; name another --out file`)
  ftruncateSync(file, whole)
  fsyncSync(file)
}

function parseLine(text: string): z.infer<typeof lineSchema> | undefined {
  try {
    return lineSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
