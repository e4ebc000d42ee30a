import { z } from 'zod'
import { ERROR_CODES, MotorpoolError } from '../protocol/errors.ts'
import { fromHex } from '../protocol/ids.ts'
import { LIMITS } from '../protocol/limits.ts'
import { TENSOR_TYPES, type TensorType, tensorByteLength } from '../protocol/tensor.ts'
import { fromWireValue, openFrame, type Wire, type WireValue, type WorkerReply } from './worker-frames.ts'

/* A model may have got the better of its worker, so the peer believes nothing that comes from there unchecked. */

const integer = z.int().nonnegative()
const valueSchema: z.ZodType<WireValue> = z.strictObject({
  kind: z.string(),
  parameters: z.array(z.tuple([z.string(), z.union([z.int(), z.string(), z.boolean(), z.null(), z.strictObject({ hex: z.string() })])])),
  tensors: z
    .array(
      z.strictObject({ name: z.string(), type: z.enum(Object.keys(TENSOR_TYPES) as [TensorType, ...TensorType[]]), dims: z.array(integer), size: integer })
    )
    .max(LIMITS.tensors)
})
const replySchema: z.ZodType<Wire<WorkerReply>> = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('done'),
    id: integer,
    value: valueSchema,
    digest: z.string().length(64),
    waitedUs: integer,
    ranUs: integer,
    together: integer.min(1)
  }),
  z.strictObject({ type: z.literal('failed'), id: integer, code: z.enum(ERROR_CODES), message: z.string() }),
  z.strictObject({ type: z.literal('began'), ids: z.array(integer).min(1) })
])

/** The reply in a frame's body. Throws when it is none, or when a tensor's bytes do not fit its shape. */
export function readReply(body: Uint8Array<ArrayBuffer>): WorkerReply {
  const { head, take } = openFrame(body)
  const reply = replySchema.parse(head)
  if (reply.type !== 'done') return reply
  for (const { name, type, dims, size } of reply.value.tensors)
    if ((tensorByteLength(type, dims) ?? size) !== size) throw new MotorpoolError('ERR_BAD_FRAME', `output ${name} does not fit its shape; restart the worker`)
  return { ...reply, value: fromWireValue(reply.value, take), digest: fromHex(reply.digest) }
}
