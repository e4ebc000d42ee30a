/** Made once: those who give up are asked often by whoever means harm, and a stack would cost more than the rest. */
const signal = new Error('this value or message is for the library codec')

/** Ends the reading or writing of a shape: the library codec, slower, says whether and why the value is refused. */
export function giveUp(): never {
  throw signal
}

/** `undefined` when `giveUp` was thrown; throws any other error on. */
export function afterGivingUp(error: unknown): undefined {
  if (error !== signal) throw error
}
