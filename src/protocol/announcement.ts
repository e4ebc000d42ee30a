import { z } from 'zod'

const integer = z.int().nonnegative()
/** Tasks of an hour and more are alike: whoever asks for longer odds of staying could mean the leaving time. */
export const LONGEST_LENGTH_BUCKET = 12
/** Byte strings of a fixed or bounded length. */
export const bytes = (length: number) =>
  z.custom<Uint8Array>(value => value instanceof Uint8Array && value.length === length, { message: `must be ${length} bytes` })
export const bytesUpTo = (most: number) =>
  z.custom<Uint8Array>(value => value instanceof Uint8Array && value.length <= most, { message: `must be at most ${most} bytes` })
/** Carried unread, so that later versions can add to a signed object. */
export const extension = z.record(z.string().max(64), z.unknown()).optional()
/** Money per unit of work, in 10⁻⁶ of `unit`. */
export const price = z.strictObject({
  perTask: integer,
  perItem: integer,
  per1kTokensIn: integer,
  per1kTokensOut: integer,
  unit: z.string().regex(/^[A-Z]{3}$/)
})

/** The notice of a task or job, gossiped on its shard topic. Payload type `motorpool/announcement/1`, signed by the client's peer key. */
export const announcementSchema = z.strictObject({
  v: z.literal(1),
  /** 16 random bytes; the lot's id, not a commitment to anything. */
  task: bytes(16),
  /** Bytes of the model's CID. */
  model: bytesUpTo(64),
  /** Prefix of the shard that it is for: gossipsub's message id doesn't cover the topic. */
  bits: z
    .string()
    .regex(/^[01]*$/)
    .max(32),
  /** How many tasks are waiting, rounded up to a power of two. */
  tasks: integer.min(1),
  /** Size buckets of one task's input and output: powers of four from 1 KiB (0) up. */
  inputBucket: integer.max(16),
  outputBucket: integer.max(16),
  /** How long one task runs, as far as its client knows: powers of two of a second from 1 s (0) up; null when it never saw one. Cars tell their odds of staying no further ahead. */
  lengthBucket: integer.max(LONGEST_LENGTH_BUCKET).nullable(),
  /** Seconds until the client has no more use for a result. */
  deadlineSeconds: integer.min(1),
  /** Most that it pays for a task, in 10⁻⁶ of `unit`; 0 for volunteers only. */
  ceiling: integer,
  unit: z.string().regex(/^[A-Z]{3}$/),
  /** How results are to be checked: `blocks` (trust.md), `copies`, `root`. */
  verification: z.enum(['blocks', 'copies', 'root']),
  round: integer.max(32),
  /** A car answers if the first u32 of its hash is below θ; 2³² asks all. */
  theta: integer.max(2 ** 32),
  /** The client's libp2p peer id (multihash bytes). */
  client: bytesUpTo(64),
  /** Where cars may dial, as binary multiaddrs. */
  addresses: z.array(bytesUpTo(128)).max(2),
  /** Seconds since 1970 UTC. */
  issued: integer,
  expires: integer,
  ext: extension
})
export type Announcement = z.infer<typeof announcementSchema>

/** What a car offers, coarse and without history. Payload type `motorpool/capacity/1`, signed by its peer key; on the DHT and in hello. */
export const capacitySchema = z.strictObject({
  v: z.literal(1),
  peer: bytesUpTo(64),
  /** One of ≤ 12 hardware classes, so that it names no single car. */
  hardware: z.enum([
    'cpu-2',
    'cpu-4',
    'cpu-8',
    'cpu-16',
    'gpu-small',
    'gpu-medium',
    'gpu-large',
    'npu-small',
    'npu-medium',
    'npu-large',
    'soc-automotive',
    'other'
  ]),
  accelerator: z.enum(['none', 'gpu', 'npu']),
  slots: z.union([z.literal(1), z.literal(2), z.literal(4), z.literal(8)]),
  /** CID bytes of the models that it may run now. */
  models: z.array(bytesUpTo(64)).max(32),
  /** It has left, or is about to. */
  away: z.boolean(),
  /** Seconds since 1970 UTC; the validator refuses later reads. */
  issued: integer,
  expires: integer,
  ext: extension
})
export type Capacity = z.infer<typeof capacitySchema>

/**
 * A car's sign of presence in a shard, gossiped on the shard's topic. Payload type `motorpool/beacon/1`, signed by the
 * car's peer key, which is all that names the car: its hash gives the prefixes, so depths are enough.
 */
export const beaconSchema = z.strictObject({
  v: z.literal(1),
  /** CID bytes of the model. */
  model: bytesUpTo(64),
  /** Bits of the shard that it is for: gossipsub's message id doesn't cover the topic. */
  shard: integer.max(32),
  /** Bits of the shard in which the car is from now on; another than `shard` when it has just moved. */
  leaf: integer.max(32),
  /** It leaves the mesh. */
  away: z.boolean(),
  /** Seconds since 1970 UTC. */
  issued: integer,
  ext: extension
})
export type Beacon = z.infer<typeof beaconSchema>
