import { isMotorpoolError, MotorpoolError } from '../../protocol/errors.ts'

const MEMORY = /failed to allocate|bad_alloc|bad allocation|out of memory|array buffer allocation failed|cannot allocate/i
/** What ONNX Runtime says of inputs that only it can check, such as a rank that its JavaScript metadata does not tell. */
const INPUT = /invalid rank for input|got invalid dimensions for input|unexpected input data type|invalid feed input name/i
const LONGEST = 300

/** The first words of an error, on one line. */
export function oneLine(error: unknown): string {
  const text = (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ').trim()
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
}

/** An error of ONNX Runtime while it ran a task, by its code. */
export function runError(error: unknown): MotorpoolError {
  if (isMotorpoolError(error)) return error
  const message = oneLine(error)
  if (MEMORY.test(message)) return new MotorpoolError('ERR_MEMORY_LIMIT', `the model wants more memory than the worker may take; send a smaller input`)
  if (INPUT.test(message)) return new MotorpoolError('ERR_INVALID_INPUT', `ONNX Runtime refuses the input: ${message}; send what the model declares`)
  return new MotorpoolError('ERR_RUN_FAILED', `ONNX Runtime failed: ${message}; check the input against the model`, { cause: error })
}

/** An error while a model was loaded, by its code. */
export function loadError(error: unknown): MotorpoolError {
  if (isMotorpoolError(error)) return error
  const message = oneLine(error)
  if (MEMORY.test(message))
    return new MotorpoolError('ERR_MEMORY_LIMIT', `the model needs more memory to load than the worker may take; raise memoryLimitBytes`)
  return new MotorpoolError('ERR_BAD_MODEL', `ONNX Runtime cannot load the model: ${message}; export it again`, { cause: error })
}
