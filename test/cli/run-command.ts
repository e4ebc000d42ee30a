import { createProgram } from '../../src/cli/program.ts'
import { describeError } from '../../src/cli/report-error.ts'

/** What `motorpool …` prints in this process with `folder` as its home, or the line that it ends with. */
export async function runCommand(folder: string, argv: readonly string[]): Promise<string> {
  const printed: string[] = []
  const program = createProgram({
    signal: new AbortController().signal,
    environment: { MOTORPOOL_HOME: folder },
    print: line => void printed.push(line),
    note: () => undefined,
    endWith: () => undefined
  })
  try {
    await program.parseAsync([...argv], { from: 'user' })
  } catch (error) {
    return describeError(error).line ?? ''
  }
  return printed.join('\n')
}
