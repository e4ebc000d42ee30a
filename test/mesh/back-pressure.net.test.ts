import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'

/** How long the slow reader reads. */
const seconds = Number(process.env['MOTORPOOL_SLOW_READER_SECONDS'] ?? 30)
const MIB = 1024 * 1024

const children: ChildProcess[] = []
afterAll(async () => {
  for (const child of children) {
    if (child.exitCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
})

function start(file: string, ...args: string[]): ChildProcess {
  const child = fork(new URL(`./processes/${file}`, import.meta.url), args)
  children.push(child)
  return child
}

async function answer<T>(child: ChildProcess): Promise<T> {
  const [message] = await once(child, 'message')
  return message as T
}

async function ask<T>(child: ChildProcess): Promise<T> {
  const answered = answer<T>(child)
  child.send('figures')
  return answered
}

interface Figures {
  readonly rssBytes: number
  readonly p99GapMs: number
  readonly longestRoundTripMs: number
}

test(`a reader that takes 1 MB/s for ${seconds} s costs neither side memory nor its heartbeat`, { timeout: (seconds + 60) * 1000 }, async () => {
  const reader = start('slow-reader.ts', String(1_000_000))
  const address = await answer<string>(reader)
  const sender = start('sender.ts', address)
  await answer(sender)
  // Until both have loaded their code and filled their windows.
  await sleep(5000)
  const [senderBefore, readerBefore] = [await ask<Figures>(sender), await ask<Figures & { read: number; widestSilenceMs: number }>(reader)]
  await sleep(seconds * 1000)
  const [senderAfter, readerAfter] = [await ask<Figures & { closed: boolean }>(sender), await ask<Figures & { read: number; widestSilenceMs: number }>(reader)]

  const rate = (readerAfter.read - readerBefore.read) / seconds
  console.log(
    `sender +${((senderAfter.rssBytes - senderBefore.rssBytes) / MIB).toFixed(1)} MiB, reader +${((readerAfter.rssBytes - readerBefore.rssBytes) / MIB).toFixed(1)} MiB, ` +
      `${Math.round(rate / 1000)} kB/s, longest silence ${Math.round(readerAfter.widestSilenceMs)} ms, longest round trip ${senderAfter.longestRoundTripMs} ms`
  )
  expect(senderAfter.closed).toBe(false)
  expect(rate).toBeGreaterThan(500_000)
  expect(rate).toBeLessThan(1_500_000)
  expect(senderAfter.rssBytes - senderBefore.rssBytes).toBeLessThanOrEqual(16 * MIB)
  expect(readerAfter.rssBytes - readerBefore.rssBytes).toBeLessThanOrEqual(16 * MIB)
  expect(readerAfter.widestSilenceMs).toBeLessThan(500)
  expect(readerAfter.p99GapMs).toBeLessThan(500)
  expect(senderAfter.longestRoundTripMs).toBeLessThan(500)
})
