import type { z } from 'zod'
import type { price } from '../protocol/announcement.ts'
import { MotorpoolError } from '../protocol/errors.ts'
import type { Amount, Units } from './leaf.ts'

/** Terms of a lease, in 10⁻⁶ of `unit`. */
export type Price = z.infer<typeof price>

/**
 * What `units` of work cost at these terms: per task, per item and per 1,000 tokens; the tokens' share is rounded down,
 * once. Throws `ERR_TOO_LARGE` from 2⁵³ on.
 */
export function priceOf(terms: Price, units: Units): Amount {
  const tokens = BigInt(units.tokensIn) * BigInt(terms.per1kTokensIn) + BigInt(units.tokensOut) * BigInt(terms.per1kTokensOut)
  const amount = BigInt(terms.perTask) + BigInt(units.items) * BigInt(terms.perItem) + tokens / 1000n
  if (amount > BigInt(Number.MAX_SAFE_INTEGER)) throw new MotorpoolError('ERR_TOO_LARGE', 'a price is above 2⁵³ millionths; split the task')
  return { amount: Number(amount), unit: terms.unit }
}
