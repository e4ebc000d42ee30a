import { isMotorpoolError } from '../protocol/errors.ts'
import { equalBytes } from '../protocol/ids.ts'
import { forgetOldest } from '../protocol/limits.ts'
import type { ResultHead } from '../protocol/transfer.ts'
import { type Flush, openFlush } from './flush.ts'
import { decodeLeaf, type Leaf } from './leaf.ts'
import { isIncluded } from './merkle.ts'
import { type Price, priceOf } from './price.ts'

/** What a result must prove before it is delivered. */
export interface ExpectedResult {
  /** Raw account keys. */
  readonly car: Uint8Array
  readonly client: Uint8Array
  readonly lease: Uint8Array
  /** CID bytes. */
  readonly model: Uint8Array
  readonly task: Uint8Array
  readonly attempt: number
  readonly part: number
  /** Salted digests that this side computed. */
  readonly input: Uint8Array
  readonly output: Uint8Array
  /** The lease's terms; unchecked when absent. */
  readonly price?: Price
}

export type ResultVerdict = { readonly accepted: true; readonly flush: Flush; readonly leaf: Leaf } | { readonly accepted: false; readonly reason: string }

/** What the receiver of a whole flush has worked out of it. */
export interface ReadLeaf {
  /** As `decodeLeaf` gives it. */
  readonly leaf: Leaf
  /** Of the tree over all leaves that came, which holds this one. */
  readonly root: Uint8Array
  readonly size: number
}

/** Flushes whose signature held, by the signature's bytes; under load many leaves share one. */
export type FlushCache = Map<string, { readonly envelope: Uint8Array; readonly flush: Flush }>

export function createFlushCache(): FlushCache {
  return new Map()
}

/** Flushes of a lease come in order; this many cover the leases that a client has at work at once. */
const MOST_CACHED_FLUSHES = 64

/**
 * Checks what comes with a result, cheapest first; one signature at most, none when the flush is in `cache`. `read` saves those who
 * have it from reading the leaf and hashing its path again.
 */
export function checkResult(
  proof: NonNullable<ResultHead['proof']>,
  expected: ExpectedResult,
  cache: FlushCache = createFlushCache(),
  read?: ReadLeaf
): ResultVerdict {
  try {
    const leaf = read?.leaf ?? decodeLeaf(proof.leaf)
    const flaw = flawOfLeaf(leaf, expected)
    if (flaw !== undefined) return refuse(flaw)
    const flush = openCached(proof.flush, cache)
    if (!equalBytes(flush.car, expected.car)) return refuse('the receipt is signed by another account than the car bound itself to')
    if (!equalBytes(flush.client, expected.client)) return refuse('the receipt is for another client')
    if (!equalBytes(flush.lease, expected.lease)) return refuse('the receipt is for another lease')
    if (!equalBytes(flush.model, expected.model)) return refuse('the receipt is for another model')
    const included = read === undefined ? isIncluded(proof.leaf, proof, flush.size, flush.root) : read.size === flush.size && equalBytes(read.root, flush.root)
    if (!included) return refuse('the receipt is not in the tree that the car signed')
    return { accepted: true, flush, leaf }
  } catch (error) {
    if (!isMotorpoolError(error)) throw error
    return refuse(error.message)
  }
}

function flawOfLeaf(leaf: Leaf, expected: ExpectedResult): string | undefined {
  if (!equalBytes(leaf.task, expected.task)) return 'the receipt is for another task'
  if (leaf.attempt !== expected.attempt) return `the receipt is for attempt ${leaf.attempt}, not ${expected.attempt}`
  if (leaf.part !== expected.part) return `the receipt is for part ${leaf.part}, not ${expected.part}`
  if (!equalBytes(leaf.input, expected.input)) return 'the receipt is for another input'
  if (!equalBytes(leaf.output, expected.output)) return 'the output is not the one that the receipt tells of'
  if (expected.price === undefined) return undefined
  const due = priceOf(expected.price, leaf.units)
  if (leaf.price.amount !== due.amount || leaf.price.unit !== due.unit)
    return `the receipt asks ${leaf.price.amount} ${leaf.price.unit}, the lease's terms give ${due.amount} ${due.unit}`
  return undefined
}

function openCached(envelope: Uint8Array, cache: FlushCache): Flush {
  const key = Buffer.from(envelope.subarray(-64)).toString('latin1')
  const known = cache.get(key)
  if (known !== undefined && equalBytes(known.envelope, envelope)) return known.flush
  const flush = openFlush(envelope).value
  // A copy, because the envelope may be a view into a much larger buffer.
  cache.set(key, { envelope: new Uint8Array(envelope), flush })
  forgetOldest(cache, MOST_CACHED_FLUSHES)
  return flush
}

function refuse(reason: string): ResultVerdict {
  return { accepted: false, reason }
}
