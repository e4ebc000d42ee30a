import { processContext } from './context.ts'
import { createProgram } from './program.ts'
import { describeError } from './report-error.ts'

/** Runs one command line and ends the process with its exit code. */
export async function main(argv: readonly string[]): Promise<never> {
  const { context, exitCode } = processContext()
  let code = 0
  try {
    await createProgram(context).parseAsync(argv, { from: 'user' })
  } catch (error) {
    const described = describeError(error)
    code = described.exitCode
    if (described.line !== undefined && !context.signal.aborted) context.note(described.line)
  }
  process.exit(exitCode() ?? code)
}
