/** What a command knows of the process that it runs in. */
export interface CommandContext {
  /** Aborts when the user interrupts, the process is told to end, or nobody reads its output any more. */
  readonly signal: AbortSignal
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Writes a line to standard output: the answer. */
  readonly print: (line: string) => void
  /** Writes a line to standard error: what happens meanwhile. */
  readonly note: (line: string) => void
  /** Sets the exit code, for commands whose end isn't told by an error or a signal. */
  readonly endWith: (code: number) => void
}

const SIGNAL_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
/** Long enough to hand work back, short enough that nobody reaches for SIGKILL. */
const STOP_LIMIT_MS = 10_000
/** A terminal and a parent may both deliver one Ctrl-C; only a later one is a second wish. */
const REPEAT_AFTER_MS = 500

/** The context of this process, and the exit code that signals or `endWith` chose. */
export function processContext(): { readonly context: CommandContext; readonly exitCode: () => number | undefined } {
  const controller = new AbortController()
  let stopCode: number | undefined
  let chosen: number | undefined
  let stoppedAt = 0
  const stop = (code: number) => {
    const now = performance.now()
    if (stopCode !== undefined) {
      if (now - stoppedAt > REPEAT_AFTER_MS) process.exit(stopCode)
      return
    }
    stopCode = code
    stoppedAt = now
    controller.abort()
    setTimeout(() => process.exit(code), STOP_LIMIT_MS).unref()
  }
  for (const [signal, code] of Object.entries(SIGNAL_CODES)) process.on(signal, () => stop(code))
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    stop(0)
  })
  process.stderr.on('error', () => undefined)
  const context: CommandContext = {
    signal: controller.signal,
    environment: process.env,
    print: line => void process.stdout.write(`${line}\n`),
    note: line => void process.stderr.write(`${line}\n`),
    endWith: code => {
      chosen = code
    }
  }
  return { context, exitCode: () => chosen ?? stopCode }
}
