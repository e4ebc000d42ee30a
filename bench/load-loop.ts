/** What a measuring process is told. */
export interface LoadCommand {
  readonly inFlight: number
  readonly warmMs: number
  readonly ms: number
  /** Bytes that every output must have. */
  readonly outputBytes: number
  /** For the mesh: results are used before their receipts. */
  readonly unsigned?: boolean
}

export interface LoadReport {
  /** 0 when not even a few calls ended in many times the window. */
  readonly perSecond: number
  readonly p50Us: number
  /** Calls with those of the warm-up. */
  readonly calls: number
}

/** A window in which fewer end is measured for longer. */
const LEAST_CALLS = 4
const LONGEST_WINDOWS = 10
/** From here on, calls by the window say more than the time between calls, as results may come in bursts. */
const MANY_CALLS = 50

/** Keeps `inFlight` calls going: each begins the next when it ends. */
export async function runLoad(call: () => Promise<number>, { inFlight, warmMs, ms, outputBytes }: LoadCommand): Promise<LoadReport> {
  const from = performance.now() + warmMs
  const until = from + ms
  const ended: { readonly atMs: number; readonly tookMs: number }[] = []
  let calls = 0
  const isOpen = (nowMs: number): boolean => nowMs < until || (ended.length < LEAST_CALLS && nowMs < until + LONGEST_WINDOWS * ms)
  const loop = async (): Promise<void> => {
    for (let startedMs = performance.now(); isOpen(startedMs); startedMs = performance.now()) {
      const bytes = await call()
      if (bytes !== outputBytes) throw new Error(`an output of ${bytes} bytes came, ${outputBytes} were expected`)
      const atMs = performance.now()
      calls++
      if (atMs >= from) ended.push({ atMs, tookMs: atMs - startedMs })
    }
  }
  await Promise.all(Array.from({ length: inFlight }, loop))
  const inWindow = ended.filter(({ atMs }) => atMs <= until)
  const counted = inWindow.length >= LEAST_CALLS ? inWindow : ended.slice(0, LEAST_CALLS)
  const tookMs = counted.map(one => one.tookMs).sort((left, right) => left - right)
  return { perSecond: rateOf(counted, ms), p50Us: (tookMs[tookMs.length >> 1] ?? Number.NaN) * 1000, calls }
}

function rateOf(ended: readonly { readonly atMs: number }[], windowMs: number): number {
  if (ended.length >= MANY_CALLS) return (ended.length / windowMs) * 1000
  const [first, last] = [ended[0], ended.at(-1)]
  return first === undefined || last === undefined || ended.length < LEAST_CALLS ? 0 : ((ended.length - 1) / (last.atMs - first.atMs)) * 1000
}
