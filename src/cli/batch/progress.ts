import { SingleBar } from 'cli-progress'

/** Shows how far a job is: a bar on a terminal, now and then a plain line elsewhere. */
export interface Progress {
  readonly update: (done: number, detail: string) => void
  readonly stop: () => void
}

/** Plain lines are for logs; a handful tell as much as hundreds. */
const PLAIN_LINES = 10

/** Starts showing progress towards `total` of `what` on standard error. */
export function startProgress(total: number, what: string, note: (line: string) => void): Progress {
  if (process.stderr.isTTY !== true) {
    const step = Math.max(1, Math.ceil(total / PLAIN_LINES))
    let shown = 0
    const update = (done: number, detail: string) => {
      if (done < shown + step && done !== total) return
      if (done === shown) return
      shown = done
      note(`${done} of ${total} ${what}${detail === '' ? '' : `  ${detail}`}`)
    }
    return { update, stop: () => undefined }
  }
  const bar = new SingleBar({
    format: `{bar} {value} of {total} ${what}  {detail}`,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 24,
    hideCursor: true,
    stream: process.stderr
  })
  bar.start(total, 0, { detail: '' })
  return { update: (done, detail) => bar.update(done, { detail }), stop: () => bar.stop() }
}
