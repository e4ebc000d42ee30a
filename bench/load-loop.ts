/** What a measuring process is told. */
export interface LoadCommand {
  readonly inFlight: number
  readonly warmMs: number
  readonly ms: number
  /** Bytes that every output must have. */
  readonly outputBytes: number
}

export interface LoadReport {
  readonly perSecond: number
  readonly p50Us: number
  /** Calls with those of the warm-up. */
  readonly calls: number
}

/** Keeps `inFlight` calls going: each begins the next when it ends. */
export async function runLoad(call: () => Promise<number>, { inFlight, warmMs, ms, outputBytes }: LoadCommand): Promise<LoadReport> {
  const from = performance.now() + warmMs
  const until = from + ms
  const tookMs: number[] = []
  let calls = 0
  const loop = async (): Promise<void> => {
    for (let started = performance.now(); started < until; started = performance.now()) {
      const bytes = await call()
      if (bytes !== outputBytes) throw new Error(`an output of ${bytes} bytes came, ${outputBytes} were expected`)
      const ended = performance.now()
      calls++
      if (ended >= from && ended <= until) tookMs.push(ended - started)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, loop))
  tookMs.sort((left, right) => left - right)
  return { perSecond: (tookMs.length / ms) * 1000, p50Us: (tookMs[tookMs.length >> 1] ?? Number.NaN) * 1000, calls }
}
